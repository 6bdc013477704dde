package provincial

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"tram/exchange"
)

// Config is what a Face needs.
type Config struct {
	// Exchange does the work.
	Exchange *exchange.Exchange
	// TokenKey signs tokens; at least 32 bytes. Nodes of one hub have the same.
	TokenKey []byte
	// Unpack writes the attachments of a package as receivers have them, each to
	// the writer that open returns, in the order of the document.
	Unpack func(pkg io.Reader, list []exchange.Attachment, open func(exchange.Attachment) (io.WriteCloser, error)) error
	// Log is told of answers that broke off.
	Log *slog.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// Face serves the protocol.
type Face struct {
	x      *exchange.Exchange
	tokens tokens
	unpack func(io.Reader, []exchange.Attachment, func(exchange.Attachment) (io.WriteCloser, error)) error
	log    *slog.Logger
}

// New checks the configuration and names what is missing.
func New(c Config) (*Face, error) {
	switch {
	case c.Exchange == nil:
		return nil, errors.New("provincial: Exchange is not set")
	case len(c.TokenKey) < 32:
		return nil, errors.New("provincial: TokenKey is shorter than 32 bytes")
	case c.Unpack == nil:
		return nil, errors.New("provincial: Unpack is not set")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Face{x: c.Exchange, tokens: tokens{c.TokenKey, c.Now}, unpack: c.Unpack, log: c.Log}, nil
}

// A Route is one call. Package lets its body be as long as a package; Caller finds
// out who asks, nil: nobody has to say.
type Route struct {
	Method, Path string
	Package      bool
	Caller       func(*http.Request) (exchange.Caller, error)
	Serve        func(w http.ResponseWriter, r *http.Request, by exchange.Caller) error
}

// Routes are the calls of the protocol.
func (f *Face) Routes() []Route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []Route{
		{post, "/v1/auth/login", false, nil, f.login},
		{post, "/v1/sendEdoc", true, f.caller, f.send},
		{get, "/v1/syncReceivedEdocList", false, f.caller, f.received},
		{get, "/v1/getEdoc", false, f.caller, f.fetch},
		{post, "/v1/updateStatus", false, f.caller, f.mark},
		{get, "/v1/getAgenciesList", false, f.caller, f.agencies},
		{post, "/v1/registerAgency", false, f.caller, f.register},
		{post, "/v1/deleteAgency", false, f.caller, f.remove},
		{del, "/v1/deleteAgency", false, f.caller, f.remove},
	}
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that left reads no answer
	return nil
}

// done is how every good answer begins.
type done struct {
	Success bool   `json:"success"`
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
}

func well(message string) done { return done{Success: true, Message: message} }
