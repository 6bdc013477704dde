package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// A province client speaks the protocol of provincial hubs.
type provinceClient struct {
	t     *testing.T
	s     *site
	m     *member
	token string
	http  *http.Client
}

func (s *site) provincial(m *member) *provinceClient {
	s.t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
	s.t.Cleanup(transport.CloseIdleConnections)
	c := &provinceClient{t: s.t, s: s, m: m, http: &http.Client{Transport: transport}}
	status, answered := c.call(http.MethodPost, "/v1/auth/login?allow_anonymous=true", "application/json",
		fmt.Sprintf(`{"username":%q,"password":%q,"applicationCode":"QLVB","otp":null,"twoFactorProvider":null,"typeObjs":[0,1]}`, m.system, m.secret))
	c.token = answered.Data.Token
	if status != http.StatusOK || !answered.Success || strings.Count(c.token, ".") != 2 {
		s.t.Fatalf("login: %d %+v", status, answered)
	}
	return c
}

// provinceAnswer has what tests look at in any answer.
type provinceAnswer struct {
	Success bool
	Code    int `json:"errorCode"`
	Message string
	Detail  string
	Rule    string
	DocID   string
	Count   int
	Data    provinceData
}

type provinceData struct {
	Token, DocID, From, FromName, EdocCode, EdocAbstract, EdXML string
	Resent                                                      bool
	Receipt                                                     string
	Recipients                                                  []struct {
		Code, DocID string
		Success     bool
		ErrorCode   int
	}
	Attachments []struct{ FileName, FileContent string }
	list        []map[string]string
}

func (d *provinceData) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &d.list)
	}
	type plain provinceData
	return json.Unmarshal(b, (*plain)(d))
}

func (c *provinceClient) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + c.token}, "X-Systemid": {c.m.system}, "X-Secretkey": {c.m.secret}}
}

func (c *provinceClient) call(method, path, mediaType, body string, without ...string) (int, provinceAnswer) {
	c.t.Helper()
	h := c.header()
	for _, name := range without {
		h.Del(name)
	}
	status, text := c.send(method, path, mediaType, body, h)
	var a provinceAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		c.t.Fatalf("%s %s: %d, no JSON: %v\n%s", method, path, status, err, text)
	}
	return status, a
}

func (c *provinceClient) send(method, path, mediaType, body string, h http.Header) (int, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, "https://"+c.s.address+path, strings.NewReader(body))
	must(c.t, err)
	r.Header = h
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	resp, err := c.http.Do(r)
	must(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(c.t, err)
	return resp.StatusCode, text
}

func (c *provinceClient) list(kind, more string) []map[string]string {
	c.t.Helper()
	status, a := c.call(http.MethodGet, "/v1/syncReceivedEdocList?messageType="+kind+more, "", "")
	if status != http.StatusOK || !a.Success || a.Count != len(a.Data.list) {
		c.t.Fatalf("list: %d %+v", status, a)
	}
	return a.Data.list
}

// nodeForm is a multipart body as form-data of Node.js writes one.
func nodeForm(pkg []byte, last string) (mediaType, body string) {
	const b = "--------------------------519268374659182736450918"
	return "multipart/form-data; boundary=" + b, "--" + b + "\r\nContent-Disposition: form-data; name=\"edocFile\"; filename=\"1.edxml\"\r\nContent-Type: application/xml\r\n\r\n" +
		string(pkg) + "\r\n--" + b + "\r\nContent-Disposition: form-data; name=\"messageType\"\r\n\r\nedoc" + strings.ReplaceAll(last, "BOUNDARY", b)
}

const nodeEnd = "\r\n--BOUNDARY--\r\n"

