package httpapi_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/tsa"
	"tram/adapters/webhook"
	"tram/exchange"
	"tram/signing"
	"tram/signing/tsatest"
)

// TestTheWholeInterface calls every operation at least once as it is meant to be
// called. The transport holds each call and answer to openapi.yaml.
func TestTheWholeInterface(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	t.Run("a package goes from sender to recipient", w.wayOfAPackage)
	t.Run("an agency is told of a delivery", w.announcement)
	t.Run("operators steer deliveries", w.operators)
	t.Run("administrators keep the registry", w.registry)
	t.Run("people read what people did", w.actions)
	t.Run("people read what is overdue, and reports", w.overdue)
	t.Run("receipts get time-stamps", w.timestamps)
	t.Run("people read what ends soon", w.terms)
	t.Run("anyone reads the log", w.log)
	t.Run("the hub itself", w.service)
	t.Run("packages are validated", w.validation)

	for _, path := range load(t).Paths.Map() {
		for _, operation := range path.Operations() {
			if !w.seen.seen[operation.OperationID] {
				t.Errorf("operation %s was not called", operation.OperationID)
			}
		}
	}
}

func (w *world) wayOfAPackage(t *testing.T) {
	body := w.signed()
	accepted := w.want(http.StatusCreated, w.xml("he-thong-01", "/v1/packages", body))
	id := accepted.Header.Get("Tram-Package")
	receipt, _, _, err := exchange.ParseReceipt(accepted.body)
	if err != nil || receipt.Event != exchange.SubmissionAcceptance || string(receipt.Package) != id {
		t.Fatalf("receipt %+v of package %s: %v", receipt, id, err)
	}
	if got := accepted.Header.Get("Location"); got != "/v1/packages/"+id {
		t.Errorf("Location: %s", got)
	}
	again := w.want(http.StatusOK, w.xml("he-thong-01", "/v1/packages", body))
	if !bytes.Equal(again.body, accepted.body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("submitted again, the receipt is another one")
	}

	item := w.consigned("he-thong-07", "")
	content := w.want(http.StatusOK, w.get("he-thong-07", "/v1/deliveries/"+string(item.Delivery.ID)+"/content"))
	if !bytes.Equal(content.body, body) {
		t.Error("the recipient got other bytes than were submitted")
	}
	w.contentInParts(t, "/v1/deliveries/"+string(item.Delivery.ID)+"/content", "he-thong-07", body)
	w.contentInParts(t, "/v1/packages/"+id+"/content", "he-thong-01", body)

	answer := w.acknowledgement(item, exchange.AnswerAccepted, "")
	handover := w.want(http.StatusCreated, w.xml("he-thong-07", "/v1/deliveries/"+string(item.Delivery.ID)+"/acknowledgement", answer))
	replayed := w.want(http.StatusOK, w.xml("he-thong-07", "/v1/deliveries/"+string(item.Delivery.ID)+"/acknowledgement", answer))
	if !bytes.Equal(handover.body, replayed.body) || replayed.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("acknowledged again, the receipt is another one")
	}
	w.afterwards(t, id, handover)
}

