package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// inbox waits for something to come, if it is asked to. A server that is to
// shut down answers at once: the caller asks again, of another or later.
func (s *Server) inbox(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "agency", "cursor", "limit", "wait")
	if err != nil {
		return err
	}
	wait, err := s.waitOf(q.Get("wait"))
	if err != nil {
		return err
	}
	if wait > 0 {
		key := recordOf(c).caller
		if !s.waits.take(key) {
			return tooManyWaits.With(waitsPause)
		}
		defer s.waits.giveBack(key)
	}
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	page, err := s.x.Inbox(ctx, by, q.Get("agency"), q.Get("cursor"), limit, wait)
	if err != nil && s.draining.Err() != nil && c.Request.Context().Err() == nil {
		page, err = s.x.Inbox(c.Request.Context(), by, q.Get("agency"), q.Get("cursor"), limit, 0)
	}
	if err != nil {
		return err
	}
	page.Items = orEmpty(page.Items)
	return answer(c, http.StatusOK, page)
}

// waitsPause is how many seconds a caller is asked to wait that has more waiting
// requests than it may.
const waitsPause = 5

// waitOf reads "30s", "1m" or "30". Longer waits than the server's are cut.
func (s *Server) waitOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if seconds, numeric := strconv.Atoi(text); numeric == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > time.Hour {
		return 0, badWait.With(exchange.Excerpt(text))
	}
	return min(wait, s.limits.Wait), nil
}

func (s *Server) deliveries(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "state", "recipient", "sender", "cursor", "limit")
	if err != nil {
		return err
	}
	state := exchange.State(q.Get("state"))
	if state != "" && !slices.Contains(exchange.States, state) {
		return badState.With(exchange.Excerpt(string(state)), strings.Trim(fmt.Sprint(exchange.States), "[]"))
	}
	list, cursor, err := s.x.Deliveries(c.Request.Context(), by, exchange.DeliveryQuery{State: state,
		Recipient: q.Get("recipient"), Sender: q.Get("sender"), Cursor: q.Get("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Deliveries []exchange.Delivery `json:"deliveries"`
		Cursor     string              `json:"cursor"`
	}{orEmpty(list), cursor})
}

func (s *Server) delivery(c *gin.Context, by exchange.Caller) error {
	item, err := s.x.Delivery(c.Request.Context(), by, exchange.DeliveryID(c.Param("id")))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, item)
}

// deliveryContent gives the recipient the package. Asking with HEAD for its size
// and digest is not a fetch, and leaves no mark.
func (s *Server) deliveryContent(c *gin.Context, by exchange.Caller) error {
	id := exchange.DeliveryID(c.Param("id"))
	if c.Request.Method == http.MethodHead {
		item, err := s.x.Delivery(c.Request.Context(), by, id)
		if err != nil {
			return err
		}
		h := c.Writer.Header()
		h.Set("Content-Type", mediaXML)
		h.Set("Content-Length", strconv.FormatInt(item.Package.Size, 10))
		h.Set("ETag", `"`+item.Package.Digest.String()+`"`)
		c.Status(http.StatusOK)
		return nil
	}
	p, file, err := s.x.DeliveryContent(c.Request.Context(), by, id)
	if err != nil {
		return err
	}
	return s.pack(c, p, file)
}

func (s *Server) acknowledge(c *gin.Context, by exchange.Caller) error {
	r, before, err := s.x.Acknowledge(c.Request.Context(), by, exchange.DeliveryID(c.Param("id")), c.Request.Body)
	if err != nil {
		return err
	}
	receipt(c, r, before)
	return nil
}

// operation is what operators do to a delivery.
type operation func(ctx context.Context, by exchange.Caller, id exchange.DeliveryID, reason string) (exchange.Delivery, error)

func (s *Server) operate(do operation) handler {
	return func(c *gin.Context, by exchange.Caller) error {
		reason, err := reasonOf(c)
		if err != nil {
			return err
		}
		d, err := do(c.Request.Context(), by, exchange.DeliveryID(c.Param("id")), reason)
		if err != nil {
			return err
		}
		return answer(c, http.StatusOK, d)
	}
}