// TestProvincialFlow is the whole flow of the protocol: a document is sent, listed,
// fetched and marked, and its status goes back the same way.
func TestProvincialFlow(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender, to := s.join("H12.07"), s.join("H12.12", func(a *exchange.Agency) { a.Aliases = []exchange.Alias{{Code: "000.00.12.H12"}} })
	from, at := s.provincial(sender), s.provincial(to)

	d := sender.letter(1250, 300_000, "000.00.12.H12", "H12.99")
	pkg := sender.signed(t, d)
	kind, body := nodeForm(pkg, nodeEnd)
	status, sent := from.call(http.MethodPost, "/v1/sendEdoc", kind, body)
	if status != http.StatusOK || !sent.Success || sent.Code != 0 || len(sent.DocID) != 36 || !strings.HasSuffix(sent.DocID, "0000") {
		t.Fatalf("send: %d %+v", status, sent)
	}
	if r := sent.Data.Recipients; len(r) != 2 || r[0].Code != "000.00.12.H12" || !r[0].Success || r[1].Code != "H12.99" || r[1].ErrorCode != 18 {
		t.Errorf("recipients: %+v", r)
	}
	again, err := sender.submit(t.Context(), pkg)
	must(t, err)
	if !again.Resubmitted || string(again.Receipt.ID) != sent.Data.Receipt {
		t.Errorf("at /v1 it is another package: %+v", again)
	}
	if _, raw := from.call(http.MethodPost, "/v1/sendEdoc", "application/xml", string(pkg)); raw.DocID != sent.DocID || !raw.Data.Resent {
		t.Errorf("the same as a raw body: %+v", raw)
	}

	list := at.list("edoc", "")
	if len(list) != 1 || list[0]["to"] != "000.00.12.H12" || list[0]["from"] != "H12.07" || list[0]["status"] != "initial" || list[0]["messageType"] != "edoc" {
		t.Fatalf("the recipient's list: %v", list)
	}
	docID := list[0]["docId"]
	if docID == sent.DocID || docID[:32] != sent.DocID[:32] {
		t.Errorf("docId %s of the recipient, %s of the sender", docID, sent.DocID)
	}
	status, got := at.call(http.MethodGet, "/v1/getEdoc?docId="+url.QueryEscape(docID), "", "")
	edXML, err := base64.StdEncoding.DecodeString(got.Data.EdXML)
	must(t, err)
	if status != http.StatusOK || !bytes.Equal(edXML, pkg) || got.Data.EdocCode != "1250/TN" || got.Data.EdocAbstract != d.Subject || got.Data.FromName != "Cơ quan H12.07" {
		t.Errorf("fetch: %d %q %q %q", status, got.Data.EdocCode, got.Data.EdocAbstract, got.Data.FromName)
	}
	file, err := d.Attachments[0].Open()
	must(t, err)
	whole, err := io.ReadAll(file)
	must(t, err)
	if a := got.Data.Attachments; len(a) != 1 || a[0].FileName != "van-ban.txt" || a[0].FileContent != base64.StdEncoding.EncodeToString(whole) {
		t.Errorf("%d attachments", len(a))
	}
	if list := at.list("edoc", ""); len(list) != 1 || list[0]["status"] != "processing" {
		t.Errorf("once it was fetched: %v", list)
	}
	if _, failed := at.call(http.MethodPost, "/v1/updateStatus", "application/json", fmt.Sprintf(`{"docId":%q,"status":"fail"}`, docID)); !failed.Success {
		t.Errorf("fail: %+v", failed)
	}
	if list := at.list("edoc", ""); len(list) != 1 || list[0]["status"] != "fail" {
		t.Errorf("what failed has to stay in the list: %v", list)
	}
	for range 2 {
		if _, done := at.call(http.MethodPost, "/v1/updateStatus", "application/json", fmt.Sprintf(`{"docId":%q,"status":"done"}`, docID)); !done.Success {
			t.Fatalf("done: %+v", done)
		}
	}
	today := time.Now().In(exchange.Vietnam).Format("2006/01/02")
	if open, dated := at.list("edoc", ""), at.list("edoc", "&fromDate="+today+"&toDate="+today); len(open) != 0 || len(dated) != 1 || dated[0]["status"] != "done" {
		t.Errorf("open %v, of today %v", open, dated)
	}
	if _, again := at.call(http.MethodGet, "/v1/getEdoc?docId="+docID, "", ""); again.Data.EdXML == "" {
		t.Errorf("what is done cannot be fetched again: %+v", again)
	}

	at.answers(t, from, d)
	state, err := sender.hub.Delivery(t.Context(), exchange.DeliveryID(string(again.Package)+".1"))
	must(t, err)
	if state.Delivery.State != exchange.HandedOver {
		t.Errorf("the delivery is %s", state.Delivery.State)
	}
	s.stop()
	healthy(t, s)
}

