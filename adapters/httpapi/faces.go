package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// A Face is another protocol that is served beside /v1, on paths of its own.
// Rates, room for bodies, time-outs, the log and metrics are the same for all.
type Face struct {
	Routes []FaceRoute
	// Refuse answers with what went wrong, in the protocol's own form.
	Refuse func(w http.ResponseWriter, r *http.Request, refused *exchange.Error)
}

// A FaceRoute is one call of a face.
type FaceRoute struct {
	Method, Path string
	// Package lets the body be as long as a package; others are as long as JSON.
	Package bool
	// Caller finds out who asks; nil: nobody has to say. A refusal of the code
	// unauthenticated counts as a failed attempt from its address.
	Caller func(*http.Request) (exchange.Caller, error)
	Serve  func(w http.ResponseWriter, r *http.Request, by exchange.Caller) error
}

// serveFace is the way of a face's request, as serve is that of /v1.
func (s *Server) serveFace(f Face, r FaceRoute) gin.HandlerFunc {
	kind := faceBody
	if r.Package {
		kind = packageBody
	}
	return func(c *gin.Context) {
		by, err := s.admitFace(c, r)
		if err == nil {
			err = s.withFaceBody(c, kind, func() error { return r.Serve(c.Writer, c.Request, by) })
		}
		if err != nil {
			s.refuseFace(c, f, err)
		}
	}
}

func (s *Server) admitFace(c *gin.Context, r FaceRoute) (by exchange.Caller, err error) {
	record := recordOf(c)
	record.route = r.Path
	name := addressOf(c.Request)
	if r.Caller != nil {
		if by, err = s.counted(c.Request, r.Caller); err != nil {
			return by, err
		}
		record.caller = by.String()
		name = record.caller
	}
	if wait, ok := s.rates.take(name, s.now()); !ok {
		return by, tooOften.With(name, wait)
	}
	return by, nil
}

// withFaceBody is withBody for any media type: old clients send what they like.
func (s *Server) withFaceBody(c *gin.Context, kind bodyKind, serve func() error) error {
	limit := s.longest(kind)
	if c.Request.ContentLength > limit {
		return exchange.TooLargeError(limit)
	}
	return s.withRoom(c, limit, serve)
}

func (s *Server) refuseFace(c *gin.Context, f Face, err error) {
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		c.Status(statusGone) // nobody reads it
		return
	}
	refused := s.noteRefusal(c, err)
	status := statusOf(refused)
	if c.Request.ProtoMajor == 1 && (status == http.StatusRequestEntityTooLarge || status == http.StatusRequestTimeout) {
		c.Header("Connection", "close") // the rest of the body is not wanted
	}
	s.hurry(c, status)
	f.Refuse(c.Writer, c.Request, refused)
}
