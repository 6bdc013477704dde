package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) purge(c *gin.Context, by exchange.Caller) error {
	var why struct {
		Reason string `json:"reason"`
	}
	if err := decode(c, &why); err != nil {
		return err
	}
	done, err := s.x.Purge(c.Request.Context(), by, exchange.PackageID(c.Param("id")), why.Reason)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, done)
}
