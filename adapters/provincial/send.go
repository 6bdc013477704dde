package provincial

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"tram/exchange"
)

// send takes a package in: as the file of a multipart form, or as the body itself.
// What kind it is stands in the package; messageType is only held to its values.
func (f *Face) send(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	var s exchange.Submission
	var err error
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if strings.HasPrefix(kind, "multipart/") {
		s, err = f.sendForm(r, by, multipart.NewReader(r.Body, parameters["boundary"]))
	} else {
		s, err = f.x.Submit(r.Context(), by, r.Body)
	}
	if err != nil {
		return err
	}
	return f.sent(w, r, by, s)
}

// sendForm goes through the fields in whatever order they come. The file streams
// into the exchange as it comes.
func (f *Face) sendForm(r *http.Request, by exchange.Caller, form *multipart.Reader) (exchange.Submission, error) {
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			return exchange.Submission{}, noFile.With()
		}
		if err != nil {
			return exchange.Submission{}, formError(err)
		}
		switch {
		case part.FormName() == "messageType":
			if err := messageTypeField(part); err != nil {
				return exchange.Submission{}, err
			}
		case part.FormName() == "edocFile" || part.FileName() != "":
			return f.x.Submit(r.Context(), by, filePart{part})
		}
	}
}

// filePart says of a form that breaks off what is wrong with it.
type filePart struct{ part io.Reader }

func (p filePart) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	if err != nil && err != io.EOF {
		err = formError(err)
	}
	return n, err
}

// formError tells a form that does not end as it must from a body that did not
// come whole.
func formError(err error) error {
	var refused *exchange.Error
	if errors.As(err, &refused) {
		return refused
	}
	broken := brokenMultipart.With()
	broken.Err = err
	return broken
}

func messageTypeField(part io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(part, 64))
	if err != nil {
		return formError(err)
	}
	_, err = messageType(string(text))
	return err
}

// messageType reports whether statuses are meant; the default is documents.
func messageType(text string) (statuses bool, err error) {
	switch text = strings.TrimSpace(text); {
	case strings.EqualFold(text, "status"):
		return true, nil
	case text == "" || strings.EqualFold(text, "edoc"):
		return false, nil
	}
	return false, badParameter.With("messageType", exchange.Excerpt(text), exchange.Words{En: "edoc or status", Vi: "edoc hoặc status"})
}

// sent answers with the docId, and with the recipients that were not found.
func (f *Face) sent(w http.ResponseWriter, r *http.Request, by exchange.Caller, s exchange.Submission) error {
	view, err := f.x.Package(r.Context(), by, s.Package)
	if err != nil {
		return err
	}
	type result struct {
		Code    string `json:"code"`
		DocID   string `json:"docId,omitempty"` // as the recipient knows the package
		Success bool   `json:"success"`
		Error   int    `json:"errorCode"`
		Message string `json:"message,omitempty"`
	}
	type data struct {
		DocID      string             `json:"docId"`
		Receipt    exchange.ReceiptID `json:"receipt"`
		Resent     bool               `json:"resent"`
		Warnings   []string           `json:"warnings,omitempty"`
		Recipients []result           `json:"recipients"`
	}
	p := view.Package
	d := data{DocID: p.DocID(), Receipt: s.Receipt.ID, Resent: s.Resubmitted, Warnings: p.Warnings, Recipients: []result{}}
	for _, to := range view.Deliveries {
		d.Recipients = append(d.Recipients, result{Code: p.Writes(to.Recipient), DocID: to.DocID(), Success: true})
	}
	for _, to := range p.Unknown {
		d.Recipients = append(d.Recipients, result{Code: to.As, Error: noSuchRecipient,
			Message: "Không có cơ quan nhận này trong danh bạ, hoặc mã đã đóng; gói tin không được chuyển tới mã này (no agency takes packages under this code)"})
	}
	message := "Gửi thành công"
	if len(p.Unknown) > 0 {
		message = "Đã tiếp nhận, nhưng có cơ quan nhận không tồn tại: xem recipients (accepted, but not for every recipient)"
	}
	return answer(w, http.StatusOK, struct {
		done
		DocID string `json:"docId"`
		Data  data   `json:"data"`
	}{well(message), d.DocID, d})
}
