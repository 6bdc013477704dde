package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) rescan(c *gin.Context, by exchange.Caller) error {
	var why struct {
		Reason string `json:"reason"`
		Cursor string `json:"cursor"`
	}
	if err := decode(c, &why); err != nil {
		return err
	}
	done, err := s.x.Rescan(c.Request.Context(), by, why.Reason, why.Cursor)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, done)
}
