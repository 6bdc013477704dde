package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) search(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "q", "sender", "recipient", "kind", "state", "from", "to", "cursor", "limit")
	if err != nil {
		return err
	}
	from, to, err := period(q)
	if err != nil {
		return err
	}
	page, err := s.x.Search(c.Request.Context(), by, exchange.Search{Text: q.Get("q"), Sender: q.Get("sender"), Recipient: q.Get("recipient"),
		Kind: exchange.Kind(q.Get("kind")), State: exchange.State(q.Get("state")), From: from, To: to, Cursor: q.Get("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	page.Found = orEmpty(page.Found)
	return answer(c, http.StatusOK, page)
}