// afterwards looks at a package that was handed over, as everyone may.
func (w *world) afterwards(t *testing.T, id string, handover answer) {
	for _, as := range []string{"he-thong-01", "he-thong-07", "user:chi"} {
		var view exchange.PackageView
		w.want(http.StatusOK, w.get(as, "/v1/packages/"+id)).into(t, &view)
		if view.Deliveries[0].State != exchange.HandedOver {
			t.Errorf("%s sees state %s", as, view.Deliveries[0].State)
		}
		w.want(http.StatusOK, w.get(as, "/v1/deliveries/"+string(view.Deliveries[0].ID)))
	}
	var list struct{ Receipts []exchange.Receipt }
	w.want(http.StatusOK, w.get("he-thong-01", "/v1/packages/"+id+"/receipts")).into(t, &list)
	if len(list.Receipts) != 3 {
		t.Errorf("%d receipts: %+v", len(list.Receipts), list.Receipts)
	}
	last := list.Receipts[len(list.Receipts)-1]
	sealed := w.want(http.StatusOK, w.get("he-thong-07", "/v1/receipts/"+string(last.ID)))
	if !bytes.Equal(sealed.body, handover.body) || string(last.ID) != handover.Header.Get("Tram-Receipt") {
		t.Error("the receipt that is kept is not the one that was given")
	}
	w.proved(t, last.ID, sealed.body)
	w.want(http.StatusNotFound, w.get("he-thong-20", "/v1/receipts/"+string(last.ID)))

	w.want(http.StatusOK, w.get("he-thong-01", "/v1/packages?sender=H12.01&limit=1"))
	w.want(http.StatusOK, w.get("user:chi", "/v1/packages"))
	w.want(http.StatusForbidden, w.get("he-thong-07", "/v1/packages?sender=H12.01"))
	w.want(http.StatusOK, w.get("user:chi", "/v1/deliveries?state=handed-over&recipient=H12.07&sender=H12.01"))
	w.want(http.StatusForbidden, w.get("he-thong-07", "/v1/deliveries"))
	w.searched(t, id, last.ID)
}

// searched finds the package by its identifiers and by what narrows a search.
func (w *world) searched(t *testing.T, id string, receipt exchange.ReceiptID) {
	for _, c := range []struct {
		as, query string
		found     bool
	}{
		{"user:chi", "q=" + id, true},
		{"user:chi", "q=" + string(receipt) + "&state=handed-over&recipient=H12.07&sender=H12.01&kind=new&limit=1", true},
		{"he-thong-01", "q=" + id, true},
		{"he-thong-07", "q=" + id + ".1", true},
		{"he-thong-20", "q=" + id, false},
		{"user:chi", "to=2001-01-01", false},
		{"user:chi", "from=2001-01-01T00:00:00%2B07:00&q=" + id, true},
	} {
		var page exchange.SearchPage
		w.want(http.StatusOK, w.get(c.as, "/v1/search?"+c.query)).into(t, &page)
		if found := len(page.Found) == 1 && string(page.Found[0].Package.ID) == id && len(page.Found[0].Deliveries) == 1; found != c.found {
			t.Errorf("%s asks %s and finds %+v", c.as, c.query, page.Found)
		}
	}
}

// proved finds a receipt in the log, as an auditor does without the hub.
func (w *world) proved(t *testing.T, id exchange.ReceiptID, raw []byte) {
	t.Helper()
	proof := w.want(http.StatusOK, w.get("user:chi", "/v1/receipts/"+string(id)+"/proof"))
	var keys exchange.Keys
	w.want(http.StatusOK, w.get("", "/v1/keys")).into(t, &keys)
	receipt, _, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(keys.LogKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := exchange.VerifyProof(proof.body, receipt.LogEntry(), keys.Origin, verifier); err != nil {
		t.Errorf("the proof of receipt %s: %v", id, err)
	}
}

func (w *world) contentInParts(t *testing.T, path, as string, whole []byte) {
	t.Helper()
	ask := func(method, name, value string) answer {
		return w.do(request{method: method, path: path, as: as, header: map[string]string{name: value}})
	}
	part := w.want(http.StatusPartialContent, ask(http.MethodGet, "Range", "bytes=10-19"))
	if !bytes.Equal(part.body, whole[10:20]) {
		t.Errorf("bytes 10 to 19 are %q, not %q", part.body, whole[10:20])
	}
	tag := `"` + exchange.DigestOf(whole).String() + `"`
	if got := part.Header.Get("ETag"); got != tag {
		t.Errorf("ETag %s, not %s", got, tag)
	}
	w.want(http.StatusNotModified, ask(http.MethodGet, "If-None-Match", tag))
	w.want(http.StatusRequestedRangeNotSatisfiable, ask(http.MethodGet, "Range", "bytes=99999999-"))
	head := w.want(http.StatusOK, ask(http.MethodHead, "Accept", "*/*"))
	if head.ContentLength != int64(len(whole)) || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %d bytes, ETag %s", head.ContentLength, head.Header.Get("ETag"))
	}
}

