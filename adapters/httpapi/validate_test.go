package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/exchange"
)

// validated is what the hub finds.
func (w *world) validated(as string, doc []byte) exchange.Verdict {
	w.t.Helper()
	var v exchange.Verdict
	w.want(http.StatusOK, w.xml(as, "/v1/validate", doc)).into(w.t, &v)
	return v
}

// refusing are the rules of a verdict that refuse.
func refusing(v exchange.Verdict) (rules []string) {
	for _, f := range v.Findings {
		if f.Severity == exchange.SeverityRefused {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// TestValidatorSaysWhatSubmittingDoes: each package is validated first, and then
// submitted by the same system.
func TestValidatorSaysWhatSubmittingDoes(t *testing.T) {
	w := newWorld(t, httpapi.Limits{})
	to := func(codes ...string) func(*edxml.Document) {
		return func(d *edxml.Document) {
			d.To = nil
			for _, code := range codes {
				d.To = append(d.To, edxml.Organ{Code: code})
			}
		}
	}
	first := w.signed()
	again := w.document(func(d *edxml.Document) { d.ID = "doc-1" })
	tests := []struct {
		name, as string
		doc      []byte
		rules    []string // that refuse it, all of them
	}{
		{"good", "he-thong-01", first, nil},
		{"submitted before", "he-thong-01", first, nil},
		{"the first of its identifier", "he-thong-01", w.sign(again, "H12.01"), nil},
		{"an identifier used before, and a recipient nobody knows", "he-thong-01", w.sign(w.document(func(d *edxml.Document) {
			d.ID = "doc-1"
			to("H12.99")(d)
		}), "H12.01"), []string{"unknown-recipient", "duplicate-document"}},
		{"not signed", "he-thong-01", w.document(nil), []string{"signature-required"}},
		{"not signed, and need not be", "he-thong-20", w.document(func(d *edxml.Document) { d.From.Code = "H12.20" }), nil},
		{"three recipients, two of whom are wrong", "he-thong-01", w.sign(w.document(to("H12.98", "H12.07", "H12.05")), "H12.01"), []string{"unknown-recipient", "closed-agency"}},
		{"another's certificate", "he-thong-01", w.sign(w.document(nil), "H12.07"), []string{"signer-not-sender"}},
		{"a certificate nobody registered", "he-thong-01", w.sign(w.document(nil), "client"), []string{"certificate-not-registered"}},
		{"an expired certificate", "he-thong-01", w.sign(w.document(nil), "expired"), []string{"certificate-expired"}},
		{"by a system of another agency", "he-thong-07", w.signed(), []string{"system-not-for-agency"}},
		{"a sender nobody knows, to an agency nobody knows", "he-thong-01", w.sign(w.document(func(d *edxml.Document) {
			d.From.Code = "H12.97"
			to("H12.99")(d)
		}), "H12.01"), []string{"unknown-sender", "unknown-recipient"}},
		{"a recall of nothing", "he-thong-01", w.sign(w.document(func(d *edxml.Document) {
			d.Kind, d.Target, d.Reason = exchange.KindRecall, "nothing", "x"
		}), "H12.01"), []string{"unknown-target"}},
		{"a form that is wrong, and a recipient nobody knows", "he-thong-01", bytes.Replace(w.document(to("H12.99")), []byte("<edXML:Priority>0"), []byte("<edXML:Priority>7"), 1),
			[]string{"priority", "signature-required", "unknown-recipient"}},
		{"changed after it was signed", "he-thong-01", bytes.Replace(w.signed(), []byte("V/v thử"), []byte("V/v đổi"), 1), []string{"digest-mismatch"}},
		{"a status to nobody", "he-thong-01", w.sign(w.document(func(d *edxml.Document) {
			*d = edxml.Document{Kind: exchange.KindStatus, From: d.From, Sent: d.Sent, Status: edxml.Status{Code: "03", To: "H12.96", ID: "x"}}
		}), "H12.01"), []string{"unknown-recipient"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, files := w.stored()
			v := w.validated(test.as, test.doc)
			if got := refusing(v); !slices.Equal(got, test.rules) || v.OK != (len(test.rules) == 0) || !v.Registry {
				t.Errorf("found %v, want %v; ok %v", got, test.rules, v.OK)
			}
			if packages, now := w.stored(); packages != before || now != files {
				t.Errorf("validating leaves %d packages and %d files, there were %d and %d", packages, now, before, files)
			}
			a := w.xml(test.as, "/v1/packages", test.doc)
			if a.StatusCode < 300 != v.OK {
				t.Fatalf("validated as %v, submitted with %d: %s", v.OK, a.StatusCode, a.body)
			}
			if p := a; !v.OK && p.problem(t).Rule != test.rules[0] {
				t.Errorf("submitting is refused by %s, the validator's first is %s", p.problem(t).Rule, test.rules[0])
			}
		})
	}
	// A person hears the same as the sender's own system.
	if got := refusing(w.validated("user:chi", w.sign(w.document(to("H12.99")), "H12.01"))); !slices.Equal(got, []string{"unknown-recipient"}) {
		t.Errorf("an auditor is told %v", got)
	}
}

// TestValidatingKeepsNothing: neither bytes, nor records, nor leaves of the log.
func TestValidatingKeepsNothing(t *testing.T) {
	w := newWorldOf(&world{t: t, sandbox: true}, httpapi.Limits{Sample: 3 << 20})
	leaves := w.want(http.StatusOK, w.get("", "/v1/log/checkpoint")).body
	large := w.sign(w.document(func(d *edxml.Document) {
		d.Attachments[0].Open = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(make([]byte, 2<<20))), nil
		}
	}), "H12.01")
	for _, doc := range [][]byte{w.signed(), large, []byte("no XML"), w.document(nil)} {
		for _, as := range []string{"", "he-thong-01", "user:an"} {
			v := w.validated(as, doc)
			if v.Registry != (as != "") && v.Sender != "" {
				t.Errorf("%q: the registry was asked: %v", as, v.Registry)
			}
		}
	}
	w.nothingStored()
	if now := w.want(http.StatusOK, w.get("", "/v1/log/checkpoint")).body; !bytes.Equal(bytes.SplitN(now, []byte("\n"), 4)[1], bytes.SplitN(leaves, []byte("\n"), 4)[1]) {
		t.Errorf("the log grew: %s", now)
	}
}

// validation is the validator's part of the whole interface.
func (w *world) validation(t *testing.T) {
	if v := w.validated("he-thong-01", w.signed()); !v.OK || !v.Signed || v.Signer == "" {
		t.Errorf("a good package: %+v", v)
	}
	w.want(http.StatusOK, w.get("user:chi", "/validate"))
	w.want(http.StatusOK, w.sendForm("user:chi", "/validate", "package", "a.edxml", w.signed()))
	w.want(http.StatusOK, w.get("", "/rules?lang=en"))
}

// TestThePublicValidates within its limits, and where that is allowed only.
func TestThePublicValidates(t *testing.T) {
	closed := newWorld(t, httpapi.Limits{})
	for _, path := range []string{"/validate"} {
		closed.want(http.StatusUnauthorized, closed.get("", path))
		closed.want(http.StatusOK, closed.get("he-thong-01", path))
	}
	closed.want(http.StatusUnauthorized, closed.xml("", "/v1/validate", closed.signed()))
	closed.want(http.StatusOK, closed.get("", "/rules"))

	w := newWorldOf(&world{t: t, sandbox: true}, httpapi.Limits{Sample: 64 << 10})
	v := w.validated("", w.sign(w.document(func(d *edxml.Document) { d.To[0].Code = "H12.99" }), "H12.01"))
	if !v.OK || v.Registry { // who is registered is not for everyone
		t.Errorf("the public is told %+v", v)
	}
	w.want(http.StatusUnauthorized, w.do(request{method: http.MethodPost, path: "/v1/validate", body: bytes.NewReader(w.signed()),
		header: map[string]string{"Content-Type": "application/xml", "Authorization": basic("he-thong-01", "wrong")}}))
	if p := w.want(http.StatusRequestEntityTooLarge, w.xml("", "/v1/validate", make([]byte, 65<<10))).problem(t); p.Rule != "body-too-large" {
		t.Errorf("too much: %+v", p)
	}
	w.want(http.StatusOK, w.xml("he-thong-01", "/v1/validate", make([]byte, 65<<10)))
	often := 0
	for range 15 {
		if w.xml("", "/v1/validate", []byte("x")).StatusCode == http.StatusTooManyRequests {
			often++
		}
	}
	if often < 3 {
		t.Errorf("%d of 15 at once were too often", often)
	}
	w.want(http.StatusOK, w.xml("he-thong-01", "/v1/validate", []byte("x")))
}

// form is a form's body with a file, as browsers send it.
func form(t *testing.T, field, name string, file []byte) (body *bytes.Buffer, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part := must[io.Writer](t)(m.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/xml"},
		"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, field, name)}}))
	must[int](t)(part.Write(file))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, m.FormDataContentType()
}

func (w *world) sendForm(as, path, field, name string, file []byte) answer {
	w.t.Helper()
	body, kind := form(w.t, field, name, file)
	return w.do(request{method: http.MethodPost, path: path, as: as, body: body, header: map[string]string{"Content-Type": kind}})
}

func TestPages(t *testing.T) {
	w := newWorldOf(&world{t: t, sandbox: true}, httpapi.Limits{Sample: 64 << 10})
	has := func(a answer, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(string(a.body), text) {
				t.Errorf("%s has no %q:\n%s", a.Request.URL, text, a.body)
			}
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
			t.Errorf("the policy is %s", csp)
		}
	}
	has(w.want(http.StatusOK, w.get("", "/validate")), `lang="vi"`, "Kiểm tra gói tin", `<label for="package">`, "Trục thử")
	has(w.want(http.StatusOK, w.get("", "/validate?lang=en")), `lang="en"`, "Validate a package")
	w.want(http.StatusBadRequest, w.get("", "/validate?x=1"))

	bad := bytes.Replace(w.document(nil), []byte("<edXML:Priority>0"), []byte("<edXML:Priority><![CDATA[<script>alert(1)</script>]]>"), 1)
	has(w.want(http.StatusOK, w.sendForm("", "/validate", "package", "<b>.edxml", bad)), "&lt;b&gt;.edxml", "bị từ chối", "priority", "&lt;script&gt;alert(1)", "không đối chiếu", `<caption id="findings">`)
	has(w.want(http.StatusOK, w.sendForm("he-thong-01", "/validate?lang=en", "package", "a.edxml", w.signed())), "would be accepted", "Nothing is wrong")
	has(w.want(http.StatusOK, w.sendForm("", "/validate", "package", "", nil)), "Chưa có tệp nào")
	has(w.want(http.StatusBadRequest, w.do(request{method: http.MethodPost, path: "/validate", body: strings.NewReader("--x\r\nno form"), header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}})), "không đọc được biểu mẫu")
	w.want(http.StatusUnsupportedMediaType, w.xml("", "/validate", w.signed()))
	w.want(http.StatusRequestEntityTooLarge, w.sendForm("", "/validate", "package", "a.edxml", make([]byte, 65<<10)))
	w.nothingStored()

	rules := w.want(http.StatusOK, w.get("", "/rules"))
	has(rules, `<h3 id="date-form">`, "23/11/2026", `<h3 id="unknown-recipient">`)
	if strings.Contains(string(rules.body), "%!") || strings.Contains(string(rules.body), "%q") {
		t.Error("the rules' words show where arguments go")
	}
	has(rules, "<summary>replace</summary>", "&lt;edXML:ReplacementInfoList&gt;")
	for _, r := range w.x.Rules() {
		if strings.Count(string(rules.body), `id="`+r.Rule.Name+`"`) != 1 {
			t.Errorf("the page has not one entry of %s", r.Rule.Name)
		}
	}
}
