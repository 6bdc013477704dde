package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// axisClient speaks the national axis's protocol as its description has it. It
// shares no code with the hub.
type axisClient struct {
	s              *site
	http           *http.Client
	system, secret string
}

// axisReply is what a client of the axis reads.
type axisReply struct {
	Status string          `json:"status"`
	Code   string          `json:"ErrorCode"`
	Text   string          `json:"ErrorDesc"`
	DocID  string          `json:"DocId"`
	Data   json.RawMessage `json:"data"`
	Count  int             `json:"count"`
}

type axisEntry struct {
	DocID, SenderDocID, ReceiverDocID      string
	From, To, FromCode, ToCode             string
	Status, ReceiveStatus, Title, Notation string
	ServiceType, MessageType               string
	Created, Updated                       string
}

func (e *axisEntry) UnmarshalJSON(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	text := func(name string) string {
		s, _ := m[name].(string)
		return s
	}
	*e = axisEntry{DocID: text("docId"), SenderDocID: text("senderDocId"), ReceiverDocID: text("receiverDocId"), From: text("from"), To: text("to"),
		FromCode: text("fromCode"), ToCode: text("toCode"), Status: text("status"), ReceiveStatus: text("receiveStatus"), Title: text("title"),
		Notation: text("notation"), ServiceType: text("serviceType"), MessageType: text("messageType"), Created: text("created_time"), Updated: text("updated_time")}
	return nil
}

// axis registers agencies whose one system has this shared secret, which another
// axis issued, and lets it stand in for their signatures.
func (s *site) axis(system, secret string, codes ...string) *axisClient {
	s.t.Helper()
	for _, code := range codes {
		_, err := s.admin.PutAgency(s.t.Context(), exchange.Agency{Code: code, Name: "Cơ quan " + code, Policy: exchange.IfPresent})
		must(s.t, err)
	}
	_, err := s.admin.PutSystem(s.t.Context(), exchange.System{ID: system, Name: system, Agencies: codes})
	must(s.t, err)
	file := filepath.Join(s.t.TempDir(), "former.secret")
	must(s.t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	if got := strings.TrimSpace(s.mustHub("system", "secret", system, "--import", file, "--config", s.config())); got != secret {
		s.t.Fatalf("hub system secret --import prints %q", got)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}}}
	s.t.Cleanup(client.CloseIdleConnections)
	return &axisClient{s: s, http: client, system: system, secret: secret}
}

// pair is a parameter of a call.
type pair struct{ name, value string }

// request signs a call.
func (c *axisClient) request(path string, body []byte, kind string, parameters ...pair) *http.Request {
	all := append([]pair{{"systemid", c.system}}, parameters...)
	all = append(all, pair{"timestamp", time.Now().In(time.FixedZone("", 7*3600)).Format("02012006T150405") + "+0042"}, pair{"Content-Type", kind})
	var names, members []string
	r, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, "https://"+c.s.address+path, bytes.NewReader(body))
	must(c.s.t, err)
	r.Header.Set("Content-Type", kind)
	for _, p := range all {
		value, err := json.Marshal(p.value)
		must(c.s.t, err)
		names, members = append(names, p.name), append(members, `"XroadVnpt-`+p.name+`":`+string(value))
		r.Header.Set("XroadVnpt-"+p.name, p.value)
	}
	text := "{" + strings.Join(members, ",") + "}"
	mac := hmac.New(sha256.New, []byte(c.secret))
	mac.Write([]byte(text))
	r.Header.Set("XroadVnpt-sign-header-key", strings.Join(names, ";"))
	r.Header.Set("XroadVnpt-sign-header", text)
	r.Header.Set("XroadVnpt-hash-header", hex.EncodeToString(mac.Sum(nil)))
	return r
}

func (c *axisClient) do(r *http.Request) axisReply {
	c.s.t.Helper()
	resp, err := c.http.Do(r)
	must(c.s.t, err)
	return readAxis(c.s.t, r.URL.Path, resp)
}

func (c *axisClient) call(path, body string, parameters ...pair) axisReply {
	c.s.t.Helper()
	return c.do(c.request(path, []byte(body), "application/json", parameters...))
}