func (w *world) announcement(t *testing.T) {
	body := w.sign(w.document(func(d *edxml.Document) { d.To = []edxml.Organ{{Code: "H12.30", Name: "Sở nhận thông báo"}} }), "H12.01")
	id := w.submitted(body)
	var told *http.Request
	select {
	case told = <-w.told:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody told the agency")
	}
	payload, err := io.ReadAll(told.Body)
	if err != nil {
		t.Fatal(err)
	}
	var keys exchange.Keys
	w.want(http.StatusOK, w.get("", "/v1/keys")).into(t, &keys)
	if err := webhook.Verify(keys.Webhook, told.Header, payload, time.Now()); err != nil {
		t.Error(err)
	}
	var said any
	if err := json.Unmarshal(payload, &said); err != nil {
		t.Fatal(err)
	}
	schema := load(t).Webhooks["deliveryConsigned"].Post.RequestBody.Value.Content["application/json"].Schema
	if err := schema.Value.VisitJSON(said); err != nil {
		t.Errorf("the announcement is not as described: %v", err)
	}
	if item := w.consigned("he-thong-30", ""); string(item.Package.ID) != id {
		t.Errorf("package %s is in the inbox, not %s", item.Package.ID, id)
	}
}

func (w *world) operators(t *testing.T) {
	w.submitted(w.signed())
	item := w.consigned("he-thong-07", "&agency=H12.07")
	path := "/v1/deliveries/" + string(item.Delivery.ID)
	content := func(status int) { t.Helper(); w.want(status, w.get("he-thong-07", path+"/content")) }
	operate := func(status int, as, verb, body string) answer {
		t.Helper()
		return w.want(status, w.json(http.MethodPost, as, path+"/"+verb, body))
	}
	operate(http.StatusOK, "user:binh", "hold", `{"reason":"sai nơi nhận"}`)
	content(http.StatusConflict)
	operate(http.StatusOK, "user:an", "release", `{"reason":"đã xác minh"}`)
	content(http.StatusOK)
	operate(http.StatusConflict, "user:binh", "retry", `{"reason":"thử lại"}`)
	operate(http.StatusForbidden, "user:chi", "cancel", `{"reason":"không được phép"}`)
	operate(http.StatusForbidden, "he-thong-01", "cancel", `{"reason":"không được phép"}`)
	operate(http.StatusBadRequest, "user:binh", "cancel", `{"reason":" "}`)
	var d exchange.Delivery
	operate(http.StatusOK, "user:binh", "cancel", `{"reason":"gửi nhầm"}`).into(t, &d)
	if d.State != exchange.Failed || d.Detail != "gửi nhầm" {
		t.Errorf("cancelled, the delivery is %+v", d)
	}
	operate(http.StatusConflict, "user:binh", "hold", `{"reason":"muộn"}`)
	w.purged(t, string(item.Package.ID))
}

