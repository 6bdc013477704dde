package axis

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"tram/exchange"
)

// Kind is what a list is of, and what is sent.
type Kind string

// The kinds: documents, and statuses of documents.
const (
	Documents Kind = "edoc"
	Statuses  Kind = "status"
)

// Parcel is a package to send.
type Parcel struct {
	Kind Kind
	From string   // the sender's code, as the package has it
	To   []string // the recipients that this axis is to bring it to; none for a status leaves it to the package
	// Digest is SHA-256 of the content, and Size its length in bytes.
	Digest  [32]byte
	Size    int64
	Content io.Reader
}

// Send sends a package and returns the axis's identifier of it.
func (c *Client) Send(ctx context.Context, p Parcel) (string, error) {
	params := parameters{{"systemid", c.c.System}, {"servicetype", "eDoc"}, {"messagetype", string(p.Kind)},
		{"hash-file", shortHex(p.Digest[:])}, {"from", p.From}}
	if len(p.To) > 0 {
		list := make([]string, 0, len(p.To))
		for _, code := range p.To {
			list = append(list, quote(code))
		}
		params.add("to", "["+strings.Join(list, ",")+"]")
	}
	params = append(params, c.closing()...)
	const lineEnd = "\r\n" // the protocol's, behind the file
	body := content{kind: "application/octet-stream", body: io.MultiReader(p.Content, strings.NewReader(lineEnd)), size: p.Size + int64(len(lineEnd))}
	var answer struct {
		verdict
		DocID text `json:"DocId"`
	}
	if err := c.get(ctx, "sendEdoc", params, body, &answer, &answer.verdict); err != nil {
		return "", err
	}
	if answer.DocID == "" {
		return "", strange.With(c.c.Name, "sendEdoc", 200)
	}
	return string(answer.DocID), nil
}

// Received is a package that waits for the system, or was fetched by it.
type Received struct {
	DocID   text `json:"docId"`
	Kind    text `json:"messageType"`
	From    text `json:"from"`
	To      text `json:"to"`
	Created text `json:"created_time"` // yyyy/MM/dd HH:mm:ss, the axis's clock
	Status  text `json:"status"`       // initial, processing, done, fail
}

// Sent is what became of a package at one recipient.
type Sent struct {
	SenderDocID   text `json:"senderDocId"`
	ReceiverDocID text `json:"receiverDocId"`
	From          text `json:"fromCode"`
	To            text `json:"toCode"`
	Sending       text `json:"sendStatus"`    // initial, processing, done, fail
	Receiving     text `json:"receiveStatus"` // the same
	Words         text `json:"receiveStatusDesc"`
}

// Received lists packages for the system's agencies: what is not done yet, or of
// the days from to until, whatever its state, when these are given.
func (c *Client) Received(ctx context.Context, kind Kind, from, until time.Time) ([]Received, error) {
	return list[Received](ctx, c, "getReceivedEdocList", c.between(kind, from, until))
}

// Sent lists packages that the system sent, by recipient.
func (c *Client) Sent(ctx context.Context, kind Kind, from, until time.Time) ([]Sent, error) {
	return list[Sent](ctx, c, "getSentEdocList", c.between(kind, from, until))
}

// Agency is an entry of the axis's directory.
type Agency struct {
	ID       text `json:"id"`
	Parent   text `json:"pid"`
	Code     text `json:"code"`
	Name     text `json:"name"`
	Mail     text `json:"mail"`
	Center   text `json:"centerCode"` // Units only, as the rest
	Deleted  bool `json:"deleted"`
	Modified text `json:"modifyDate"`
}

// Agencies is the directory of the agencies that can be written to.
func (c *Client) Agencies(ctx context.Context) ([]Agency, error) {
	return list[Agency](ctx, c, "getAgenciesList", append(parameters{{"systemid", c.c.System}}, c.closing()...))
}

// Units is the directory with what was deleted, and when entries changed.
func (c *Client) Units(ctx context.Context) ([]Agency, error) {
	return list[Agency](ctx, c, "getSynchronizeUnit", append(parameters{{"systemid", c.c.System}}, c.closing()...))
}

// Done tells the axis that a package was taken over.
func (c *Client) Done(ctx context.Context, docID string) error { return c.mark(ctx, docID, "done") }

// Fail tells the axis that a package could not be taken over.
func (c *Client) Fail(ctx context.Context, docID string) error { return c.mark(ctx, docID, "fail") }

func (c *Client) mark(ctx context.Context, docID, status string) error {
	params := append(parameters{{"systemid", c.c.System}, {"docid", docID}}, c.closing()...)
	params.add("status", status)
	var answer verdict
	return c.get(ctx, "updateStatus", params, braces(), &answer, &answer)
}

// closing are the parameters that end a call's own.
func (c *Client) closing() parameters {
	return parameters{{"timestamp", stampOf(c.c.Now())}, {"Content-Type", ""}}
}

func (c *Client) between(kind Kind, from, until time.Time) parameters {
	var p parameters
	p.fitting("fromDate", day(from))
	p = append(p, parameters{{"systemid", c.c.System}, {"servicetype", "eDoc"}, {"messagetype", string(kind)}}...)
	p.fitting("toDate", day(until))
	return append(p, c.closing()...)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(exchange.Vietnam).Format("2006/01/02")
}

func list[Entry any](ctx context.Context, c *Client, call string, params parameters) ([]Entry, error) {
	var answer struct {
		verdict
		Data []Entry `json:"data"`
	}
	if err := c.get(ctx, call, params, nothing(), &answer, &answer.verdict); err != nil {
		return nil, err
	}
	if answer.Data == nil { // no list is not an empty list: it would hide that the axis is out of order
		return nil, strange.With(c.c.Name, call, 200)
	}
	return answer.Data, nil
}

// text is a member that servers write as a string, a number, or a list of one.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		return json.Unmarshal(b, (*string)(t))
	case '[':
		var several []string
		if err := json.Unmarshal(b, &several); err != nil {
			return err
		}
		*t = text(strings.Join(several, ";"))
	case 'n': // null
		*t = ""
	default:
		*t = text(b)
	}
	return nil
}

// plain is the other side's text, short and in one line: the sender sees it.
func plain(words string) string {
	const most = 200
	line := []rune(strings.Join(strings.Fields(words), " "))
	if len(line) > most {
		line = append(line[:most], '…')
	}
	return string(line)
}