// send sends a file as the SDK does: with a line end behind it, and its digest
// with bytes below 16 in one digit.
func (c *axisClient) send(file []byte, kind, from string, to ...string) axisReply {
	c.s.t.Helper()
	return c.do(c.sending(file, kind, from, to...))
}

func (c *axisClient) sending(file []byte, kind, from string, to ...string) *http.Request {
	list, err := json.Marshal(to)
	must(c.s.t, err)
	return c.request("/sendEdoc", append(slices.Clone(file), "\r\n"...), "application/octet-stream",
		pair{"servicetype", "eDoc"}, pair{"messagetype", kind}, pair{"hash-file", sdkDigest(file)}, pair{"from", from}, pair{"to", string(list)})
}

func sdkDigest(file []byte) string {
	var b strings.Builder
	for _, one := range sha256.Sum256(file) {
		fmt.Fprintf(&b, "%x", one)
	}
	return b.String()
}

func (c *axisClient) list(path, kind string, more ...pair) []axisEntry {
	c.s.t.Helper()
	reply := c.call(path, "", append([]pair{{"servicetype", "eDoc"}, {"messagetype", kind}}, more...)...)
	var entries []axisEntry
	must(c.s.t, json.Unmarshal(reply.Data, &entries))
	return entries
}

func (c *axisClient) get(docID string) []byte {
	c.s.t.Helper()
	reply := c.call("/getEdoc", "{}", pair{"docId", docID}, pair{"filePath", "/var/lib/dms"})
	var text string
	must(c.s.t, json.Unmarshal(reply.Data, &text))
	content, err := base64.StdEncoding.DecodeString(text)
	must(c.s.t, err)
	return content
}

func (c *axisClient) mark(docID, status string) axisReply {
	c.s.t.Helper()
	return c.call("/updateStatus", "{}", pair{"docid", docID}, pair{"status", status})
}

var nullMember = regexp.MustCompile(`:\s*null`)

// readAxis reads a reply and holds it to what software of the axis can read.
func readAxis(t *testing.T, path string, resp *http.Response) axisReply {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("%s answers %d, and not JSON: %v\n%s", path, resp.StatusCode, err, body)
	}
	if resp.StatusCode != http.StatusOK || nullMember.Match(body) {
		t.Errorf("%s answers %d: %s", path, resp.StatusCode, body)
	}
	for _, b := range body {
		if b >= 0x80 {
			t.Fatalf("%s answers with text that is not ASCII: %s", path, body)
		}
	}
	for _, name := range []string{"status", "ErrorCode", "ErrorDesc"} {
		if !strings.HasPrefix(string(members[name]), `"`) {
			t.Errorf("%s answers without %s: %s", path, name, body)
		}
	}
	if strings.HasSuffix(path, "/sendEdoc") && !strings.HasPrefix(string(members["DocId"]), `"`) {
		t.Errorf("sendEdoc answers without DocId: %s", body)
	}
	if data := string(members["data"]); path == "/getEdoc" && !strings.HasPrefix(data, `"`) || strings.HasSuffix(path, "List") && !strings.HasPrefix(data, "[") {
		t.Errorf("%s answers with data %.40s", path, data)
	}
	var reply axisReply
	must(t, json.Unmarshal(body, &reply))
	if (reply.Status == "OK") != (reply.Code == "0") {
		t.Errorf("%s answers %s with code %s", path, reply.Status, reply.Code)
	}
	return reply
}

const (
	recordedSystem = "H12.07"
	recordedSecret = "c2VjcmV0LXRyYW0="
)

