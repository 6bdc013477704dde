package vxp

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tram/exchange"
)

// prefix begins the names of a call's parameters.
const prefix = "XroadVnpt-"

// parameters are what a request signs, by name without the prefix, in the
// letters that the client wrote.
type parameters map[string]string

// signed is the signed part of a request and its proof.
type signed struct {
	text string // of sign-header, which the proof is about
	mac  []byte
	parameters
}

// stampForm is of a time-stamp: what follows the plus sign are milliseconds in
// four digits, no zone.
const stampForm = "02012006T150405"

// ahead is how far a client's clock may be before the hub's.
const ahead = 24 * time.Hour

// parse reads the signed part of a request.
func parse(h http.Header) (signed, error) {
	s := signed{text: h.Get(prefix + "sign-header")}
	if s.text == "" {
		return s, unsigned.With()
	}
	var err error
	if s.mac, err = hex.DecodeString(h.Get(prefix + "hash-header")); err != nil || len(s.mac) == 0 {
		return s, unsigned.With()
	}
	var members map[string]string
	if err := json.Unmarshal([]byte(s.text), &members); err != nil {
		return s, badHeader.With(err.Error())
	}
	s.parameters = make(parameters, len(members))
	for name, value := range members {
		if bare, found := strings.CutPrefix(name, prefix); found {
			s.parameters[bare] = value
		}
	}
	return s, nil
}

// caller finds the system that signed the request.
func (f *face) caller(r *http.Request) (exchange.Caller, error) {
	s, err := parse(r.Header)
	if err != nil {
		return exchange.Caller{}, err
	}
	by, err := f.x.AuthenticateMAC(r.Context(), s.parameters["systemid"], s.text, s.mac)
	if exchange.CodeOf(err) == exchange.Unauthenticated && strings.Contains(s.parameters["filePath"], "?") {
		return by, questionMark.With(s.parameters["filePath"])
	}
	if err != nil {
		return by, err
	}
	by.Partial = true
	return by, f.timely(s.parameters["timestamp"])
}

// timely refuses a time-stamp that is none, or is of a time to come. One may be as
// old as the client's process.
func (f *face) timely(stamp string) error {
	local, _, found := strings.Cut(stamp, "+")
	at, err := time.ParseInLocation(stampForm, local, exchange.Vietnam)
	if !found || err != nil {
		return badStamp.With(stamp)
	}
	if now := f.now(); at.After(now.Add(ahead)) {
		return earlyStamp.With(stamp, now.In(exchange.Vietnam).Format(stampForm))
	}
	return nil
}

// date reads a parameter that may be missing. A day that ends a time is counted
// to its end.
func (p parameters) date(name string, end bool) (time.Time, error) {
	text := strings.TrimSpace(p[name])
	if text == "" {
		return time.Time{}, nil
	}
	at, span, ok := exchange.ParseMailTime(text)
	if !ok {
		return time.Time{}, badDate.With(name, text)
	}
	if end && span > time.Second {
		return at.Add(span), nil
	}
	return at, nil
}
