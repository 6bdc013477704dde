import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * A document goes from one agency to another and its statuses come back, by a
 * client that knows the protocols' description and nothing of the hub. It needs
 * the JDK only:
 *
 *   java Flow.java axis|provincial URL CA.pem SENDER SYSTEM SECRET RECIPIENT SYSTEM SECRET
 *
 * It prints "flow done" and ends with 0, or says what was not as described.
 */
public class Flow {
    static final String NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016";
    static final ZoneId VIETNAM = ZoneId.of("Asia/Ho_Chi_Minh");

    /** What both protocols can do, for one agency. */
    interface Face {
        String send(String kind, String from, List<String> to, byte[] edxml) throws Exception;
        List<Map<String, Object>> received(String kind, boolean week) throws Exception;
        byte[] get(String docId) throws Exception;
        void mark(String docId, String status) throws Exception;
        List<String> agencies() throws Exception;
    }

    public static void main(String[] a) throws Exception {
        HttpClient http = HttpClient.newBuilder().sslContext(trusting(Path.of(a[2]))).connectTimeout(Duration.ofSeconds(20)).build();
        String sender = a[3], recipient = a[6];
        Face from = face(a[0], http, a[1], a[4], a[5]);
        Face to = face(a[0], http, a[1], a[7], a[8]);

        check(from.agencies().contains(sender) && from.agencies().contains(recipient), "the directory lacks an agency");
        check(to.received("edoc", false).isEmpty(), "the recipient has documents before any was sent");

        // A run has its own number, so that a second one does not repeat the first.
        String number = String.valueOf(System.nanoTime() % 1_000_000_000L) + "/STC-NS";
        String date = now("yyyy/MM/dd"), id = sender + "," + date + "," + number;
        byte[] document = document(sender, recipient, id, number, date);
        String sent = from.send("edoc", sender, List.of(recipient), document);
        check(from.send("edoc", sender, List.of(recipient), document).equals(sent), "sending the same again gave another DocId");

        Map<String, Object> item = only(to.received("edoc", false));
        check(sender.equals(item.get("from")) && recipient.equals(item.get("to")), "from or to: " + item);
        String received = (String) item.get("docId");
        check(UUID.fromString(received) != null && !received.equals(sent), "docId of the recipient: " + received);
        check(Arrays.equals(to.get(received), document), "the document came with other bytes");
        to.mark(received, "done");
        to.mark(received, "done");
        check(to.received("edoc", false).isEmpty(), "a document that was done is still listed");
        check(to.received("edoc", true).stream().anyMatch(one -> received.equals(one.get("docId"))), "a list of the last week lacks what was done");
        check(Arrays.equals(to.get(received), document), "getting it again after done gave other bytes");

        for (String code : List.of("01", "03", "06")) {
            to.send("status", recipient, List.of(sender), status(recipient, sender, id, number, date, code));
        }
        List<String> codes = new ArrayList<>();
        for (Map<String, Object> s : from.received("status", false)) {
            String docId = (String) s.get("docId");
            Document d = parse(from.get(docId));
            check(id.equals(text(d, "DocumentId")), "a status about another document");
            codes.add(text(d, "StatusCode"));
            from.mark(docId, "done");
        }
        codes.sort(null);
        check(codes.equals(List.of("01", "03", "06")), "statuses that came back: " + codes);
        check(from.received("status", false).isEmpty(), "a status that was done is still listed");
        System.out.println("flow done " + sent);
    }

    static Face face(String name, HttpClient http, String url, String system, String secret) throws Exception {
        return name.equals("axis") ? new Axis(http, url, system, secret) : new Provincial(http, url, system, secret);
    }

    /** The national axis protocol: parameters in headers, signed by HMAC. */
    record Axis(HttpClient http, String url, String system, String secret) implements Face {
        public String send(String kind, String from, List<String> to, byte[] edxml) throws Exception {
            Map<String, String> p = new LinkedHashMap<>();
            p.put("servicetype", "eDoc");
            p.put("messagetype", kind);
            p.put("hash-file", hash(edxml));
            p.put("from", from);
            if (kind.equals("edoc")) {
                p.put("to", "[\"" + String.join("\",\"", to) + "\"]");
            }
            byte[] body = Arrays.copyOf(edxml, edxml.length + 2);
            body[edxml.length] = '\r';
            body[edxml.length + 1] = '\n';
            return (String) call("/sendEdoc", p, "application/octet-stream", body).get("DocId");
        }