// TestRecordedRequests sends requests of a published SDK as they were recorded,
// byte for byte.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sdk := s.axis(recordedSystem, recordedSecret, "H12.07")
	other := s.axis("H12.12", "secret-of-the-other", "H12.12")
	s.axis("H12.40", "secret-of-the-third", "H12.40", "H12.41")
	registerAll(t, s, "18-sendEdoc-440", "26-sendEdoc-440-long-codes")
	incoming := read(t, "sdk-08-incoming-new.edxml")
	if sent := other.send(incoming, "edoc", "H12.12", "H12.07"); sent.Code != "0" {
		t.Fatalf("sending what the recorded answers are about: %+v", sent)
	}
	docs := map[string]string{}
	for _, c := range []struct{ file, code string }{
		{"01-getAgenciesList", "0"}, {"02-getSynchronizeUnit", "0"},
		{"03-registerAgency", "19"}, // administrators register
		{"04-deleteAgency", "19"},
		{"05-sendEdoc-edoc", "0"}, {"06-sendEdoc-status", "0"},
		{"07-sendEdoc-status-without-to", "0"}, // the same file: the same DocId
		{"08-getReceivedEdocList-edoc", "0"}, {"09-getReceivedEdocList-edoc-dates", "0"},
		{"10-getReceivedEdocList-status", "0"}, {"11-getReceivedEdocList-status-dates", "0"},
		{"12-getSentEdocList-edoc", "0"}, {"13-getSentEdocList-edoc-dates", "0"}, {"14-getSentEdocList-status", "0"},
		{"15-getEdoc", "22"}, {"16-updateStatus-done", "22"}, {"17-updateStatus-fail", "22"}, // of another axis's docIds
		{"18-sendEdoc-440", "0"},
		{"19-reuse-1-getReceivedEdocList", "0"}, {"20-reuse-2-getReceivedEdocList-again", "0"}, {"21-reuse-3-getEdoc", "22"},
		{"22-reuse-4-updateStatus-other-document", "22"}, {"23-reuse-5-sendEdoc-status", "0"}, {"24-reuse-6-getReceivedEdocList-status", "0"},
		{"25-getEdoc-non-ascii-filePath", "15"}, // nobody can verify it
		{"26-sendEdoc-440-long-codes", "0"}, {"27-sendEdoc-endpoint-with-slash", "0"},
	} {
		for range 2 { // a repeat does no harm
			reply := s.replay(t, c.file)
			if reply.Code != c.code {
				t.Errorf("%s is answered with %s, not %s: %s", c.file, reply.Code, c.code, reply.Text)
			}
			if before, repeated := docs[c.file]; repeated && before != reply.DocID {
				t.Errorf("%s repeated has DocId %s, before %s", c.file, reply.DocID, before)
			}
			docs[c.file] = reply.DocID
		}
	}
	if docs["06-sendEdoc-status"] != docs["07-sendEdoc-status-without-to"] || docs["05-sendEdoc-edoc"] != docs["27-sendEdoc-endpoint-with-slash"] {
		t.Errorf("the same files have other DocIds: %v", docs)
	}
	var waiting []axisEntry
	must(t, json.Unmarshal(s.replay(t, "08-getReceivedEdocList-edoc").Data, &waiting))
	if len(waiting) != 1 || waiting[0].From != "H12.12" || waiting[0].To != "H12.07" || waiting[0].Status != "initial" {
		t.Fatalf("what waits for H12.07: %+v", waiting)
	}
	if !bytes.Equal(sdk.get(waiting[0].DocID), incoming) {
		t.Error("the document came with other bytes than were sent")
	}
	if notes := other.list("/getReceivedEdocList", "status"); len(notes) != 1 || notes[0].From != "H12.07" {
		t.Errorf("statuses for H12.12: %+v", notes)
	}
}

// registerAll registers all recipients of recorded requests.
func registerAll(t *testing.T, s *site, files ...string) {
	t.Helper()
	for _, file := range files {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(read(t, file+".request.http"))))
		must(t, err)
		var codes []string
		must(t, json.Unmarshal([]byte(r.Header.Get("XroadVnpt-to")), &codes))
		for _, code := range codes {
			if _, err := s.admin.Agency(t.Context(), code); err == nil {
				continue
			}
			_, err := s.admin.PutAgency(t.Context(), exchange.Agency{Code: code, Name: code})
			must(t, err)
		}
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "axis", file))
	must(t, err)
	return b
}

// replay sends a recorded request on a connection of its own.
func (s *site) replay(t *testing.T, file string) axisReply {
	t.Helper()
	text := read(t, file+".request.http")
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{RootCAs: s.roots, NextProtos: []string{"http/1.1"}}}
	conn, err := dialer.DialContext(context.Background(), "tcp", s.address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write(text)
	must(t, err)
	r := bufio.NewReader(conn)
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	must(t, err)
	resp, err := http.ReadResponse(r, request)
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(r, request)
	}
	must(t, err)
	return readAxis(t, strings.Replace(request.URL.Path, "//", "/", 1), resp)
}

