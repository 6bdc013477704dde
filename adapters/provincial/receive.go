package provincial

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tram/exchange"
)

const timeLayout = "2006/01/02 15:04:05"

// received lists what came.
func (f *Face) received(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	q, err := mailQuery(r)
	if err != nil {
		return err
	}
	list, err := f.x.Received(r.Context(), by, q)
	if err != nil {
		return err
	}
	type entry struct {
		DocID       string             `json:"docId"`
		ServiceType string             `json:"serviceType"`
		MessageType string             `json:"messageType"`
		Created     string             `json:"createdTime"`
		Updated     string             `json:"updatedTime"`
		From        string             `json:"from"`
		To          string             `json:"to"`
		Status      exchange.MailState `json:"status"`
		StatusDesc  string             `json:"statusDesc"`
	}
	data := make([]entry, 0, len(list))
	for _, item := range list {
		d, p := item.Delivery, item.Package
		state := d.MailState()
		data = append(data, entry{DocID: d.DocID(), ServiceType: "eDoc", MessageType: messageTypeOf(p), Created: clock(p.AcceptedAt), Updated: clock(latest(d)),
			From: cmp.Or(p.SenderAs, p.Sender), To: p.Writes(d.Recipient), Status: state, StatusDesc: stateWords[state]})
	}
	return answer(w, http.StatusOK, struct {
		done
		Count int     `json:"count"`
		Data  []entry `json:"data"`
	}{well("Thành công"), len(data), data})
}

// stateWords are the states in the words of people.
var stateWords = map[exchange.MailState]string{
	exchange.MailInitial:    "Chưa nhận",
	exchange.MailProcessing: "Đang xử lý",
	exchange.MailDone:       "Đã nhận",
	exchange.MailFail:       "Nhận không thành công",
}

func messageTypeOf(p exchange.Package) string {
	if p.Kind == exchange.KindStatus {
		return "status"
	}
	return "edoc"
}

func clock(t time.Time) string { return t.In(exchange.Vietnam).Format(timeLayout) }

// latest is when something last happened to the delivery.
func latest(d exchange.Delivery) time.Time {
	at := d.AcceptedAt
	for _, t := range []time.Time{d.ConsignedAt, d.FetchedAt, d.TroubleAt, d.SettledAt} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

func mailQuery(r *http.Request) (q exchange.MailQuery, err error) {
	v := r.URL.Query()
	if q.Statuses, err = messageType(v.Get("messageType")); err != nil {
		return q, err
	}
	if q.From, _, err = date("fromDate", v.Get("fromDate")); err != nil {
		return q, err
	}
	to, day, err := date("toDate", v.Get("toDate"))
	if err == nil && !to.IsZero() {
		q.To = to.Add(day) // the last day belongs to the time
	}
	return q, err
}

func date(name, text string) (at time.Time, span time.Duration, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return at, 0, nil
	}
	if at, span, ok := exchange.ParseMailTime(text); ok {
		return at, span, nil
	}
	return at, 0, badParameter.With(name, exchange.Excerpt(text), exchange.Words{En: "a day such as 2026/11/20", Vi: "ngày theo dạng 2026/11/20"})
}

// fetch answers with the package, and with its attachments unpacked. It streams
// them: nothing is held whole.
func (f *Face) fetch(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	docID := r.URL.Query().Get("docId")
	if docID == "" {
		return badParameter.With("docId", "", exchange.Words{En: "a docId of the list", Vi: "docId có trong danh sách"})
	}
	p, content, err := f.x.DocumentContent(r.Context(), by, docID)
	if err != nil {
		return err
	}
	err = f.write(w, r, docID, p, content)
	if closed := content.Close(); closed != nil {
		f.log.WarnContext(r.Context(), "closing a package", "package", p.ID, "err", closed)
	}
	return err
}