// purged purges a package that its recipient has fetched.
func (w *world) purged(t *testing.T, id string) {
	t.Helper()
	path := "/v1/packages/" + id
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", path+"/purge", `{"reason":"gửi nhầm"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:an", path+"/purge", `{"reason":" "}`))
	w.want(http.StatusNotFound, w.json(http.MethodPost, "user:an", "/v1/packages/0197a1b2-0000-7000-8000-000000000000/purge", `{"reason":"gửi nhầm"}`))
	var done, again exchange.Purged
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", path+"/purge", `{"reason":"gửi nhầm"}`)).into(t, &done)
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", path+"/purge", `{"reason":"gửi nhầm"}`)).into(t, &again)
	if len(done.Had) != 1 || done.Action == "" || again.Action != done.Action {
		t.Errorf("purged: %+v, and again: %+v", done, again)
	}
	var view exchange.PackageView
	w.want(http.StatusOK, w.get("user:chi", path)).into(t, &view)
	if view.Package.Purged == nil || view.Package.Purged.Action != done.Action || view.Package.Subject != "" {
		t.Errorf("the package shows itself as %+v", view.Package)
	}
	for path, as := range map[string]string{path + "/content": "he-thong-01", "/v1/deliveries/" + id + ".1/content": "he-thong-07"} {
		if a := w.want(http.StatusNotFound, w.get(as, path)); !bytes.Contains(a.body, []byte("content-purged")) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func (w *world) registry(t *testing.T) {
	fresh := w.leaf("Sở mới")
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fresh.cert.Raw}))
	entry, err := json.Marshal(map[string]any{"name": "Sở mới", "mode": "push", "webhook": "https://so-moi.example/SECRET", "pem": []string{text}})
	if err != nil {
		t.Fatal(err)
	}
	var a exchange.Agency
	w.want(http.StatusOK, w.json(http.MethodPut, "user:an", "/v1/agencies/H12.40", string(entry))).into(t, &a)
	if a.Code != "H12.40" || a.Version != 1 || len(a.Certificates) != 1 || a.Certificates[0].SHA256 != exchange.DigestOf(fresh.cert.Raw) {
		t.Errorf("registered: %+v", a)
	}
	w.want(http.StatusConflict, w.json(http.MethodPut, "user:an", "/v1/agencies/H12.40", string(entry)))
	again, err := json.Marshal(struct {
		exchange.Agency
		PEM []string `json:"pem"`
	}{a, []string{text}})
	if err != nil {
		t.Fatal(err)
	}
	w.want(http.StatusOK, w.json(http.MethodPut, "user:an", "/v1/agencies/H12.40", string(again))).into(t, &a)
	if len(a.Certificates) != 1 {
		t.Errorf("a certificate registered twice is there %d times", len(a.Certificates))
	}
	w.want(http.StatusForbidden, w.json(http.MethodPut, "user:binh", "/v1/agencies/H12.41", `{"name":"x"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPut, "user:an", "/v1/agencies/H12.41", `{"name":"x","code":"H12.42"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPut, "user:an", "/v1/agencies/H12.41", `{"name":"x","pem":["no"]}`))
	if got := w.want(http.StatusOK, w.get("he-thong-01", "/v1/agencies/H12.40")); strings.Contains(string(got.body), "SECRET") {
		t.Error("another agency's system sees the webhook")
	}
	if got := w.want(http.StatusOK, w.get("user:chi", "/v1/agencies?limit=200")); !strings.Contains(string(got.body), "SECRET") {
		t.Error("people do not see the webhook")
	}
	w.want(http.StatusNotFound, w.get("he-thong-01", "/v1/agencies/H99"))
	if got := w.want(http.StatusOK, w.get("he-thong-01", "/v1/agencies/000.00.07.H12")); !strings.Contains(string(got.body), `"H12.07"`) {
		t.Errorf("an alias finds %s", got.body)
	}
	w.registryOfSystems(t)
	w.registryOfUsers(t)
}

func (w *world) registryOfSystems(t *testing.T) {
	w.want(http.StatusOK, w.json(http.MethodPut, "user:an", "/v1/systems/moi", `{"name":"Mới","agencies":["H12.40"]}`))
	w.directory(t)
	var issued struct{ Secret string }
	w.want(http.StatusOK, w.do(request{method: http.MethodPost, path: "/v1/systems/moi/secret", as: "user:an"})).into(t, &issued)
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/systems/moi/shared-secret", `{"secret":"c2VjcmV0LXRyYW0="}`))
	w.secrets["moi"] = issued.Secret
	w.want(http.StatusOK, w.get("moi", "/v1/inbox"))
	w.want(http.StatusOK, w.get("user:chi", "/v1/systems/moi"))
	w.want(http.StatusNotFound, w.get("user:chi", "/v1/systems/khong-co"))
	list := w.want(http.StatusOK, w.get("user:chi", "/v1/systems"))
	if strings.Contains(string(list.body), "secrets") {
		t.Errorf("the list shows digests of secrets: %s", list.body)
	}
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/systems"))
}

