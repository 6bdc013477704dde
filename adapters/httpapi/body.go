package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// A bodyKind is what a route takes in.
type bodyKind int

const (
	noBody bodyKind = iota
	packageBody
	acknowledgementBody
	jsonBody
	formBody
	listBody // lines of JSON
	faceBody // of another protocol's calls, but for packages
)

// mediaTypes are those a kind may come as.
var mediaTypes = map[bodyKind][]string{
	packageBody:         {"application/xml", "text/xml", "application/octet-stream"},
	acknowledgementBody: {"application/xml", "text/xml"},
	jsonBody:            {"application/json"},
	formBody:            {"multipart/form-data"},
	listBody:            {"application/x-ndjson"},
}

func (s *Server) longest(kind bodyKind) int64 {
	switch kind {
	case packageBody, formBody:
		return s.limits.Package
	case listBody:
		return mostListed
	case acknowledgementBody:
		return s.limits.Acknowledgement
	}
	return s.limits.JSON
}

// withBody serves a request whose body is of the kind, if there is room for
// one more. The handler reads it from the request, within its limits.
func (s *Server) withBody(c *gin.Context, kind bodyKind, serve func() error) error {
	limit := s.longest(kind)
	if by := recordOf(c).caller; by == (exchange.Caller{}).String() {
		limit = min(limit, s.limits.Sample)
	}
	if kind == noBody {
		return s.withoutBody(c, limit, serve)
	}
	if err := announced(c.Request, kind, limit); err != nil {
		return err
	}
	return s.withRoom(c, limit, serve)
}

// withRoom serves a request whose body is at most so long, if there is room for one
// more.
func (s *Server) withRoom(c *gin.Context, limit int64, serve func() error) error {
	by := recordOf(c).caller
	if !s.bodies.take(by) {
		return tooManyBodies.With(2)
	}
	defer s.bodies.giveBack(by)
	c.Request.Body = s.bounded(c, limit)
	return serve()
}

// withoutBody reads what a caller sends where nothing is taken, an empty object
// of JSON say, and serves the request then: left unread it could hold up the
// answer for as long as the caller likes.
func (s *Server) withoutBody(c *gin.Context, limit int64, serve func() error) error {
	if c.Request.ContentLength == 0 {
		return serve()
	}
	if _, err := io.Copy(io.Discard, s.bounded(c, limit)); err != nil {
		return err
	}
	return serve()
}

// bounded is the request's body within a length and the time it may take.
func (s *Server) bounded(c *gin.Context, limit int64) *body {
	return &body{
		r: http.MaxBytesReader(nil, c.Request.Body, limit), control: http.NewResponseController(c.Writer),
		limit: limit, patience: s.limits.MiB, received: &recordOf(c).received,
	}
}

// announced judges a body by its headers.
func announced(r *http.Request, kind bodyKind, limit int64) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return contentEncoding.With(exchange.Excerpt(encoding))
	}
	if err := typed(r.Header.Get("Content-Type"), mediaTypes[kind]); err != nil {
		return err
	}
	if r.ContentLength > limit {
		return exchange.TooLargeError(limit)
	}
	return nil
}

// typed holds a Content-Type to the media types that are taken. XML and JSON
// are UTF-8 here, whatever they might be elsewhere.
func typed(header string, taken []string) error {
	found, parameters, err := mime.ParseMediaType(header)
	if strings.HasPrefix(found, "multipart/") && !slices.Contains(taken, found) {
		return multipartBody.With(found)
	}
	if found == "application/x-www-form-urlencoded" {
		return untypedBody.With(taken[0])
	}
	charset := parameters["charset"]
	if err == nil && (charset == "" || strings.EqualFold(charset, "utf-8")) && slices.Contains(taken, found) {
		return nil
	}
	return mediaType.With(exchange.Excerpt(header), strings.Join(taken, ", "))
}

// body reads a request's body within its limits and turns every way in which
// it may not come whole into a refusal.
type body struct {
	r        io.ReadCloser
	control  *http.ResponseController
	limit    int64
	patience time.Duration
	grace    int64  // what may still come before the deadline is moved
	received *int64 // counts what came
}

// slowError says that a MiB took longer than patience.
type slowError struct{ patience time.Duration }

func (e *slowError) Error() string {
	return fmt.Sprintf("less than 1 MiB of the body came in %s", e.patience)
}

func (b *body) Read(p []byte) (int, error) {
	if b.grace <= 0 {
		b.grace += 1 << 20
		if err := b.control.SetReadDeadline(time.Now().Add(b.patience)); err != nil {
			return 0, fmt.Errorf("setting the time a body may take: %w", err)
		}
	}
	n, err := b.r.Read(p)
	b.grace -= int64(n)
	*b.received += int64(n)
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		return n, b.cut(err)
	}
	// The deadline was for the body. Left as it is, it would end the server's
	// watch for the caller's going away, and with it the request.
	_ = b.control.SetReadDeadline(time.Time{}) // the same call succeeded above
	return n, io.EOF
}

// cut is the refusal of a body that did not come to its end.
func (b *body) cut(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return exchange.TooLargeError(b.limit)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return exchange.TruncatedError(&slowError{b.patience})
	}
	return exchange.TruncatedError(err)
}

func (b *body) Close() error { return b.r.Close() }