// TestAxisFlow is a document's way between two systems of the axis, and what each
// side may repeat.
func TestAxisFlow(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from, to := s.axis("H12.07", "secret-of-h12.07", "H12.07"), s.axis("H12.12", "secret-of-h12.12", "H12.12")
	incoming := read(t, "sdk-08-incoming-new.edxml") // H12.12 to H12.07
	sent := to.send(incoming, "edoc", "H12.12", "H12.07")
	again := to.send(incoming, "edoc", "H12.12", "H12.07")
	if sent.Code != "0" || len(sent.DocID) != 36 || again.DocID != sent.DocID {
		t.Fatalf("sendEdoc: %+v, again %+v", sent, again)
	}
	entry := one(t, from.list("/getReceivedEdocList", "edoc"))
	if entry.DocID == sent.DocID || len(entry.DocID) != 36 {
		t.Errorf("docId of the recipient is %s, of the sender %s", entry.DocID, sent.DocID)
	}
	if !bytes.Equal(from.get(entry.DocID), incoming) || !bytes.Equal(to.get(sent.DocID), incoming) {
		t.Error("a document with other bytes than were sent")
	}
	if e := one(t, from.list("/getReceivedEdocList", "edoc")); e.Status != "processing" {
		t.Errorf("a document that was fetched is %s", e.Status)
	}
	if r := from.mark(entry.DocID, "fail"); r.Code != "0" {
		t.Errorf("fail: %+v", r)
	}
	if e := one(t, from.list("/getReceivedEdocList", "edoc")); e.Status != "fail" {
		t.Errorf("a document whose client failed is %s", e.Status)
	}
	for range 2 {
		if r := from.mark(entry.DocID, "done"); r.Code != "0" {
			t.Errorf("done: %+v", r)
		}
	}
	if list := from.list("/getReceivedEdocList", "edoc"); len(list) != 0 {
		t.Errorf("what is done is still listed: %+v", list)
	}
	today := time.Now().In(time.FixedZone("", 7*3600))
	week := []pair{{"fromDate", today.AddDate(0, 0, -7).Format("2006/01/02")}, {"toDate", today.Format("2006/01/02")}}
	if e := one(t, from.list("/getReceivedEdocList", "edoc", week...)); e.Status != "done" || e.DocID != entry.DocID {
		t.Errorf("in the list of a week: %+v", e)
	}
	if !bytes.Equal(from.get(entry.DocID), incoming) {
		t.Error("after done the document comes with other bytes")
	}
	row := one(t, to.list("/getSentEdocList", "edoc"))
	if row.SenderDocID != sent.DocID || row.ReceiverDocID != entry.DocID || row.ReceiveStatus != "done" || row.FromCode != "H12.12" || row.ToCode != "H12.07" ||
		row.Notation != "88/SYT-NVY" {
		t.Errorf("in the list of what was sent: %+v", row)
	}
	handedOverOnItsWord(t, s, sent.DocID)

	status := read(t, "sdk-04-status-03.edxml")
	if r := from.send(status, "status", "H12.07", "H12.12"); r.Code != "0" {
		t.Fatalf("sending a status: %+v", r)
	}
	note := one(t, to.list("/getReceivedEdocList", "status"))
	if note.MessageType != "status" || !bytes.Equal(to.get(note.DocID), status) {
		t.Errorf("the status: %+v", note)
	}
	to.mark(note.DocID, "done")
	if list := to.list("/getReceivedEdocList", "status"); len(list) != 0 {
		t.Errorf("statuses after done: %+v", list)
	}
	if n := from.do(counting(from, "/countReceiveEdoc")).Count; n != 0 {
		t.Errorf("%d documents are counted", n)
	}
}

func counting(c *axisClient, path string) *http.Request {
	r := c.request(path, nil, "application/json", pair{"messagetype", "edoc"})
	r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
	return r
}

func one(t *testing.T, list []axisEntry) axisEntry {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("one entry was to be listed: %+v", list)
	}
	return list[0]
}

