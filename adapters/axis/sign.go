package axis

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

const prefix = "XroadVnpt-"

// stampOf writes a time as ddMMyyyyTHHmmss+SSSS, where SSSS are milliseconds.
func stampOf(t time.Time) string {
	t = t.In(exchange.Vietnam)
	return t.Format("02012006T150405") + fmt.Sprintf("+%04d", t.Nanosecond()/int(time.Millisecond))
}

type parameter struct{ name, value string }

// parameters are a call's, in the order they are signed in.
type parameters []parameter

func (p *parameters) add(name, value string) { *p = append(*p, parameter{name, value}) }

// fitting is a parameter that is left out when it is empty.
func (p *parameters) fitting(name, value string) {
	if value != "" {
		p.add(name, value)
	}
}

// sign writes the parameters and their signature into a request's head. The
// parameter Content-Type gets its value here.
func (p parameters) sign(head http.Header, secret, contentType string) error {
	names := make([]string, 0, len(p))
	var signed bytes.Buffer
	for i, pair := range p {
		if pair.name == "Content-Type" {
			pair.value = contentType
		}
		if !printable(pair.value) {
			return unfit.With(pair.name, pair.value)
		}
		names = append(names, pair.name)
		head[prefix+pair.name] = []string{pair.value} // in the SDK's letter case
		signed.WriteByte("{,"[min(i, 1)])
		signed.WriteString(quote(prefix + pair.name))
		signed.WriteByte(':')
		signed.WriteString(quote(pair.value))
	}
	signed.WriteByte('}')
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(signed.Bytes())
	head[prefix+"sign-header-key"] = []string{strings.Join(names, ";")}
	head[prefix+"sign-header"] = []string{signed.String()}
	head[prefix+"hash-header"] = []string{hex.EncodeToString(mac.Sum(nil))}
	head[prefix+"version"] = []string{"3.0.201608"}
	head.Set("Content-Type", contentType)
	head.Set("User-Agent", "JAVASDKAgent/1.0.0 XRoad/VPCP") // some servers ask for it
	return nil
}

// quote writes a printable text as JSON, with no escape that is not needed.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string into memory
	return strings.TrimSuffix(b.String(), "\n")
}

// printable reports whether a text comes through a header as it is: others were
// seen to arrive as question marks, and their signature then fails.
func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0 && strings.TrimSpace(text) == text
}

// shortHex is a digest as the SDK writes it: one digit for bytes below 16.
func shortHex(digest []byte) string {
	var b strings.Builder
	for _, x := range digest {
		b.WriteString(strconv.FormatUint(uint64(x), 16))
	}
	return b.String()
}