        public List<Map<String, Object>> received(String kind, boolean week) throws Exception {
            Map<String, String> p = new LinkedHashMap<>();
            p.put("servicetype", "eDoc");
            p.put("messagetype", kind);
            if (week) {
                p.put("fromDate", day(-7));
                p.put("toDate", day(0));
            }
            return list(call("/getReceivedEdocList", p, "application/json", new byte[0]).get("data"));
        }

        public byte[] get(String docId) throws Exception {
            Map<String, String> p = new LinkedHashMap<>();
            p.put("docId", docId);
            p.put("filePath", "/var/lib/dms");
            return Base64.getDecoder().decode((String) call("/getEdoc", p, "application/json", "{}".getBytes()).get("data"));
        }

        public void mark(String docId, String status) throws Exception {
            Map<String, String> p = new LinkedHashMap<>();
            p.put("docid", docId);
            p.put("status", status);
            call("/updateStatus", p, "application/json", "{}".getBytes());
        }

        public List<String> agencies() throws Exception {
            List<String> codes = new ArrayList<>();
            for (Map<String, Object> one : list(call("/getAgenciesList", new LinkedHashMap<>(), "application/json", new byte[0]).get("data"))) {
                codes.add((String) one.get("code"));
            }
            return codes;
        }

        Map<String, Object> call(String path, Map<String, String> parameters, String type, byte[] body) throws Exception {
            Map<String, String> p = new LinkedHashMap<>();
            p.put("systemid", system);
            p.putAll(parameters);
            p.put("timestamp", now("ddMMyyyy'T'HHmmss+SSSS"));
            p.put("Content-Type", type);
            StringBuilder signed = new StringBuilder("{");
            HttpRequest.Builder r = HttpRequest.newBuilder(URI.create(url + path)).version(HttpClient.Version.HTTP_1_1)
                .timeout(Duration.ofSeconds(60)).header("Content-Type", type).header("XroadVnpt-version", "3.0.201608");
            for (Map.Entry<String, String> e : p.entrySet()) {
                r.header("XroadVnpt-" + e.getKey(), e.getValue());
                signed.append(signed.length() > 1 ? "," : "").append("\"XroadVnpt-").append(e.getKey()).append("\":\"")
                    .append(e.getValue().replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
            }
            String header = signed.append('}').toString();
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            r.header("XroadVnpt-sign-header-key", String.join(";", p.keySet())).header("XroadVnpt-sign-header", header)
                .header("XroadVnpt-hash-header", hex(mac.doFinal(header.getBytes(StandardCharsets.UTF_8)), true));
            HttpResponse<String> reply = http.send(r.POST(BodyPublishers.ofByteArray(body)).build(), BodyHandlers.ofString());
            Map<String, Object> json = object(reply.body());
            check("OK".equals(json.get("status")) && "0".equals(json.get("ErrorCode")) && json.get("ErrorDesc") instanceof String,
                path + " answered " + reply.statusCode() + " " + reply.body());
            return json;
        }
    }

    /** The provincial protocol: a token, and the system's identifier and secret beside it. */
    static class Provincial implements Face {
        final HttpClient http;
        final String url, system, secret, token;

        Provincial(HttpClient http, String url, String system, String secret) throws Exception {
            this.http = http;
            this.url = url;
            this.system = system;
            this.secret = secret;
            String login = "{\"username\":\"" + system + "\",\"password\":\"" + secret
                + "\",\"applicationCode\":\"dms\",\"otp\":null,\"twoFactorProvider\":null,\"typeObjs\":[0,1]}";
            HttpResponse<String> reply = http.send(HttpRequest.newBuilder(URI.create(url + "/v1/auth/login?allow_anonymous=true"))
                .header("Content-Type", "application/json").POST(BodyPublishers.ofString(login)).build(), BodyHandlers.ofString());
            check(reply.statusCode() == 200, "login answered " + reply.statusCode() + " " + reply.body());
            token = (String) map(object(reply.body()).get("data")).get("token");
        }

