import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Signs documents as software on the JDK does. Arguments, in groups of seven:
 * input, local name of the element that gets the signature, PKCS #8 key in DER,
 * "RSA" or "EC", certificate, signature method, output.
 */
public class SignXML {
    public static void main(String[] args) throws Exception {
        for (int i = 0; i + 7 <= args.length; i += 7) {
            sign(args[i], args[i + 1], args[i + 2], args[i + 3], args[i + 4], args[i + 5], args[i + 6]);
        }
    }

    static void sign(String in, String place, String key, String type, String cert, String method, String out) throws Exception {
        DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
        parsers.setNamespaceAware(true);
        Document document = parsers.newDocumentBuilder().parse(new File(in));
        Element parent = (Element) document.getElementsByTagNameNS("*", place).item(0);

        PrivateKey signer = KeyFactory.getInstance(type).generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(key))));
        X509Certificate certificate;
        try (var stream = Files.newInputStream(Path.of(cert))) {
            certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(stream);
        }

        XMLSignatureFactory signatures = XMLSignatureFactory.getInstance("DOM");
        List<Transform> transforms = new ArrayList<>();
        transforms.add(signatures.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
        transforms.add(signatures.newTransform(CanonicalizationMethod.EXCLUSIVE, (TransformParameterSpec) null));
        Reference reference = signatures.newReference("", signatures.newDigestMethod(DigestMethod.SHA256, null), transforms, null, null);
        SignedInfo info = signatures.newSignedInfo(
            signatures.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
            signatures.newSignatureMethod(method, null), List.of(reference));
        KeyInfoFactory keys = signatures.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        signatures.newXMLSignature(info, keyInfo).sign(new DOMSignContext(signer, parent));

        try (FileOutputStream stream = new FileOutputStream(out)) {
            TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(stream));
        }
    }
}