func (w *world) registryOfUsers(t *testing.T) {
	w.want(http.StatusOK, w.json(http.MethodPut, "user:an", "/v1/users/dung", `{"name":"Dung","role":"auditor"}`))
	var issued struct{ Secret string }
	w.want(http.StatusOK, w.do(request{method: http.MethodPost, path: "/v1/users/dung/secret", as: "user:an"})).into(t, &issued)
	w.secrets["user:dung"] = issued.Secret
	w.want(http.StatusOK, w.get("user:dung", "/v1/packages"))
	if list := w.want(http.StatusOK, w.get("user:an", "/v1/users")); strings.Contains(string(list.body), "secrets") {
		t.Errorf("the list shows digests of secrets: %s", list.body)
	}
	w.want(http.StatusForbidden, w.get("user:dung", "/v1/users"))
	w.want(http.StatusBadRequest, w.json(http.MethodPut, "user:an", "/v1/users/x", `{"name":"x","role":"king"}`))
}

func (w *world) actions(t *testing.T) {
	type page struct {
		Actions []exchange.Action
		Cursor  string
	}
	var all page
	for _, as := range []string{"user:an", "user:binh"} {
		w.want(http.StatusOK, w.get(as, "/v1/actions"))
	}
	w.want(http.StatusOK, w.get("user:chi", "/v1/actions")).into(t, &all)
	verbs := map[string]bool{}
	for _, a := range all.Actions {
		leaf, err := w.ledger.LogEntries(t.Context(), a.Leaf, a.Leaf+1)
		if err != nil || !bytes.Equal(leaf[0], a.LogEntry().Bytes()) {
			t.Errorf("action %+v makes the leaf %s, the log has %s: %v", a, a.LogEntry().Bytes(), leaf, err)
		}
		verbs[a.Verb] = true
	}
	for _, verb := range []string{"hold", "release", "cancel", "put-agency", "put-system", "issue-system-secret", "put-user", "issue-user-secret"} {
		if !verbs[verb] {
			t.Errorf("no action %s among %v", verb, verbs)
		}
	}
	for cursor, n := "", 0; n < len(all.Actions); n += 2 {
		var part page
		w.want(http.StatusOK, w.get("user:chi", "/v1/actions?limit=2&cursor="+cursor)).into(t, &part)
		if part.Actions[0] != all.Actions[n] || (part.Cursor == "") != (n+2 >= len(all.Actions)) {
			t.Errorf("from %d on, the page is %+v", n, part)
		}
		cursor = part.Cursor
	}
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/actions?cursor=x"))
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/actions?verb=hold"))
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/actions"))
	w.want(http.StatusOK, w.get("user:chi", "/v1/orphans?limit=2"))
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/orphans?agency=x"))
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/orphans"))
	w.want(http.StatusUnauthorized, w.get("", "/v1/actions"))
}

func (w *world) overdue(t *testing.T) {
	w.submitted(w.sign(w.document(func(d *edxml.Document) { d.Date = d.Date.AddDate(0, 0, -20) }), "H12.01"))
	if err := w.x.SweepAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	var page struct {
		Alerts []struct {
			exchange.Alert
			En, Vi string
		}
		More   bool
		Counts map[exchange.AlertKind]int
	}
	w.want(http.StatusOK, w.get("user:chi", "/v1/alerts?kind=sent-late&agency=H12.01&open=true&limit=1")).into(t, &page)
	if len(page.Alerts) != 1 || page.Alerts[0].Sender != "H12.01" || page.Alerts[0].Vi == "" || page.Counts["sent-late"] < 1 {
		t.Fatalf("alerts: %+v", page)
	}
	path := "/v1/alerts/" + page.Alerts[0].ID + "/acknowledge"
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:chi", path, `{"reason":"đã báo"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:binh", path, `{"reason":""}`))
	w.want(http.StatusNotFound, w.json(http.MethodPost, "user:binh", "/v1/alerts/sent-late.x/acknowledge", `{"reason":"đã báo"}`))
	w.want(http.StatusOK, w.json(http.MethodPost, "user:binh", path, `{"reason":"đã báo"}`))
	var after struct{ Alerts []exchange.Alert }
	w.want(http.StatusOK, w.get("user:chi", "/v1/alerts?open=false")).into(t, &after)
	if i := slices.IndexFunc(after.Alerts, func(a exchange.Alert) bool { return a.ID == page.Alerts[0].ID }); i < 0 || after.Alerts[i].Acknowledged == nil {
		t.Errorf("acknowledged: %+v", after)
	}
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/alerts?kind=x"))
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/alerts?open=x"))
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/alerts"))

	day := time.Now().In(time.FixedZone("UTC+7", 7*60*60)).Format(time.DateOnly)
	var r exchange.Report
	w.want(http.StatusOK, w.get("user:chi", "/v1/reports?from="+day+"&to="+day)).into(t, &r)
	if r.Total.Documents < 1 || r.Total.SentLate < 1 || len(r.Agencies) == 0 || r.Total.SentDeliveries != r.Total.Received {
		t.Errorf("report: %+v", r)
	}
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/reports?from=2026-01-01&to=2029-01-01"))
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/reports?from="+day+"&to="+day))
}

