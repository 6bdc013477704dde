package vxp

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

// received is an entry of getReceivedEdocList.
type received struct {
	DocID   string `json:"docId"`
	Service string `json:"serviceType"`
	Message string `json:"messageType"`
	Created string `json:"created_time"`
	Updated string `json:"updated_time"`
	From    string `json:"from"`
	To      string `json:"to"`
	Status  string `json:"status"`
	Words   string `json:"status_desc"`
}

// sent is an entry of getSentEdocList.
type sent struct {
	SenderDocID   string `json:"senderDocId"`
	ReceiverDocID string `json:"receiverDocId"`
	From          string `json:"fromCode"`
	To            string `json:"toCode"`
	Title         string `json:"title"`
	Notation      string `json:"notation"`
	Message       string `json:"messageType"`
	Service       string `json:"serviceType"`
	Sent          string `json:"sentTime"`
	Received      string `json:"receivedTime"`
	SendStatus    string `json:"sendStatus"`
	SendWords     string `json:"sendStatusDesc"`
	ReceiveStatus string `json:"receiveStatus"`
	ReceiveWords  string `json:"receiveStatusDesc"`
}

const service = "eDoc"

// words are what software shows for a state.
var words = map[exchange.MailState]string{
	exchange.MailInitial:    "Chờ nhận",
	exchange.MailProcessing: "Đang nhận",
	exchange.MailDone:       "Đã nhận",
	exchange.MailFail:       "Không nhận được",
}

func (f *face) received(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	q, message, err := f.listed(r)
	if err != nil {
		return err
	}
	list, err := f.x.Received(r.Context(), by, q)
	if err != nil {
		return err
	}
	entries := make([]received, 0, len(list))
	for _, item := range list {
		state := item.Delivery.MailState()
		entries = append(entries, received{
			DocID: item.Delivery.DocID(), Service: service, Message: message,
			Created: local(item.Delivery.ConsignedAt), Updated: local(changed(item.Delivery)),
			From: cmp.Or(item.Package.SenderAs, item.Package.Sender), To: item.Package.Writes(item.Delivery.Recipient), Status: string(state), Words: words[state],
		})
	}
	answer := good
	answer.Data = entries
	return answer.send(w)
}

func (f *face) sent(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	q, message, err := f.listed(r)
	if err != nil {
		return err
	}
	list, err := f.x.Sent(r.Context(), by, q)
	if err != nil {
		return err
	}
	entries := make([]sent, 0, len(list))
	for _, item := range list {
		entries = append(entries, sentTo(item, message))
		if item.Delivery.Index == 1 {
			entries = append(entries, sentToNobody(item, message)...)
		}
	}
	answer := good
	answer.Data = entries
	return answer.send(w)
}

func sentTo(item exchange.InboxItem, message string) sent {
	p, d := item.Package, item.Delivery
	state := d.MailState()
	entry := sent{
		SenderDocID: p.DocID(), ReceiverDocID: d.DocID(), From: cmp.Or(p.SenderAs, p.Sender), To: p.Writes(d.Recipient),
		Title: p.Subject, Notation: p.FullNumber(), Message: message, Service: service,
		Sent: local(p.AcceptedAt), Received: local(d.FetchedAt), ReceiveStatus: string(state), ReceiveWords: words[state],
	}
	entry.SendStatus, entry.SendWords = sending(d)
	if n := len(d.Statuses); n > 0 { // what the recipient's people last said of the document
		last := d.Statuses[n-1]
		entry.ReceiveWords = last.Code + ": " + cmp.Or(last.Description, words[state])
	}
	if d.State == exchange.Rejected { // however it was refused
		entry.ReceiveWords = exchange.StatusRefused + ": " + cmp.Or(d.Detail, "Từ chối tiếp nhận")
	}
	return entry
}

// sending is how far the hub came with a delivery.
func sending(d exchange.Delivery) (state, said string) {
	switch {
	case !d.ConsignedAt.IsZero():
		return string(exchange.MailDone), "Đã gửi"
	case d.State.Final():
		return string(exchange.MailFail), "Không gửi được"
	}
	return string(exchange.MailProcessing), "Đang gửi"
}

// sentToNobody tells of recipients that are not in the directory: the package went
// to the others only.
func sentToNobody(item exchange.InboxItem, message string) (list []sent) {
	for _, r := range item.Package.Unknown {
		entry := sentTo(item, message)
		entry.ReceiverDocID, entry.To, entry.Received = "", r.As, ""
		entry.SendStatus, entry.SendWords = string(exchange.MailFail), "Đơn vị nhận không có trong danh bạ"
		entry.ReceiveStatus, entry.ReceiveWords = string(exchange.MailFail), words[exchange.MailFail]
		list = append(list, entry)
	}
	return list
}

func (f *face) count(statuses bool) func(http.ResponseWriter, *http.Request, exchange.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
		q, _, err := f.listed(r)
		if err != nil {
			return err
		}
		q.Statuses = statuses
		list, err := f.x.Received(r.Context(), by, q)
		if err != nil {
			return err
		}
		answer := good
		answer.Count = len(list)
		return answer.send(w)
	}
}

// listed is what a list is asked for, and its messagetype.
func (f *face) listed(r *http.Request) (q exchange.MailQuery, message string, err error) {
	p, err := asked(r)
	if err != nil {
		return q, "", err
	}
	if message = strings.ToLower(p["messagetype"]); message == "" {
		message = "edoc"
	}
	if message != "edoc" && message != "status" {
		return q, "", badKind.With(message)
	}
	q.Statuses = message == "status"
	if q.From, err = p.date("fromDate", false); err != nil {
		return q, "", err
	}
	if q.To, err = p.date("toDate", true); err != nil {
		return q, "", err
	}
	size, err := p.number("pageSize")
	if err != nil || size == 0 {
		return q, message, err
	}
	index, err := p.number("pageIndex")
	q.Limit, q.Skip = size, size*max(index-1, 0)
	return q, message, err
}

func (p parameters) number(name string) (int, error) {
	if p[name] == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(p[name])
	if err != nil || n < 0 || n > 1<<20 {
		return 0, badCount.With(name, p[name])
	}
	return n, nil
}

func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(exchange.Vietnam).Format("2006/01/02 15:04:05")
}

// changed is when the delivery last changed for its recipient.
func changed(d exchange.Delivery) time.Time {
	last := d.ConsignedAt
	for _, t := range []time.Time{d.FetchedAt, d.TroubleAt, d.SettledAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}
