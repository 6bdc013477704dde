import com.sun.management.OperatingSystemMXBean;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.security.Key;
import java.security.cert.X509Certificate;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.X509Data;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;

/**
 * Verifies with the JDK the signature in a file, many times. Prints the CPU time
 * of one verification in nanoseconds, of all threads, after as many to warm up.
 *
 *     java CompareXML.java FILE WARM MEASURED
 */
public final class CompareXML {
    public static void main(String[] args) throws Exception {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
            verify(args[0]);
        }
        int measured = Integer.parseInt(args[2]);
        long before = system.getProcessCpuTime();
        for (int i = 0; i < measured; i++) {
            verify(args[0]);
        }
        System.out.println((system.getProcessCpuTime() - before) / Math.max(measured, 1));
    }

    private static void verify(String file) throws Exception {
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        f.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Document doc = f.newDocumentBuilder().parse(new File(file));
        DOMValidateContext context = new DOMValidateContext(firstCertificate(), doc.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0));
        if (!XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context).validate(context)) {
            throw new IllegalStateException("the signature does not hold");
        }
    }

    private static KeySelector firstCertificate() {
        return new KeySelector() {
            @Override
            public javax.xml.crypto.KeySelectorResult select(javax.xml.crypto.dsig.keyinfo.KeyInfo info, Purpose purpose,
                    javax.xml.crypto.AlgorithmMethod method, javax.xml.crypto.XMLCryptoContext context) {
                for (Object data : info.getContent()) {
                    for (Object o : ((X509Data) data).getContent()) {
                        if (o instanceof X509Certificate) {
                            Key key = ((X509Certificate) o).getPublicKey();
                            return () -> key;
                        }
                    }
                }
                throw new IllegalStateException("KeyInfo holds no certificate");
            }
        };
    }
}
