import java.io.File;
import java.security.Key;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import javax.xml.crypto.AlgorithmMethod;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.KeySelectorException;
import javax.xml.crypto.KeySelectorResult;
import javax.xml.crypto.XMLCryptoContext;
import javax.xml.crypto.XMLStructure;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.X509Data;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Verifies with the JDK the one XML signature in each file, with the key of its
 * first certificate and secure validation on. Prints "good" or "bad", the file
 * and, when bad, why; a signature must refer to the whole document to be good.
 *
 *     java VerifyXML.java FILE...
 */
public final class VerifyXML {
    public static void main(String[] files) throws Exception {
        boolean good = true;
        for (String file : files) {
            String fault = fault(file);
            good &= fault.isEmpty();
            System.out.println((fault.isEmpty() ? "good " : "bad ") + file + (fault.isEmpty() ? "" : ": " + fault));
        }
        System.exit(good ? 0 : 1);
    }

    private static String fault(String file) {
        try {
            return fault(parse(file));
        } catch (Exception e) {
            return e.toString();
        }
    }

    private static Document parse(String file) throws Exception {
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        f.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return f.newDocumentBuilder().parse(new File(file));
    }

    private static String fault(Document doc) throws Exception {
        NodeList signatures = doc.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        if (signatures.getLength() != 1) {
            return signatures.getLength() + " signatures";
        }
        DOMValidateContext context = new DOMValidateContext(new FirstCertificate(), signatures.item(0));
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
        NodeList properties = doc.getElementsByTagNameNS("http://uri.etsi.org/01903/v1.3.2#", "SignedProperties");
        for (int i = 0; i < properties.getLength(); i++) {
            context.setIdAttributeNS((Element) properties.item(i), null, "Id");
        }
        Element root = doc.getDocumentElement();
        if (root.hasAttribute("Id")) {
            context.setIdAttributeNS(root, null, "Id");
        }
        XMLSignature signature = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
        if (!signature.getSignatureValue().validate(context)) {
            return "the signature value does not verify";
        }
        boolean whole = false;
        for (Object o : signature.getSignedInfo().getReferences()) {
            Reference reference = (Reference) o;
            if (!reference.validate(context)) {
                return "the digest of '" + reference.getURI() + "' does not match";
            }
            whole |= reference.getURI().isEmpty() || reference.getURI().equals("#" + root.getAttribute("Id"));
        }
        return whole ? "" : "nothing refers to the whole document";
    }

    private static final class FirstCertificate extends KeySelector {
        @Override
        public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext context)
                throws KeySelectorException {
            for (Object structure : info.getContent()) {
                if (!(structure instanceof X509Data)) {
                    continue;
                }
                for (Object o : ((X509Data) structure).getContent()) {
                    if (o instanceof X509Certificate) {
                        PublicKey key = ((X509Certificate) o).getPublicKey();
                        return () -> (Key) key;
                    }
                }
            }
            throw new KeySelectorException("KeyInfo holds no certificate");
        }
    }
}
