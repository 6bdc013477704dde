package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

const (
	mediaXML   = "application/xml"
	mediaText  = "text/plain; charset=utf-8"
	mediaBytes = "application/octet-stream"
)

// answer encodes v.
func answer(c *gin.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	c.Data(status, "application/json", body)
	return nil
}

// orEmpty makes a list that is written as [] rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// decode reads a body of JSON: one value, and no member that nobody reads.
func decode(c *gin.Context, v any) error {
	body, err := io.ReadAll(c.Request.Body) // limited
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return misread(body, d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF { // More takes a bracket too many for an end
		return longJSON.With().At("", lineOf(body, d.InputOffset()))
	}
	return nil
}

// reasonOf reads a body that gives the reason of what is asked for.
func reasonOf(c *gin.Context) (string, error) {
	var why struct {
		Reason string `json:"reason"`
	}
	err := decode(c, &why)
	return why.Reason, err
}

// misread says how and where the body is not what it should be.
func misread(body []byte, offset int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return shortJSON.With().At("", lineOf(body, int64(len(body))))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return badJSON.With(characterAt(body, syntax.Offset)).At("", lineOf(body, syntax.Offset))
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return typeJSON.With(kind.Value).At("/"+strings.ReplaceAll(kind.Field, ".", "/"), lineOf(body, kind.Offset))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if at := bytes.Index(body, []byte(name)); at >= 0 { // else it is written with escapes
			offset = int64(at)
		}
		return unknownMember.With(exchange.Excerpt(name)).At("", lineOf(body, offset))
	}
	return valueJSON.With() // encoding/json does not say where
}

// characterAt is the one that was read last of so many bytes.
func characterAt(body []byte, read int64) string {
	read = min(max(read, 1), int64(len(body)))
	r, _ := utf8.DecodeRune(body[read-1:])
	return string(r)
}

func lineOf(body []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(body)))
	return 1 + bytes.Count(body[:offset], []byte("\n"))
}

// query reads the parameters, of which there are only the named ones, each at
// most once: a mistyped filter must not list everything.
func query(c *gin.Context, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, badQuery.With(exchange.Excerpt(c.Request.URL.RawQuery))
	}
	for name, given := range values {
		if !slices.Contains(names, name) {
			return nil, unknownParameter.With(exchange.Excerpt(name), strings.Join(names, ", "))
		}
		if len(given) > 1 {
			return nil, repeated.With(name)
		}
	}
	return values, nil
}

// pageQuery reads the parameters of a list, and how many entries are asked for; 0: as
// many as the exchange likes.
func pageQuery(c *gin.Context, names ...string) (q url.Values, limit int, err error) {
	if q, err = query(c, names...); err != nil {
		return nil, 0, err
	}
	text := q.Get("limit")
	if text == "" {
		return q, 0, nil
	}
	if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
		return nil, 0, badLimit.With(exchange.Excerpt(text))
	}
	return q, limit, nil
}

// period reads where a period begins and ends.
func period(q url.Values) (from, to time.Time, err error) {
	if from, err = exchange.SearchBegin(q.Get("from")); err == nil {
		to, err = exchange.SearchEnd(q.Get("to"))
	}
	return from, to, err
}

// content answers with bytes that never change, in whole or in ranges (RFC 9110,
// 14). Their digest is the strong validator.
func content(c *gin.Context, kind, name string, digest exchange.Digest, since time.Time, bytes io.ReadSeeker) {
	h := c.Writer.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", `"`+digest.String()+`"`)
	h.Set("Cache-Control", "private, no-cache") // kept if asked again each time
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	http.ServeContent(c.Writer, c.Request, "", since, bytes)
}
