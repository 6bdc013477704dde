package httpapi_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/exchange"
)

// vietnamese is a letter that only Vietnamese words have here.
var vietnamese = regexp.MustCompile(`[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]`)

// A refused is a request that must be refused, and how.
type refused struct {
	name    string
	as      string // he-thong-01 when empty
	body    []byte
	header  map[string]string
	status  int
	code    exchange.Code
	rule    string
	path    string // how it ends
	line    bool   // that one is given
	receipt bool   // a SubmissionRejection attests to it
}

func TestPackagesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Package: 1 << 20})
	signed := w.signed()
	to := func(codes ...string) []byte {
		return w.sign(w.document(func(d *edxml.Document) {
			d.To = nil
			for _, c := range codes {
				d.To = append(d.To, edxml.Organ{Code: c, Name: "Nơi nhận"})
			}
		}), "H12.01")
	}
	from := func(code, key string) []byte {
		return w.sign(w.document(func(d *edxml.Document) { d.From.Code = code }), key)
	}
	const sender, second = "MessageHeader/From/OrganId", "MessageHeader/To[2]/OrganId"
	doctype := bytes.Replace(signed, []byte("?>"), []byte("?>\n<!DOCTYPE edXML [<!ENTITY a \"b\">]>"), 1)
	if bytes.Equal(doctype, signed) {
		doctype = append([]byte("<!DOCTYPE edXML [<!ENTITY a \"b\">]>\n"), signed...)
	}

	for _, tt := range []refused{
		{name: "no credentials", as: "nobody", body: signed, status: 401, code: "unauthenticated", rule: "bad-credentials"},
		{name: "a user submits", as: "user:an", body: signed, status: 403, code: "not-permitted", rule: "other-caller"},
		{name: "a disabled system", as: "he-thong-tat", body: signed, status: 403, code: "not-permitted", rule: "disabled"},
		{name: "another type", body: signed, header: map[string]string{"Content-Type": "application/json"}, status: 415, code: "malformed", rule: "unsupported-media-type"},
		{name: "no type", body: signed, header: map[string]string{"Content-Type": ""}, status: 415, code: "malformed", rule: "unsupported-media-type"},
		{name: "another charset", body: signed, header: map[string]string{"Content-Type": "application/xml; charset=windows-1258"}, status: 415, code: "malformed", rule: "unsupported-media-type"},
		{name: "a form", body: signed, header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 415, code: "malformed", rule: "multipart-body"},
		{name: "curl without a type", body: signed, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 415, code: "malformed", rule: "multipart-body"},
		{name: "compressed", body: signed, header: map[string]string{"Content-Encoding": "gzip"}, status: 415, code: "malformed", rule: "content-encoding"},
		{name: "longer than announced limits", body: make([]byte, 1<<20+1), status: 413, code: "too-large", rule: "body-too-large"},
		{name: "nothing", body: nil, status: 400, code: "malformed", line: true, receipt: true},
		{name: "not XML", body: []byte("%PDF-1.4"), status: 400, code: "malformed", line: true, receipt: true},
		{name: "the second half is missing", body: signed[:len(signed)/2], status: 400, code: "malformed", line: true, receipt: true},
		{name: "a document type", body: doctype, status: 422, code: "harmful", line: true, receipt: true},
		{name: "an unknown sender", body: from("H12.77", "H12.01"), status: 404, code: "unknown-agency", rule: "unknown-sender", path: sender, line: true, receipt: true},
		{name: "another agency's sender", body: from("H12.07", "H12.07"), status: 403, code: "not-permitted", rule: "system-not-for-agency", path: sender, line: true, receipt: true},
		{name: "an unknown recipient", body: to("H12.07", "H12.99"), status: 404, code: "unknown-agency", rule: "unknown-recipient", path: second, line: true, receipt: true},
		{name: "a closed code", body: to("H12.07", "H12.06"), status: 404, code: "unknown-agency", rule: "closed-code", path: second, line: true, receipt: true},
		{name: "a closed agency", body: to("H12.07", "H12.05"), status: 404, code: "unknown-agency", rule: "closed-agency", path: second, line: true, receipt: true},
		{name: "unsigned, and must be signed", body: w.document(nil), status: 422, code: "invalid-signature", rule: "signature-required", line: true, receipt: true},
		{name: "changed after signing", body: bytes.Replace(signed, []byte("liên thông"), []byte("liên thônG"), 1), status: 422, code: "invalid-signature", line: true, receipt: true},
		{name: "an expired certificate", body: w.sign(w.document(nil), "expired"), status: 403, code: "untrusted", line: true, receipt: true},
		{name: "another agency's certificate", body: w.sign(w.document(nil), "H12.07"), status: 403, code: "not-permitted", rule: "signer-not-sender", line: true, receipt: true},
		{name: "a certificate nobody registered", body: w.sign(w.document(nil), "client"), status: 403, code: "untrusted", rule: "certificate-not-registered", line: true, receipt: true},
	} {
		t.Run(tt.name, func(t *testing.T) { w.refuse(t, tt) })
	}
	w.nothingStored()
}

