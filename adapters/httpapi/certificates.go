package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// mostDays is further ahead than any certificate goes.
const mostDays = 100_000

// certificates lists what ends within some days, or has ended.
func (s *Server) certificates(c *gin.Context, by exchange.Caller) error {
	q, err := query(c, "days")
	if err != nil {
		return err
	}
	days := mostDays
	if text := q.Get("days"); text != "" {
		if days, err = strconv.Atoi(text); err != nil || days < 0 || days > mostDays {
			return badDays.With(exchange.Excerpt(text))
		}
	}
	list, err := s.x.Terms(c.Request.Context(), by, time.Duration(days)*24*time.Hour)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Certificates []exchange.Term `json:"certificates"`
	}{orEmpty(list)})
}

func (s *Server) relays(c *gin.Context, by exchange.Caller) error {
	list, err := s.x.Relays(c.Request.Context(), by)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Relays []exchange.RelayView `json:"relays"`
	}{list})
}

func (s *Server) revocation(c *gin.Context, by exchange.Caller) error {
	v, err := s.x.Revocation(c.Request.Context(), by)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, v)
}
