import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXParseException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * Answers like judge.py what the JDK makes of a document, for signatures that
 * xmlsec1 does not know. It only verifies.
 *
 *     java Judge.java KEY.pem...
 */
public final class Judge {
    private static final String XADES = "http://uri.etsi.org/01903/v1.3.2#";

    public static void main(String[] files) throws Exception {
        List<PublicKey> keys = new ArrayList<>();
        for (String file : files) {
            keys.add(key(file));
        }
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        DocumentBuilder builder = factory.newDocumentBuilder();
        builder.setErrorHandler(new DefaultHandler() {
            @Override
            public void fatalError(SAXParseException e) throws SAXParseException {
                throw e;
            }
        });
        XMLSignatureFactory signatures = XMLSignatureFactory.getInstance("DOM");
        DataInputStream asked = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream said = new DataOutputStream(new BufferedOutputStream(System.out));
        while (true) {
            int number;
            byte[] document;
            try {
                asked.readByte();
                number = asked.readUnsignedByte();
                document = new byte[asked.readInt()];
                asked.readFully(document);
            } catch (EOFException end) {
                return;
            }
            String fault;
            try {
                fault = fault(builder.parse(new ByteArrayInputStream(document)), signatures, keys.get(number));
            } catch (Exception | StackOverflowError e) {
                fault = e.toString();
            }
            byte[] text = fault.getBytes(StandardCharsets.UTF_8);
            said.writeByte(fault.isEmpty() ? 1 : 0);
            said.writeInt(text.length);
            said.write(text);
            said.flush();
        }
    }

    private static PublicKey key(String file) throws Exception {
        String pem = Files.readString(Path.of(file));
        String end = "-----END CERTIFICATE-----";
        String certificate = pem.substring(pem.indexOf("-----BEGIN CERTIFICATE-----"), pem.indexOf(end) + end.length());
        return ((X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(certificate.getBytes(StandardCharsets.US_ASCII)))).getPublicKey();
    }

    /** Makes text of character data sections: base64 is read up to one only. */
    private static void asText(Node node) {
        for (Node child = node.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child.getNodeType() == Node.CDATA_SECTION_NODE) {
                Node text = node.getOwnerDocument().createTextNode(child.getNodeValue());
                node.replaceChild(text, child);
                child = text;
            }
            asText(child);
        }
    }

    /** Takes out what stands between the padding of base64, which is not read either. */
    private static void withoutSpace(Node value) {
        Node text = value.getFirstChild();
        if (text != null && text.getNodeType() == Node.TEXT_NODE) {
            text.setNodeValue(text.getNodeValue().replaceAll("[ \\t\\r\\n]", ""));
        }
    }

    private static String fault(Document doc, XMLSignatureFactory factory, PublicKey key) throws Exception {
        asText(doc.getDocumentElement());
        doc.getDocumentElement().normalize();
        for (String name : new String[] {"SignatureValue", "X509Certificate"}) {
            NodeList values = doc.getElementsByTagNameNS(XMLSignature.XMLNS, name);
            for (int i = 0; i < values.getLength(); i++) {
                withoutSpace(values.item(i));
            }
        }
        NodeList found = doc.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        if (found.getLength() == 0) {
            return "no signature";
        }
        DOMValidateContext context = new DOMValidateContext(KeySelector.singletonKeySelector(key), found.item(0));
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
        if (!doc.getDocumentElement().getAttribute("Id").isEmpty()) {
            context.setIdAttributeNS(doc.getDocumentElement(), null, "Id");
        }
        NodeList properties = doc.getElementsByTagNameNS(XADES, "SignedProperties");
        for (int i = 0; i < properties.getLength(); i++) {
            if (((Element) properties.item(i)).hasAttribute("Id")) {
                context.setIdAttributeNS((Element) properties.item(i), null, "Id");
            }
        }
        return factory.unmarshalXMLSignature(context).validate(context) ? "" : "it does not verify";
    }
}