func (f *Face) write(w http.ResponseWriter, r *http.Request, docID string, p exchange.Package, content exchange.Content) error {
	sender, err := f.x.Agency(r.Context(), p.Sender)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	s := &stream{w: w}
	s.text(`{"success":true,"errorCode":0,"message":"Thành công","data":{"docId":`)
	s.value(docID)
	for _, field := range []struct{ name, value string }{{"messageType", messageTypeOf(p)}, {"from", cmp.Or(p.SenderAs, p.Sender)}, {"fromName", sender.Name},
		{"edocCode", p.FullNumber()}, {"edocAbstract", p.Subject}} {
		s.text(`,"` + field.name + `":`)
		s.value(field.value)
	}
	s.text(`,"edxml":`)
	s.base64(func(to io.Writer) error { return copied(to, content) })
	s.text(`,"attachments":[`)
	f.attachments(s, p, content)
	s.text(`]}}`)
	if s.err != nil {
		f.log.WarnContext(r.Context(), "an answer broke off", "package", p.ID, "err", s.err)
		// The answer has begun. It is cut off, so that nobody takes it for whole.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) // recorders in tests have none
	}
	return nil
}

func copied(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return err
}

func (f *Face) attachments(s *stream, p exchange.Package, content exchange.Content) {
	if s.err != nil || len(p.Attachments) == 0 {
		return
	}
	if _, s.err = content.Seek(0, io.SeekStart); s.err != nil {
		return
	}
	first := true
	err := f.unpack(content, p.Attachments, func(a exchange.Attachment) (io.WriteCloser, error) {
		if !first {
			s.text(",")
		}
		first = false
		s.text(`{"fileName":`)
		s.value(a.Name)
		s.text(`,"fileContent":"`)
		return &attachment{s, base64.NewEncoder(base64.StdEncoding, s)}, s.err
	})
	s.err = errors.Join(s.err, err)
}

// attachment is one on its way into the answer.
type attachment struct {
	s *stream
	io.WriteCloser
}

func (a *attachment) Close() error {
	if err := a.WriteCloser.Close(); err != nil {
		return err
	}
	a.s.text(`"}`)
	return a.s.err
}

// stream writes JSON piece by piece, until something goes wrong.
type stream struct {
	w   io.Writer
	err error
}

func (s *stream) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	var n int
	n, s.err = s.w.Write(p)
	return n, s.err
}

func (s *stream) text(text string) { _, _ = io.WriteString(s, text) } // the error is kept

func (s *stream) value(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		s.err = fmt.Errorf("writing an answer: %w", err)
		return
	}
	_, _ = s.Write(text) // the error is kept
}

// base64 writes a string of base64.
func (s *stream) base64(fill func(io.Writer) error) {
	s.text(`"`)
	e := base64.NewEncoder(base64.StdEncoding, s)
	if err := fill(e); err != nil {
		s.err = err
		return
	}
	if err := e.Close(); err != nil {
		s.err = err
	}
	s.text(`"`)
}

// mark notes what became of a delivery: it was taken over, or could not be.
func (f *Face) mark(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	var given struct {
		DocID  string `json:"docId"`
		Status string `json:"status"`
	}
	if err := decode(r.Body, &given); err != nil {
		return err
	}
	type data struct {
		DocID   string             `json:"docId"`
		Receipt exchange.ReceiptID `json:"receipt,omitempty"`
	}
	d := data{DocID: given.DocID}
	switch strings.ToLower(given.Status) {
	case "done":
		receipt, _, err := f.x.TakeOver(r.Context(), by, given.DocID)
		if err != nil {
			return err
		}
		d.Receipt = receipt.ID
	case "fail":
		if err := f.x.ReportTrouble(r.Context(), by, given.DocID); err != nil {
			return err
		}
	default:
		return badParameter.With("status", exchange.Excerpt(given.Status), exchange.Words{En: "done or fail", Vi: "done hoặc fail"})
	}
	return answer(w, http.StatusOK, struct {
		done
		Data data `json:"data"`
	}{well("Cập nhật thành công"), d})
}

// decode reads a small object of JSON; members that mean nothing here are let pass.
func decode(body io.Reader, v any) error {
	text, err := io.ReadAll(body) // limited
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return badJSON.With(exchange.Excerpt(err.Error()))
	}
	return nil
}