// answers sends a status back, and looks at how it arrives.
func (c *provinceClient) answers(t *testing.T, sender *provinceClient, d edxml.Document) {
	t.Helper()
	plain := unsigned(t, edxml.Document{Kind: exchange.KindStatus, From: edxml.Organ{Code: c.m.code, Name: "Cơ quan " + c.m.code}, Date: time.Now(), Sent: time.Now(),
		Staff:  edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"},
		Status: edxml.Status{Code: "03", To: sender.m.code, ID: strings.Join([]string{sender.m.code, d.Date.Format("2006/01/02"), d.Number + "/" + d.Notation}, ","), Notation: d.Number + "/" + d.Notation, Date: d.Date, Description: "Đã tiếp nhận"}})
	_, sent := c.call(http.MethodPost, "/v1/sendEdoc", "application/octet-stream", string(c.m.sign(t, plain)))
	if !sent.Success {
		t.Fatalf("status: %+v", sent)
	}
	list := sender.list("status", "")
	if len(list) != 1 || list[0]["messageType"] != "status" {
		t.Fatalf("the sender's list of statuses: %v", list)
	}
	if _, got := sender.call(http.MethodGet, "/v1/getEdoc?docId="+list[0]["docId"], "", ""); got.Data.EdXML == "" || got.Data.Attachments == nil || len(got.Data.Attachments) != 0 {
		t.Errorf("the status: %+v", got)
	}
	if _, done := sender.call(http.MethodPost, "/v1/updateStatus", "application/json", fmt.Sprintf(`{"docId":%q,"status":"done"}`, list[0]["docId"])); !done.Success {
		t.Errorf("done: %+v", done)
	}
}