func (w *world) timestamps(t *testing.T) {
	accepted := w.want(http.StatusCreated, w.xml("he-thong-01", "/v1/packages", w.signed()))
	path := "/v1/receipts/" + accepted.Header.Get("Tram-Receipt")
	if got := accepted.Header.Get("Tram-Timestamp"); got != "pending" {
		t.Errorf("Tram-Timestamp: %q", got)
	}
	if p := w.want(http.StatusNotFound, w.get("he-thong-01", path+"/timestamped")).problem(t); p.Rule != "timestamp-pending" {
		t.Errorf("before it has one: %+v", p)
	}
	if _, err := w.x.StampReceipts(t.Context()); err != nil {
		t.Fatal(err)
	}
	var page exchange.StampPage
	w.want(http.StatusOK, w.get("user:chi", "/v1/timestamps?limit=1")).into(t, &page)
	if !page.Configured || page.Pending < 2 || len(page.Receipts) != 1 || page.Cursor == "" || page.Failed == 0 || page.Error == "" || page.Oldest.IsZero() {
		t.Errorf("the authority is away, and the report is %+v", page)
	}
	w.want(http.StatusBadRequest, w.get("user:chi", "/v1/timestamps?state=x"))
	w.want(http.StatusForbidden, w.get("he-thong-01", "/v1/timestamps"))
	w.want(http.StatusUnauthorized, w.get("", "/v1/timestamps"))

	openssl := tsatest.New(t, nil)
	client := must[*tsa.Client](t)(tsa.New(tsa.Config{URL: openssl.URL, Roots: []*x509.Certificate{openssl.Root}}))
	t.Cleanup(client.Close)
	w.tsa.come.Store(client)
	for page.Pending > 0 {
		if _, err := w.x.StampReceipts(t.Context()); err != nil {
			t.Fatal(err)
		}
		page = exchange.StampPage{}
		w.want(http.StatusOK, w.get("user:chi", "/v1/timestamps")).into(t, &page)
	}
	if page.Stamped < 2 || page.Error != "" || !page.Since.IsZero() || len(page.Receipts) != 0 {
		t.Errorf("all have their time-stamps, and the report is %+v", page)
	}
	stamped := w.want(http.StatusOK, w.get("he-thong-01", path+"/timestamped"))
	sealed, token := signing.WithoutTimeStamp(stamped.body)
	if !bytes.Equal(sealed, accepted.body) || len(token) == 0 || stamped.Header.Get("Tram-Timestamp") != "kept" {
		t.Error("without its time-stamp the receipt is another one")
	}
	if original := w.want(http.StatusOK, w.get("he-thong-01", path)); !bytes.Equal(original.body, accepted.body) {
		t.Error("the receipt changed with its time-stamp")
	}
	w.want(http.StatusNotFound, w.get("he-thong-07", path+"/timestamped")) // not yet for the recipient
	w.want(http.StatusNotFound, w.get("he-thong-01", "/v1/receipts/x/timestamped"))
}

