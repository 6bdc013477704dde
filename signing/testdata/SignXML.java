import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.List;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.ExcC14NParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Signs documents as software on the JDK does. Each line of the file named has
 * the fields of one, with tabs between them: input, local name of the element that
 * gets the signature last, PKCS #8 key in DER, kind of key for KeyFactory,
 * certificate, signature method, canonicalization method, prefixes for it, transform
 * that canonicalizes, prefixes for it, digest method, output. Prefixes stand with
 * spaces between them; "-" is none. Prints "cannot", the output and why for those
 * whose algorithm this JDK does not have.
 *
 *     java SignXML.java JOBS
 */
public class SignXML {
    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            String[] job = line.split("\t");
            try {
                sign(job);
            } catch (java.security.NoSuchAlgorithmException e) {
                System.out.println("cannot " + job[11] + ": " + e.getMessage());
            }
        }
    }

    static void sign(String[] job) throws Exception {
        DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
        parsers.setNamespaceAware(true);
        Document document = parsers.newDocumentBuilder().parse(new File(job[0]));
        Element parent = (Element) document.getElementsByTagNameNS("*", job[1]).item(0);

        PrivateKey signer = KeyFactory.getInstance(job[3]).generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(job[2]))));
        X509Certificate certificate;
        try (var stream = Files.newInputStream(Path.of(job[4]))) {
            certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(stream);
        }

        XMLSignatureFactory signatures = XMLSignatureFactory.getInstance("DOM");
        List<Transform> transforms = List.of(
            signatures.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null),
            signatures.newTransform(job[8], (TransformParameterSpec) prefixes(job[9])));
        Reference reference = signatures.newReference("", signatures.newDigestMethod(job[10], null), transforms, null, null);
        SignedInfo info = signatures.newSignedInfo(signatures.newCanonicalizationMethod(job[6], (C14NMethodParameterSpec) prefixes(job[7])),
            signatures.newSignatureMethod(job[5], null), List.of(reference));
        KeyInfoFactory keys = signatures.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        signatures.newXMLSignature(info, keyInfo).sign(new DOMSignContext(signer, parent));

        try (FileOutputStream stream = new FileOutputStream(job[11])) {
            TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(stream));
        }
    }

    static ExcC14NParameterSpec prefixes(String list) {
        return list.equals("-") ? null : new ExcC14NParameterSpec(Arrays.asList(list.split(" ")));
    }
}