// handedOverOnItsWord sees that the receipt says what the handover rests on.
func handedOverOnItsWord(t *testing.T, s *site, docID string) {
	t.Helper()
	list, err := s.admin.Receipts(t.Context(), exchange.PackageID(docID))
	must(t, err)
	last := list[len(list)-1]
	raw, err := s.admin.Receipt(t.Context(), last.ID)
	must(t, err)
	if last.Event != exchange.ContentHandover || !bytes.Contains(raw, []byte("authenticated-system")) || bytes.Contains(raw, []byte("Acknowledgement ")) {
		t.Errorf("the last receipt is of %s:\n%s", last.Event, raw)
	}
}

// TestOneQueueBehindAllFaces: what is sent by one protocol is received by any, and
// sent again by another is the same package.
func TestOneQueueBehindAllFaces(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	old := s.axis("H12.12", "secret-of-h12.12", "H12.12")
	mine := s.join("H12.07", func(a *exchange.Agency) { a.Policy = exchange.IfPresent })
	incoming := read(t, "sdk-08-incoming-new.edxml")
	sent := old.send(incoming, "edoc", "H12.12", "H12.07")

	// The agency of /v1 finds it, and answers with a signature: the stronger receipt.
	inbox, err := mine.hub.Inbox(t.Context(), mine.code, "", 10, 10*time.Second)
	must(t, err)
	if len(inbox.Items) != 1 || string(inbox.Items[0].Package.ID) != sent.DocID {
		t.Fatalf("the inbox of /v1: %+v", inbox.Items)
	}
	got, err := mine.fetch(t.Context(), inbox.Items[0])
	must(t, err)
	if !bytes.Equal(got, incoming) {
		t.Error("the document came with other bytes than were sent")
	}
	text, err := mine.answer(inbox.Items[0], exchange.AnswerAccepted, "")
	must(t, err)
	receipt, _, err := mine.hub.Acknowledge(t.Context(), inbox.Items[0].Delivery.ID, text)
	must(t, err)
	if !bytes.Contains(receipt.Raw, []byte("xml-signature")) {
		t.Errorf("the receipt of a signed answer:\n%s", receipt.Raw)
	}
	if row := one(t, old.list("/getSentEdocList", "edoc")); row.ReceiveStatus != "done" {
		t.Errorf("the sender is told %+v", row)
	}

	// And the other way: sent by /v1, received by the axis's software.
	signed := mine.signed(t, mine.letter(77, 5000, "H12.12"))
	submission, err := mine.submit(t.Context(), signed)
	must(t, err)
	entry := one(t, old.list("/getReceivedEdocList", "edoc"))
	if !bytes.Equal(old.get(entry.DocID), signed) {
		t.Error("the document came with other bytes than were sent")
	}
	if entry.DocID[:32] != string(submission.Package)[:32] || entry.From != "H12.07" {
		t.Errorf("the entry %+v is not of package %s", entry, submission.Package)
	}

	// A second system of the same agency, of the axis, sends the same again.
	_, err = s.admin.PutSystem(t.Context(), exchange.System{ID: "old.07", Name: "old", Agencies: []string{"H12.07"}})
	must(t, err)
	secret := strings.TrimSpace(s.mustHub("system", "secret", "old.07", "--axis", "--config", s.config()))
	same := &axisClient{s: s, http: old.http, system: "old.07", secret: secret}
	if r := same.send(signed, "edoc", "H12.07", "H12.12"); r.DocID != string(submission.Package) {
		t.Errorf("sent again by the axis's protocol it is %+v, first %s", r, submission.Package)
	}
}