func (w *world) terms(t *testing.T) {
	var list struct{ Certificates []exchange.Term }
	w.want(http.StatusOK, w.get("user:chi", "/v1/certificates")).into(t, &list)
	agencies := map[string]bool{}
	for _, term := range list.Certificates {
		agencies[term.Agency] = true
	}
	if !agencies["H12.07"] || !slices.IsSortedFunc(list.Certificates, func(a, b exchange.Term) int { return a.Until.Compare(b.Until) }) {
		t.Errorf("what ends is %+v", list.Certificates)
	}
	all := len(list.Certificates)
	w.want(http.StatusOK, w.get("user:binh", "/v1/certificates?days=0")).into(t, &list)
	if len(list.Certificates) >= all {
		t.Errorf("%d have ended of %d", len(list.Certificates), all)
	}
	for _, days := range []string{"x", "-1", "1e3", "100001"} {
		w.want(http.StatusBadRequest, w.get("user:chi", "/v1/certificates?days="+days))
	}
	var view exchange.RevocationView
	w.want(http.StatusOK, w.get("user:chi", "/v1/revocation")).into(t, &view)
	if view.Policy != "" || view.Doubtful != 0 || view.Sources == nil {
		t.Errorf("of revocation it says %+v", view)
	}
	var axes struct{ Relays []exchange.RelayView }
	w.want(http.StatusOK, w.get("user:chi", "/v1/relays")).into(t, &axes)
	if axes.Relays == nil || len(axes.Relays) != 0 {
		t.Errorf("of other axes it says %+v", axes)
	}
	for _, path := range []string{"/v1/certificates", "/v1/revocation", "/v1/relays"} {
		w.want(http.StatusForbidden, w.get("he-thong-01", path))
		w.want(http.StatusUnauthorized, w.get("", path))
	}
}

func (w *world) log(t *testing.T) {
	checkpoint := w.want(http.StatusOK, w.get("", "/v1/log/checkpoint"))
	size := strings.Split(string(checkpoint.body), "\n")[1]
	if a := w.want(http.StatusOK, w.get("", "/v1/log/tile/0/000.p/1")); len(a.body) != 32 {
		t.Errorf("a tile one hash wide has %d bytes", len(a.body))
	}
	entries := w.want(http.StatusOK, w.get("", "/v1/log/tile/entries/000.p/"+size))
	if !bytes.Contains(entries.body, []byte(`"SubmissionAcceptance"`)) || entries.Header.Get("Cache-Control") == "" {
		t.Errorf("entries: %q, %v", entries.body, entries.Header)
	}
	for _, path := range []string{"/v1/log/tile/0/000", "/v1/log/tile/0/x001/000", "/v1/log/tile/0/0", "/v1/log/tile/9/000", "/v1/log/tile/01/000.p/1",
		"/v1/log/tile/-1/000.p/1", "/v1/log/tile/data/000.p/1", "/v1/log/tile/entries/000", "/v1/log/tile/entries/x"} {
		w.want(http.StatusNotFound, w.get("", path))
	}
	var change exchange.Change
	for i := range 256 { // leaves enough for a full tile
		change.Actions = append(change.Actions, exchange.Action{ID: fmt.Sprintf("a-%d", i), Time: time.Now(), Actor: "user:an", Verb: "hold", Object: "x"})
	}
	if err := w.ledger.Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	full := w.want(http.StatusOK, w.get("", "/v1/log/tile/0/000"))
	if len(full.body) != 256*32 || !strings.Contains(full.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the full tile: %d bytes, %s", len(full.body), full.Header.Get("Cache-Control"))
	}
}

