package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) orphans(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "cursor", "limit")
	if err != nil {
		return err
	}
	list, cursor, err := s.x.Orphans(c.Request.Context(), by, q.Get("cursor"), limit)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Packages []exchange.Package `json:"packages"`
		Cursor   string             `json:"cursor"`
	}{orEmpty(list), cursor})
}