// TestAxisRefusals: each has its number, and nothing is kept.
func TestAxisRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	c := s.axis("H12.12", "secret-of-h12.12", "H12.12")
	s.axis("H12.07", "secret-of-h12.07", "H12.07")
	incoming := read(t, "sdk-08-incoming-new.edxml")
	wrong := *c
	wrong.secret = "another-secret"
	tampered := c.sending(incoming, "edoc", "H12.12", "H12.07")
	tampered.Header.Set("XroadVnpt-sign-header", strings.Replace(tampered.Header.Get("XroadVnpt-sign-header"), "edoc", "EDOC", 1))
	unbound := c.request("/sendEdoc", incoming, "application/octet-stream", pair{"servicetype", "eDoc"}, pair{"messagetype", "edoc"})
	changed := c.sending(incoming, "edoc", "H12.12", "H12.07")
	changed.Body = io.NopCloser(bytes.NewReader(append(bytes.Replace(incoming, []byte("88/SYT"), []byte("89/SYT"), 1), "\r\n"...)))
	bare := c.sending(incoming, "edoc", "H12.12", "H12.07")
	bare.Header.Del("XroadVnpt-hash-header")
	strange := bytes.ReplaceAll(incoming, []byte("H12.07"), []byte("H12.99"))
	foreign := bytes.ReplaceAll(incoming, []byte("H12.12"), []byte("H12.07"))
	early := c.request("/getReceivedEdocList", nil, "application/json", pair{"messagetype", "edoc"}, pair{"fromDate", "hôm qua"})
	for _, r := range []struct {
		name string
		r    *http.Request
		code string
	}{
		{"wrong secret", wrong.sending(incoming, "edoc", "H12.12", "H12.07"), "15"},
		{"changed header", tampered, "15"},
		{"no signature", bare, "15"},
		{"no hash-file", unbound, "10"},
		{"changed file", changed, "21"},
		{"no recipient that is known", c.sending(strange, "edoc", "H12.12", "H12.99"), "18"},
		{"another agency's", c.sending(foreign, "edoc", "H12.07", "H12.12"), "19"},
		{"no XML", c.sending([]byte("hello"), "edoc", "H12.12", "H12.07"), "22"},
		{"no date", early, "22"},
		{"unknown docId", c.request("/updateStatus", []byte("{}"), "application/json", pair{"docid", "5f0d7c3e-2f40-4f9f-8a51-3c1c6c7f0b12"}, pair{"status", "done"}), "22"},
		{"unknown status", c.request("/updateStatus", []byte("{}"), "application/json", pair{"docid", "5f0d7c3e-2f40-4f9f-8a51-3c1c6c7f0b12"}, pair{"status", "xyz"}), "22"},
	} {
		if reply := c.do(r.r); reply.Code != r.code || reply.Status != "FAIL" || reply.DocID != "" || reply.Text == "" {
			t.Errorf("%s is answered %+v, not with %s", r.name, reply, r.code)
		}
	}
	if kept := s.kept(); len(kept) != 0 {
		t.Errorf("the vault has %v", kept)
	}
	// Of several recipients those count that are known.
	some := bytes.Replace(incoming, []byte("</edXML:To>"), []byte("</edXML:To><edXML:To><edXML:OrganId>H12.99</edXML:OrganId></edXML:To>"), 1)
	sent := c.send(some, "edoc", "H12.12", "H12.07", "H12.99")
	view, err := s.admin.Package(t.Context(), exchange.PackageID(sent.DocID))
	must(t, err)
	if len(view.Deliveries) != 1 || len(view.Package.Unknown) != 1 || view.Package.Unknown[0].As != "H12.99" {
		t.Errorf("%+v of a package with one unknown recipient", view.Package)
	}
}

// TestJavaClients let a program of another language, written from the protocols'
// description, walk a document's whole way.
func TestJavaClients(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("java"); err != nil {
		program(t, "java")
	}
	s := newSite(t).start()
	s.axis("H12.07", "secret-of-h12.07", "H12.07")
	s.axis("H12.12", "secret-of-h12.12", "H12.12")
	secrets := map[string][2]string{"axis": {"secret-of-h12.12", "secret-of-h12.07"}, "provincial": {s.secretOf("H12.12"), s.secretOf("H12.07")}}
	for _, face := range []string{"axis", "provincial", "axis"} {
		out, errOut, code := s.run("java", filepath.Join("testdata", "java", "Flow.java"), face, "https://"+s.address, s.path("keys", "tls-root.pem"),
			"H12.12", "H12.12", secrets[face][0], "H12.07", "H12.07", secrets[face][1])
		if code != 0 || !strings.HasPrefix(out, "flow done ") {
			t.Fatalf("%s: exit code %d: %s%s", face, code, out, errOut)
		}
	}
}

func (s *site) secretOf(system string) string {
	s.t.Helper()
	secret, err := s.admin.IssueSystemSecret(s.t.Context(), system)
	must(s.t, err)
	return secret
}