// TestProvincialThreeHeaders leaves out, and spoils, each of the three things that
// every call carries.
func TestProvincialThreeHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	c, other := s.provincial(s.join("H12.07")), s.provincial(s.join("H12.12"))
	body, _, _ := strings.Cut(c.token[strings.IndexByte(c.token, '.')+1:], ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + body + "."
	for name, test := range map[string]struct {
		change  func(http.Header)
		message string // begins with
		rule    string
	}{
		"no token":                  {func(h http.Header) { h.Del("Authorization") }, "licenseInfo:invalid", "no-token"},
		"Basic instead":             {func(h http.Header) { h.Set("Authorization", "Basic YTpi") }, "licenseInfo:invalid", "no-token"},
		"a changed token":           {func(h http.Header) { h.Set("Authorization", "Bearer "+c.token[:len(c.token)-2]+"xx") }, "licenseInfo:invalid", "invalid-token"},
		"a token without signature": {func(h http.Header) { h.Set("Authorization", "Bearer "+forged) }, "licenseInfo:invalid", "invalid-token"},
		"another system's token":    {func(h http.Header) { h.Set("Authorization", "Bearer "+other.token) }, "X-SystemId", "other-system"},
		"no system":                 {func(h http.Header) { h.Del("X-SystemId") }, "thiếu X-SystemId", "no-system-headers"},
		"another system":            {func(h http.Header) { h.Set("X-SystemId", other.m.system) }, "X-SystemId", "other-system"},
		"no secret":                 {func(h http.Header) { h.Del("X-SecretKey") }, "thiếu X-SystemId", "no-system-headers"},
		"another secret":            {func(h http.Header) { h.Set("X-SecretKey", other.m.secret) }, "định danh hoặc mật khẩu", "bad-credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.header()
			test.change(h)
			status, text := c.send(http.MethodGet, "/v1/syncReceivedEdocList?messageType=edoc", "", "", h)
			var a provinceAnswer
			must(t, json.Unmarshal(text, &a))
			if status != http.StatusUnauthorized || a.Success || a.Code != 15 || !strings.HasPrefix(a.Message, test.message) || a.Rule != test.rule {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	if status, a := c.call(http.MethodPost, "/v1/auth/login", "application/json", `{"username":"system-h12.07","password":"no"}`, "Authorization"); status != http.StatusUnauthorized || a.Code != 15 {
		t.Errorf("a wrong password: %d %+v", status, a)
	}
}

// TestProvincialRefusals sees the protocol's numbers.
func TestProvincialRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender := s.join("H12.07")
	s.join("H12.12")
	closed := s.join("H04.01", func(a *exchange.Agency) { a.Closed = time.Now().Add(-time.Hour).UTC().Truncate(time.Second) })
	c := s.provincial(sender)
	good := sender.signed(t, sender.letter(1, 100, "H12.12"))
	form := func(pkg []byte, end string) [2]string {
		kind, body := nodeForm(pkg, end)
		return [2]string{kind, body}
	}
	raw := func(pkg []byte) [2]string { return [2]string{"application/xml", string(pkg)} }
	for name, test := range map[string]struct {
		body         [2]string
		status, code int
		rule         string
	}{
		"nobody is known":        {raw(sender.signed(t, sender.letter(2, 10, "H12.98", "H12.99"))), 400, 18, "unknown-recipient"},
		"a closed recipient":     {raw(sender.signed(t, sender.letter(3, 10, closed.code))), 400, 23, "closed-agency"},
		"an unknown sender":      {raw(sender.sign(t, bytes.Replace(unsigned(t, sender.letter(4, 10, "H12.12")), []byte("H12.07"), []byte("H12.97"), 1))), 400, 19, "unknown-sender"},
		"somebody else's code":   {raw(sender.sign(t, bytes.Replace(unsigned(t, sender.letter(5, 10, "H12.12")), []byte("H12.07"), []byte("H12.12"), 1))), 403, 19, "system-not-for-agency"},
		"a closed sender":        {raw(sender.sign(t, bytes.Replace(unsigned(t, sender.letter(6, 10, "H12.12")), []byte("H12.07"), []byte("H04.01"), 1))), 403, 19, "system-not-for-agency"},
		"a changed package":      {raw(bytes.Replace(good, []byte("thử nghiệm"), []byte("thu nghiem"), 1)), 422, 22, ""},
		"broken within the file": {[2]string{form(good, "")[0], form(good, "")[1][:len(good)/2]}, 400, 10, "broken-multipart"},
		"a form without a file":  {[2]string{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"messageType\"\r\n\r\nedoc\r\n--b--\r\n"}, 400, 10, "no-file"},
		"a strange messageType":  {[2]string{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"messageType\"\r\n\r\nfax\r\n--b--\r\n"}, 400, 10, "invalid-parameter"},
		"no XML":                 {raw([]byte("PK\x03\x04")), 400, 22, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, a := c.call(http.MethodPost, "/v1/sendEdoc", test.body[0], test.body[1])
			if status != test.status || a.Success || a.Code != test.code || (test.rule != "" && a.Rule != test.rule) || !strings.Contains(a.Message, "(") {
				t.Errorf("%d %+v", status, a)
			}
		})
	}
	for path, want := range map[string]int{
		"/v1/getEdoc?docId=no": 404,
		"/v1/getEdoc?docId=019ac000-0000-7000-8000-000000000001": 404,
		"/v1/getEdoc": 400,
		"/v1/syncReceivedEdocList?messageType=edoc&fromDate=yesterday": 400,
	} {
		if status, a := c.call(http.MethodGet, path, "", ""); status != want || a.Code != 10 {
			t.Errorf("%s: %d %+v", path, status, a)
		}
	}
	if status, a := c.call(http.MethodPost, "/v1/registerAgency", "application/json", `{"orgCode":"H12.07"}`); status != 200 || !a.Success {
		t.Errorf("registering itself: %d %+v", status, a)
	}
	for path, body := range map[string]string{"/v1/registerAgency": `{"orgCode":"H12.55","orgName":"Sở mới"}`, "/v1/deleteAgency": `{"orgCode":"H12.07"}`} {
		if status, a := c.call(http.MethodPost, path, "application/json", body); status != 403 || a.Rule != "registry-only" {
			t.Errorf("%s: %d %+v", path, status, a)
		}
	}
	_, text := c.send(http.MethodGet, "/v1/getAgenciesList", "", "", c.header())
	var agencies []struct{ OrgCode, OrgName string }
	must(t, json.Unmarshal(text, &agencies))
	if len(agencies) != 2 || agencies[0].OrgCode != "H12.07" || agencies[0].OrgName != "Cơ quan H12.07" {
		t.Errorf("agencies: %s", text)
	}
}

// TestProvincialByCurl sends a package as people try it out.
func TestProvincialByCurl(t *testing.T) {
	t.Parallel()
	curl := program(t, "curl")
	s := newSite(t).start()
	sender, to := s.join("H12.07"), s.join("H12.12")
	c := s.provincial(sender)
	file := filepath.Join(t.TempDir(), "van ban.edxml")
	must(t, os.WriteFile(file, sender.signed(t, sender.letter(1, 5000, to.code)), 0o600))
	for name, form := range map[string][]string{
		"the file first": {"-F", "edocFile=@" + file + ";type=application/xml", "-F", "messageType=edoc"},
		"the file last":  {"-F", "messageType=edoc", "-F", "edocFile=@" + file + ";type=application/xml"},
		"chunked":        {"-H", "Transfer-Encoding: chunked", "-F", "edocFile=@" + file},
		"a raw body":     {"-H", "Content-Type: application/xml", "--data-binary", "@" + file},
	} {
		args := append([]string{"-sS", "--cacert", s.path("keys", "tls-root.pem"), "-H", "Authorization: Bearer " + c.token, "-H", "X-SystemId: " + sender.system,
			"-H", "X-SecretKey: " + sender.secret, "https://" + s.address + "/v1/sendEdoc"}, form...)
		var a provinceAnswer
		must(t, json.Unmarshal([]byte(output(t, exec.Command(curl, args...))), &a))
		if !a.Success || len(a.DocID) != 36 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if list := s.provincial(to).list("edoc", ""); len(list) != 1 {
		t.Errorf("one package sent four times is listed %d times", len(list))
	}
}