// refuse sends a request in both languages and compares how it is refused.
func (w *world) refuse(t *testing.T, tt refused) {
	t.Helper()
	details := map[string]string{}
	for _, lang := range []string{"en", "vi"} {
		header := map[string]string{"Content-Type": "application/xml", "Accept-Language": lang, "X-Request-Id": "test." + lang}
		for name, value := range tt.header {
			header[name] = value
		}
		as := tt.as
		if as == "" {
			as = "he-thong-01"
		}
		a := w.do(request{method: http.MethodPost, path: "/v1/packages", as: as, body: bytes.NewReader(tt.body), header: header})
		p := a.problem(t)
		details[lang] = p.Detail
		if a.StatusCode != tt.status || p.Status != tt.status || p.Code != string(tt.code) || p.Type != tt.code.URI() {
			t.Errorf("%d, %+v", a.StatusCode, p)
		}
		if tt.rule != "" && p.Rule != tt.rule || p.Rule == "" || p.Title == "" {
			t.Errorf("rule %q, title %q", p.Rule, p.Title)
		}
		if !strings.HasSuffix(p.Path, tt.path) || (p.Line > 0) != tt.line {
			t.Errorf("at %s, line %d", p.Path, p.Line)
		}
		if a.Header.Get("Content-Language") != lang || p.Instance != "test."+lang || a.Header.Get("X-Request-Id") != p.Instance {
			t.Errorf("headers %v, instance %s", a.Header, p.Instance)
		}
		w.attested(t, p, tt.receipt)
	}
	if vietnamese.MatchString(details["en"]) || !vietnamese.MatchString(details["vi"]) || strings.Contains(details["en"]+details["vi"], "%!") {
		t.Errorf("in English %q, in Vietnamese %q", details["en"], details["vi"])
	}
}

// attested fetches the SubmissionRejection that a refusal names.
func (w *world) attested(t *testing.T, p problem, want bool) {
	t.Helper()
	if (p.Receipt != "") != want {
		t.Errorf("receipt %q", p.Receipt)
		return
	}
	if !want {
		return
	}
	raw := w.want(http.StatusOK, w.get("he-thong-01", "/v1/receipts/"+p.Receipt))
	r, _, _, err := exchange.ParseReceipt(raw.body)
	if err != nil || r.Event != exchange.SubmissionRejection || string(r.Reason) != p.Code {
		t.Errorf("the receipt says %+v: %v", r, err)
	}
}

func TestUnsignedIsTakenFromWhoMayNotSignYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.document(func(d *edxml.Document) { d.From.Code = "H12.20" })
	w.want(http.StatusCreated, w.xml("he-thong-20", "/v1/packages", body))
	if packages, files := w.stored(); packages != 1 || files != 1 {
		t.Errorf("%d packages in the ledger, %d files in the vault", packages, files)
	}
}

func TestSameIdentifierOtherContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	same := func(d *edxml.Document) { d.ID = "H12.01,2026/11/23,1/SNV" }
	w.submitted(w.sign(w.document(same), "H12.01"))
	p := w.want(http.StatusConflict, w.xml("he-thong-01", "/v1/packages", w.sign(w.document(same), "H12.01"))).problem(t)
	if p.Code != "duplicate" || p.Rule != "duplicate-document" || p.Receipt == "" {
		t.Errorf("%+v", p)
	}
}

func TestAcknowledgementsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Acknowledgement: 64 << 10})
	w.submitted(w.signed())
	item := w.consigned("he-thong-07", "")
	path := "/v1/deliveries/" + string(item.Delivery.ID) + "/acknowledgement"
	good := w.acknowledgement(item, exchange.AnswerAccepted, "")
	other := item
	other.Package.ID = "0198f2a1-7c1e-7d2f-9a55-6a1f0c9d2b11"
	unsigned := exchange.NewAcknowledgement(item.Package, "H12.07", exchange.AnswerAccepted, "", item.Package.AcceptedAt).Canonical()
	stolen := w.keys["H12.07"]
	w.keys["H12.07"] = w.keys["H12.01"]
	byAnother := w.acknowledgement(item, exchange.AnswerAccepted, "")
	w.keys["H12.07"] = stolen

	for _, tt := range []struct {
		name, as string
		body     []byte
		status   int
		code     string
	}{
		{"by the sender's system", "he-thong-01", good, 404, "not-found"},
		{"by a person", "user:an", good, 403, "not-permitted"},
		{"about another package", "he-thong-07", w.acknowledgement(other, exchange.AnswerAccepted, ""), 422, "invalid-acknowledgement"},
		{"unsigned", "he-thong-07", unsigned, 422, "invalid-acknowledgement"},
		{"signed by another agency", "he-thong-07", byAnother, 403, "not-permitted"},
		{"changed after signing", "he-thong-07", bytes.Replace(good, []byte("accepted"), []byte("refused"), 1), 422, "invalid-signature"},
		{"something else", "he-thong-07", w.document(nil), 422, "invalid-acknowledgement"},
		{"too long", "he-thong-07", make([]byte, 64<<10+1), 413, "too-large"},
		{"half of it", "he-thong-07", good[:len(good)/2], 400, "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.xml(tt.as, path, tt.body)
			if p := a.problem(t); a.StatusCode != tt.status || p.Code != tt.code {
				t.Errorf("%d, %+v", a.StatusCode, p)
			}
		})
	}
	w.want(http.StatusCreated, w.xml("he-thong-07", path, w.acknowledgement(item, exchange.AnswerRefused, "nhầm nơi nhận")))
	if p := w.want(http.StatusConflict, w.xml("he-thong-07", path, good)).problem(t); p.Rule != "other-answer" {
		t.Errorf("another answer: %+v", p)
	}
}

func TestRequestsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{JSON: 4096})
	for _, tt := range []struct {
		name, method, as, path, body string
		status                       int
		code, rule                   string
		line                         int
	}{
		{"a path that is not there", "GET", "user:an", "/v2/packages", "", 404, "not-found", "no-such-path", 0},
		{"a slash too many", "GET", "user:an", "/v1/packages/", "", 404, "not-found", "no-such-path", 0},
		{"a method that is not there", "DELETE", "user:an", "/v1/packages", "", 405, "malformed", "method-not-allowed", 0},
		{"a mistyped filter", "GET", "user:an", "/v1/deliveries?recipent=H12.07", "", 400, "malformed", "unknown-parameter", 0},
		{"a filter twice", "GET", "user:an", "/v1/deliveries?state=held&state=failed", "", 400, "malformed", "invalid-parameter", 0},
		{"a state that is none", "GET", "user:an", "/v1/deliveries?state=lost", "", 400, "malformed", "invalid-parameter", 0},
		{"a limit that is none", "GET", "user:an", "/v1/packages?limit=all", "", 400, "malformed", "invalid-parameter", 0},
		{"a limit of none", "GET", "user:an", "/v1/packages?limit=0", "", 400, "malformed", "invalid-parameter", 0},
		{"a search by a state that is none", "GET", "user:an", "/v1/search?state=lost", "", 400, "malformed", "invalid-entry", 0},
		{"a search by a kind that is none", "GET", "user:an", "/v1/search?kind=letter", "", 400, "malformed", "unknown-kind", 0},
		{"a search from a time that is none", "GET", "user:an", "/v1/search?from=20/11/2026", "", 400, "malformed", "invalid-time", 0},
		{"a search to a time that is none", "GET", "user:an", "/v1/search?to=2026-13-01", "", 400, "malformed", "invalid-time", 0},
		{"a search within no time", "GET", "user:an", "/v1/search?from=2026-11-21&to=2026-11-20", "", 400, "malformed", "empty-period", 0},
		{"a search for a whole page", "GET", "user:an", "/v1/search?q=" + strings.Repeat("a+", 33), "", 400, "malformed", "search-too-long", 0},
		{"a search from a cursor that is none", "GET", "user:an", "/v1/search?cursor=x", "", 400, "malformed", "invalid-entry", 0},
		{"a wait that is none", "GET", "he-thong-07", "/v1/inbox?wait=soon", "", 400, "malformed", "invalid-parameter", 0},
		{"a wait backwards", "GET", "he-thong-07", "/v1/inbox?wait=-1s", "", 400, "malformed", "invalid-parameter", 0},
		{"a document without its sender", "GET", "user:an", "/v1/packages?document=x", "", 400, "malformed", "invalid-entry", 0},
		{"an inbox of somebody else", "GET", "he-thong-07", "/v1/inbox?agency=H12.01", "", 403, "not-permitted", "not-permitted", 0},
		{"which inbox", "GET", "nhieu", "/v1/inbox", "", 400, "malformed", "invalid-entry", 0},
		{"a package that is not there", "GET", "user:an", "/v1/packages/x", "", 404, "not-found", "not-found", 0},
		{"people see no contents", "GET", "user:an", "/v1/packages/x/content", "", 403, "not-permitted", "other-caller", 0},
		{"JSON that ends early", "PUT", "user:an", "/v1/users/x", "{\n\"name\":", 400, "malformed", "invalid-json", 2},
		{"JSON with a comma too many", "PUT", "user:an", "/v1/users/x", "{\n\n\"name\":\"x\",}", 400, "malformed", "invalid-json", 3},
		{"JSON of another type", "PUT", "user:an", "/v1/users/x", "{\"name\":\n7}", 400, "malformed", "invalid-json", 2},
		{"a member nobody reads", "PUT", "user:an", "/v1/users/x", `{"nam":"x"}`, 400, "malformed", "invalid-json", 1},
		{"two values", "PUT", "user:an", "/v1/users/x", `{} {}`, 400, "malformed", "invalid-json", 1},
		{"a bracket too many", "PUT", "user:an", "/v1/users/x", `{"name":"x","role":"auditor"}}`, 400, "malformed", "invalid-json", 1},
		{"a member nobody reads, further down", "PUT", "user:an", "/v1/users/x", "{\n\n\"nam\":\"x\"\n}", 400, "malformed", "invalid-json", 3},
		{"a time that is none", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","closed":"20/11/2026"}`, 400, "malformed", "invalid-json", 0},
		{"a digest that is none", "PUT", "user:an", "/v1/systems/x", `{"name":"x","certificates":["abc"]}`, 400, "malformed", "invalid-json", 0},
		{"a certificate that is none", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","certificates":[{"der":"AAAA"}]}`, 400, "malformed", "invalid-entry", 0},
		{"a certificate not in base64", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","certificates":[{"der":"?"}]}`, 400, "malformed", "invalid-json", 0},
		{"an agency without a name", "PUT", "user:an", "/v1/agencies/H12.90", `{}`, 400, "malformed", "invalid-entry", 0},
		{"a code that is none", "PUT", "user:an", "/v1/agencies/h12", `{"name":"x"}`, 400, "malformed", "invalid-entry", 0},
		{"a policy that is none", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","policy":"never"}`, 400, "malformed", "invalid-entry", 0},
		{"a mode that is none", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","mode":"post"}`, 400, "malformed", "invalid-entry", 0},
		{"push to nowhere", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","mode":"push"}`, 400, "malformed", "invalid-entry", 0},
		{"another agency's code", "PUT", "user:an", "/v1/agencies/H12.90", `{"name":"x","aliases":[{"code":"H12.07"}]}`, 409, "conflict", "code-taken", 0},
		{"a version that is not the last", "PUT", "user:an", "/v1/agencies/H12.07", `{"name":"x","version":99}`, 409, "conflict", "changed-meanwhile", 0},
		{"a system of no agency", "PUT", "user:an", "/v1/systems/x", `{"name":"x","agencies":["H12.99"]}`, 400, "malformed", "invalid-entry", 0},
		{"an identifier that is none", "PUT", "user:an", "/v1/systems/-x", `{"name":"x"}`, 400, "malformed", "invalid-entry", 0},
		{"another name than the path's", "PUT", "user:an", "/v1/users/x", `{"id":"y"}`, 400, "malformed", "invalid-entry", 0},
		{"a role that is none", "PUT", "user:an", "/v1/users/x", `{"role":"king"}`, 400, "malformed", "invalid-entry", 0},
		{"a backup to anywhere", "POST", "user:an", "/v1/backup", `{"directory":"here"}`, 400, "malformed", "invalid-entry", 0},
		{"a reason for a reload that is none", "POST", "user:an", "/v1/keys/reload", `{"reason":1}`, 400, "malformed", "invalid-json", 1},
		{"an action without a reason", "POST", "user:binh", "/v1/deliveries/x/hold", `{"reason":" "}`, 400, "malformed", "invalid-entry", 0},
		{"an action on nothing", "POST", "user:binh", "/v1/deliveries/x/hold", `{"reason":"x"}`, 404, "not-found", "not-found", 0},
		{"a delivery that is not there", "GET", "user:an", "/v1/deliveries/x", "", 404, "not-found", "not-found", 0},
		{"deliveries of all", "GET", "he-thong-07", "/v1/deliveries", "", 403, "not-permitted", "not-permitted", 0},
		{"deliveries after nothing", "GET", "user:an", "/v1/deliveries?cursor=x", "", 400, "malformed", "invalid-entry", 0},
		{"packages of somebody else", "GET", "he-thong-07", "/v1/packages?sender=H12.01", "", 403, "not-permitted", "not-permitted", 0},
		{"an agency that is not there", "GET", "user:an", "/v1/agencies/H12.99", "", 404, "not-found", "not-found", 0},
		{"a system that is not there", "GET", "user:an", "/v1/systems/x", "", 404, "not-found", "not-found", 0},
		{"a secret for nobody", "POST", "user:an", "/v1/users/x/secret", "", 404, "not-found", "not-found", 0},
		{"a receipt that is not there", "GET", "user:an", "/v1/receipts/x", "", 404, "not-found", "not-found", 0},
		{"a tile that is not there", "GET", "user:an", "/v1/log/tile/0/x", "", 404, "not-found", "not-found", 0},
		{"a tile of the future", "GET", "user:an", "/v1/log/tile/0/999", "", 404, "not-found", "not-found", 0},
		{"entries of the future", "GET", "user:an", "/v1/log/tile/entries/999", "", 404, "not-found", "not-found", 0},
		{"operators see no users", "GET", "user:binh", "/v1/users", "", 403, "not-permitted", "other-caller", 0},
		{"no value", "PUT", "user:an", "/v1/users/x", ``, 400, "malformed", "invalid-json", 1},
		{"too much JSON", "PUT", "user:an", "/v1/users/x", `{"name":"` + strings.Repeat("x", 5000) + `"}`, 413, "too-large", "body-too-large", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := func(lang string) answer {
				return w.do(request{method: tt.method, as: tt.as, path: tt.path, body: strings.NewReader(tt.body),
					header: map[string]string{"Content-Type": "application/json", "Accept-Language": lang}})
			}
			a := in("en")
			p, vi := a.problem(t), in("vi").problem(t)
			if a.StatusCode != tt.status || p.Code != tt.code || p.Rule != tt.rule || p.Line != tt.line {
				t.Errorf("%d, %+v", a.StatusCode, p)
			}
			if strings.Contains(p.Detail+vi.Detail, "%!") || vietnamese.MatchString(p.Detail) || !vietnamese.MatchString(vi.Detail) {
				t.Errorf("in English %q, in Vietnamese %q", p.Detail, vi.Detail)
			}
			if w.seen.read == 0 {
				t.Error("the contract reads no refusals")
			}
			if tt.status == 405 && a.Header.Get("Allow") == "" {
				t.Error("the answer does not say what is allowed")
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	for _, tt := range []struct{ name, header, lang string }{
		{"none given", "", "en"},
		{"Vietnamese", "vi", "vi"},
		{"Vietnamese of Vietnam", "vi-VN,vi;q=0.9,en-US;q=0.6", "vi"},
		{"English first", "en-US,vi;q=0.5", "en"},
		{"Vietnamese weighs more", "en;q=0.3, vi;q=0.8", "vi"},
		{"French, then Vietnamese", "fr, vi;q=0.5", "vi"},
		{"French only", "fr", "en"},
		{"anything", "*", "en"},
		{"no such header", ";;;q=x", "en"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(request{method: http.MethodGet, path: "/v1/packages", header: map[string]string{"Accept-Language": tt.header}})
			if got := a.Header.Get("Content-Language"); got != tt.lang {
				t.Errorf("answered in %q: %s", got, a.body)
			}
		})
	}
}