        public String send(String kind, String from, List<String> to, byte[] edxml) throws Exception {
            String boundary = "b" + UUID.randomUUID();
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            body.write(("--" + boundary + "\r\nContent-Disposition: form-data; name=\"messageType\"\r\n\r\n" + kind + "\r\n--" + boundary
                + "\r\nContent-Disposition: form-data; name=\"edocFile\"; filename=\"vb.edxml\"\r\nContent-Type: application/xml\r\n\r\n").getBytes());
            body.write(edxml);
            body.write(("\r\n--" + boundary + "--\r\n").getBytes());
            Map<String, Object> json = call(request("/v1/sendEdoc").header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(BodyPublishers.ofByteArray(body.toByteArray())));
            Object docId = json.get("docId") != null ? json.get("docId") : map(json.get("data")).get("docId");
            return (String) docId;
        }

        public List<Map<String, Object>> received(String kind, boolean week) throws Exception {
            String dates = week ? "&fromDate=" + day(-7) + "&toDate=" + day(0) : "";
            return list(call(request("/v1/syncReceivedEdocList?messageType=" + kind + dates).GET()).get("data"));
        }

        public byte[] get(String docId) throws Exception {
            return Base64.getDecoder().decode((String) map(call(request("/v1/getEdoc?docId=" + docId).GET()).get("data")).get("edxml"));
        }

        public void mark(String docId, String status) throws Exception {
            call(request("/v1/updateStatus").header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString("{\"docId\":\"" + docId + "\",\"status\":\"" + status + "\"}")));
        }

        public List<String> agencies() throws Exception {
            HttpResponse<String> reply = http.send(request("/v1/getAgenciesList").GET().build(), BodyHandlers.ofString());
            Object json = new Json(reply.body()).value();
            List<String> codes = new ArrayList<>();
            for (Map<String, Object> one : list(json instanceof List ? json : map(json).get("data"))) {
                codes.add((String) one.get("orgCode"));
            }
            return codes;
        }

        HttpRequest.Builder request(String path) {
            return HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(60))
                .header("Authorization", "Bearer " + token).header("X-SystemId", system).header("X-SecretKey", secret);
        }

