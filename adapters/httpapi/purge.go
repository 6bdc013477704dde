package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) purge(c *gin.Context, by exchange.Caller) error {
	reason, err := reasonOf(c)
	if err != nil {
		return err
	}
	done, err := s.x.Purge(c.Request.Context(), by, exchange.PackageID(c.Param("id")), reason)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, done)
}