func (w *world) service(t *testing.T) {
	for _, base := range []string{w.url, w.opsURL} {
		w.want(http.StatusOK, w.do(request{method: http.MethodGet, path: "/healthz", url: base}))
		w.want(http.StatusOK, w.do(request{method: http.MethodGet, path: "/readyz", url: base}))
		w.want(http.StatusOK, w.do(request{method: http.MethodHead, path: "/readyz", url: base}))
	}
	doc := w.want(http.StatusOK, w.get("", "/openapi.yaml"))
	w.want(http.StatusNotModified, w.do(request{method: http.MethodGet, path: "/openapi.yaml",
		header: map[string]string{"If-None-Match": doc.Header.Get("ETag")}}))
	w.want(http.StatusNotFound, w.get("", "/metrics")) // not on the agencies' listener

	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", "/v1/keys/reload", `{}`))
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/keys/reload", `{"reason":"hết hạn"}`))

	dir := filepath.Join(t.TempDir(), "backup")
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:chi", "/v1/rescans", `{"reason":"mẫu mới"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:binh", "/v1/rescans", `{"reason":"mẫu mới"}`)) // this hub has no scanner
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", "/v1/compaction", ""))
	var compacted exchange.Compacted
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/compaction", "")).into(w.t, &compacted)
	if compacted.Before <= 0 || compacted.After <= 0 || compacted.After > compacted.Before {
		w.t.Errorf("compacted: %+v", compacted)
	}
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", "/v1/backup", `{"directory":"`+dir+`"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:an", "/v1/backup", `{"directory":"relative"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:an", "/v1/backup", `{"directory":"`+dir+`","keysTo":"age1nobody"}`))
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/backup", `{"directory":"`+dir+`"}`))
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", "/v1/restore-drills", `{"backup":"`+dir+`","failure":"no disk"}`))
	w.want(http.StatusBadRequest, w.json(http.MethodPost, "user:an", "/v1/restore-drills", `{"backup":"`+dir+`"}`))
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/restore-drills", `{"backup":"`+dir+`","failure":"no disk"}`))
}

// directory imports a list, and merges two agencies of it.
func (w *world) directory(t *testing.T) {
	list := func(as, query, lines string) answer {
		return w.do(request{method: http.MethodPost, path: "/v1/directory" + query, as: as, body: strings.NewReader(lines),
			header: map[string]string{"Content-Type": "application/x-ndjson"}})
	}
	const lines = `{"code":"H12.41","name":"Cũ","parent":""}` + "\n\n" + `{"code":"H12.42","name":"Mới","mail":"moi@example.vn"}` + "\n"
	w.want(http.StatusForbidden, list("user:binh", "", lines))
	w.want(http.StatusUnsupportedMediaType, w.json(http.MethodPost, "user:an", "/v1/directory", `{}`))
	if p := w.want(http.StatusBadRequest, list("user:an", "", lines+`{"code":"H12.43","namme":"x"}`)); !strings.Contains(string(p.body), `"line":4`) {
		t.Errorf("a member that nobody reads: %s", p.body)
	}
	w.want(http.StatusNotFound, w.get("user:an", "/v1/agencies/H12.41"))
	for _, c := range []struct {
		query string
		added int
		kept  bool
	}{{"?dryRun=true&missing=true", 2, false}, {"?source=test", 2, true}, {"", 0, false}} {
		var outcome exchange.DirectoryOutcome
		w.want(http.StatusOK, list("user:an", c.query, lines)).into(t, &outcome)
		if outcome.Counts.Added != c.added || outcome.Kept != c.kept {
			t.Errorf("%s: %+v", c.query, outcome)
		}
	}
	w.want(http.StatusForbidden, w.json(http.MethodPost, "user:binh", "/v1/agencies/H12.41/merger", `{"into":"H12.42"}`))
	w.want(http.StatusConflict, w.json(http.MethodPost, "user:an", "/v1/agencies/H12.41/merger", `{"into":"H12.41"}`))
	w.want(http.StatusNotFound, w.json(http.MethodPost, "user:an", "/v1/agencies/H12.41/merger", `{"into":"H99.99"}`))
	var merged exchange.Agency
	w.want(http.StatusOK, w.json(http.MethodPost, "user:an", "/v1/agencies/H12.41/merger", `{"into":"H12.42","closed":"2025-07-01T00:00:00+07:00"}`)).into(t, &merged)
	if merged.Successor != "H12.42" || merged.Closed.IsZero() {
		t.Errorf("merged: %+v", merged)
	}
}