        Map<String, Object> call(HttpRequest.Builder r) throws Exception {
            HttpResponse<String> reply = http.send(r.build(), BodyHandlers.ofString());
            check(reply.statusCode() / 100 == 2, r.build().uri() + " answered " + reply.statusCode() + " " + reply.body());
            Map<String, Object> json = object(reply.body());
            check(!Boolean.FALSE.equals(json.get("success")), r.build().uri() + " answered " + reply.body());
            return json;
        }
    }

    // ---- packages, as EdXML102 writes them

    static byte[] document(String from, String to, String id, String number, String date) throws Exception {
        byte[] pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n".getBytes();
        ByteArrayOutputStream zip = new ByteArrayOutputStream();
        try (ZipOutputStream z = new ZipOutputStream(zip)) {
            z.putNextEntry(new ZipEntry("d41d8cd9.tmp"));
            z.write("mục,số tiền\nA,100\n".getBytes(StandardCharsets.UTF_8));
        }
        String[] parts = number.split("/", 2);
        return lines("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<edXML xmlns=\"" + NS + "\">", "<edXML:edXMLEnvelope xmlns:edXML=\"" + NS + "\">",
            "<edXML:edXMLHeader>", "<edXML:MessageHeader>", organ("From", from), organ("To", to), element("DocumentId", id),
            "<edXML:Code>" + element("CodeNumber", parts[0]) + element("CodeNotation", parts[1]) + "</edXML:Code>",
            "<edXML:PromulgationInfo>" + element("Place", "Cà Mau") + element("PromulgationDate", date) + "</edXML:PromulgationInfo>",
            "<edXML:DocumentType>" + element("Type", "2") + element("TypeDetail", "18") + element("TypeName", "Công văn") + "</edXML:DocumentType>",
            element("Subject", "V/v phân bổ kinh phí quý IV"), element("Content", "V/v phân bổ kinh phí quý IV"),
            "<edXML:SignerInfo>" + element("FullName", "Nguyễn Văn A") + "</edXML:SignerInfo>", "</edXML:MessageHeader>",
            "<edXML:TraceHeaderList id=\"" + UUID.randomUUID() + "\" version=\"1.0\">",
            "<edXML:Bussiness>" + element("BussinessDocType", "0") + element("Paper", "0") + "</edXML:Bussiness>",
            "<edXML:TraceHeader>" + element("OrganId", from) + element("Timestamp", now("yyyy/MM/dd HH:mm:ss")) + "</edXML:TraceHeader>",
            "</edXML:TraceHeaderList>", "</edXML:edXMLHeader>", "<edXML:edXMLBody>", "<edXML:edXMLManifest version=\"1.0\">",
            reference("1", "cv.pdf"), reference("2", "phu-luc.csv"), "</edXML:edXMLManifest>", "</edXML:edXMLBody>", "</edXML:edXMLEnvelope>",
            "<AttachmentEncoded>", attachment("1", "cv.pdf", "application/pdf", pdf), attachment("2", "phu-luc.csv", "application/zip", zip.toByteArray()),
            "</AttachmentEncoded>", "</edXML>");
    }

    static byte[] status(String from, String to, String id, String number, String date, String code) {
        return lines("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<edXML xmlns=\"" + NS + "\">", "<edXML:edXMLEnvelope xmlns:edXML=\"" + NS + "\">",
            "<edXML:edXMLHeader>", "<edXML:MessageHeader>", organ("From", from),
            "<edXML:ResponseFor>" + element("OrganId", to) + element("Code", number) + element("DocumentId", id) + element("PromulgationDate", date) + "</edXML:ResponseFor>",
            element("StatusCode", code), element("Description", "Văn thư"), element("Timestamp", now("yyyy/MM/dd HH:mm:ss")),
            "</edXML:MessageHeader>", "</edXML:edXMLHeader>", "</edXML:edXMLEnvelope>", "</edXML>");
    }

    static byte[] lines(String... lines) {
        return (String.join("\r\n", lines) + "\r\n").getBytes(StandardCharsets.UTF_8);
    }

    static String element(String name, String text) {
        return "<edXML:" + name + ">" + text.replace("&", "&amp;").replace("<", "&lt;") + "</edXML:" + name + ">";
    }

    static String organ(String name, String code) {
        return "<edXML:" + name + ">" + element("OrganId", code) + element("OrganName", "Cơ quan " + code) + "</edXML:" + name + ">";
    }

    static String reference(String id, String name) {
        return "<edXML:Reference>" + element("ContentId", "cid:" + id) + element("ContentType", "application/zip") + element("AttachmentName", name) + "</edXML:Reference>";
    }

    static String attachment(String id, String name, String type, byte[] content) {
        return "<Attachment><ContentId>cid:" + id + "</ContentId><ContentType>" + type + "</ContentType><AttachmentName>" + name
            + "</AttachmentName><edXML:ContentTransferEncoded xmlns:edXML=\"" + NS + "\">" + Base64.getMimeEncoder().encodeToString(content)
            + "</edXML:ContentTransferEncoded></Attachment>";
    }

    static Document parse(byte[] xml) throws Exception {
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        f.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        return f.newDocumentBuilder().parse(new ByteArrayInputStream(xml));
    }

    static String text(Document d, String name) {
        return ((Element) d.getElementsByTagNameNS(NS, name).item(0)).getTextContent();
    }

    // ---- small things

    /** SHA-256 as the axis's SDK writes it: bytes below 0x10 with one digit. */
    static String hash(byte[] file) throws Exception {
        return hex(MessageDigest.getInstance("SHA-256").digest(file), false);
    }

    static String hex(byte[] b, boolean two) {
        StringBuilder s = new StringBuilder();
        for (byte one : b) {
            s.append(two ? String.format("%02x", one) : Integer.toHexString(one & 0xff));
        }
        return s.toString();
    }

    static String now(String form) {
        return LocalDateTime.now(VIETNAM).format(DateTimeFormatter.ofPattern(form));
    }

    static String day(int after) {
        return LocalDateTime.now(VIETNAM).plusDays(after).format(DateTimeFormatter.ofPattern("yyyy/MM/dd"));
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            System.err.println(what);
            System.exit(1);
        }
    }

    static Map<String, Object> only(List<Map<String, Object>> list) {
        check(list.size() == 1, "one entry was to be listed: " + list);
        return list.get(0);
    }

    static SSLContext trusting(Path pem) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = Files.newInputStream(pem)) {
            store.setCertificateEntry("hub", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory t = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        t.init(store);
        SSLContext c = SSLContext.getInstance("TLS");
        c.init(null, t.getTrustManagers(), null);
        return c;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> map(Object o) {
        check(o instanceof Map, "an object of JSON was to come: " + o);
        return (Map<String, Object>) o;
    }

    static Map<String, Object> object(String json) {
        return map(new Json(json).value());
    }

    static List<Map<String, Object>> list(Object o) {
        check(o instanceof List, "a list of JSON was to come: " + o);
        List<Map<String, Object>> all = new ArrayList<>();
        for (Object one : (List<?>) o) {
            Map<String, Object> entry = map(one);
            // One null hides the whole list from software of the axis.
            check(!entry.containsValue(null), "a null in a list: " + entry);
            all.add(entry);
        }
        return all;
    }

    /** JSON (RFC 8259), as much as replies need; the JDK has no reader of it. */
    static class Json {
        final String s;
        int at;

        Json(String s) {
            this.s = s;
        }

        Object value() {
            space();
            char c = s.charAt(at);
            if (c == '{') {
                return members();
            }
            if (c == '[') {
                return entries();
            }
            if (c == '"') {
                return string();
            }
            int begin = at;
            while (at < s.length() && ",]} \r\n\t".indexOf(s.charAt(at)) < 0) {
                at++;
            }
            String word = s.substring(begin, at);
            return switch (word) {
                case "null" -> null;
                case "true" -> Boolean.TRUE;
                case "false" -> Boolean.FALSE;
                default -> Double.valueOf(word);
            };
        }

        Map<String, Object> members() {
            Map<String, Object> m = new LinkedHashMap<>();
            at++;
            for (space(); s.charAt(at) != '}'; space()) {
                if (s.charAt(at) == ',') {
                    at++;
                    space();
                }
                String name = string();
                space();
                check(s.charAt(at++) == ':', "JSON without a colon at " + at + ": " + s);
                m.put(name, value());
            }
            at++;
            return m;
        }

        List<Object> entries() {
            List<Object> l = new ArrayList<>();
            at++;
            for (space(); s.charAt(at) != ']'; space()) {
                if (s.charAt(at) == ',') {
                    at++;
                }
                l.add(value());
            }
            at++;
            return l;
        }

        String string() {
            StringBuilder b = new StringBuilder();
            check(s.charAt(at++) == '"', "JSON without a quotation mark at " + at + ": " + s);
            while (s.charAt(at) != '"') {
                char c = s.charAt(at++);
                if (c != '\\') {
                    b.append(c);
                    continue;
                }
                c = s.charAt(at++);
                switch (c) {
                    case 'n' -> b.append('\n');
                    case 'r' -> b.append('\r');
                    case 't' -> b.append('\t');
                    case 'b' -> b.append('\b');
                    case 'f' -> b.append('\f');
                    case 'u' -> {
                        b.append((char) Integer.parseInt(s.substring(at, at + 4), 16));
                        at += 4;
                    }
                    default -> b.append(c);
                }
            }
            at++;
            return b.toString();
        }

        void space() {
            while (at < s.length() && " \r\n\t".indexOf(s.charAt(at)) >= 0) {
                at++;
            }
        }
    }
}
