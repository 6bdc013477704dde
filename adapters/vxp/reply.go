package vxp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"tram/exchange"
)

// reply is what every answer says. Members that a call's client looks for stand
// there whatever happened: one that is missing, or null, hides the rest from it.
type reply struct {
	Status string `json:"status"`
	Code   string `json:"ErrorCode"`
	Text   string `json:"ErrorDesc"`
	DocID  string `json:"DocId"`
	Data   any    `json:"data"`
	Count  int    `json:"count"`
}

var good = reply{Status: "OK", Code: "0", Text: "Thành công", Data: []any{}}

func (r reply) send(w http.ResponseWriter) error {
	body, err := encode(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that is gone asks again
	return nil
}

// refuse tells what went wrong. getEdoc's client looks for a text in data.
func (f *face) refuse(w http.ResponseWriter, r *http.Request, refused *exchange.Error) {
	f.fail(w, r, Number(refused), refused)
}

func (f *face) fail(w http.ResponseWriter, r *http.Request, number string, refused *exchange.Error) {
	text := refused.Text("vi")
	if refused.Path != "" {
		text += " [" + refused.Path + ", dòng " + strconv.Itoa(refused.Line) + "]"
	}
	answer := reply{Status: "FAIL", Code: number, Text: text, Data: []any{}}
	if isGet(r) {
		answer.Data = ""
	}
	_ = answer.send(w) // texts and a list: nothing that cannot be encoded
}

// encode writes JSON in ASCII.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return ascii(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// ascii replaces what is not ASCII, which stands in strings only, by escapes.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text)+len(text)/4)
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			out, text = append(out, text[0]), text[1:]
			continue
		}
		c, n := utf8.DecodeRune(text)
		text = text[n:]
		if high, low := utf16.EncodeRune(c); high != utf8.RuneError {
			out = escape(escape(out, high), low)
			continue
		}
		out = escape(out, c)
	}
	return out
}

func escape(b []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
