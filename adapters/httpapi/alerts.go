package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// alert is an alert with its kind in words.
type alert struct {
	exchange.Alert
	En string `json:"en"`
	Vi string `json:"vi"`
}

func spell(a exchange.Alert) alert {
	words := a.Kind.Words()
	return alert{a, words.En, words.Vi}
}

// alerts lists what people should look into.
func (s *Server) alerts(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "kind", "agency", "open", "limit")
	if err != nil {
		return err
	}
	open := q.Get("open")
	if open != "" && open != "true" && open != "false" {
		return badOpen.With(exchange.Excerpt(open))
	}
	page, err := s.x.Alerts(c.Request.Context(), by, exchange.AlertQuery{Kind: exchange.AlertKind(q.Get("kind")), Agency: q.Get("agency"), Open: open == "true", Limit: limit})
	if err != nil {
		return err
	}
	list := make([]alert, len(page.Alerts))
	for i, a := range page.Alerts {
		list[i] = spell(a)
	}
	return answer(c, http.StatusOK, struct {
		Alerts []alert                    `json:"alerts"`
		More   bool                       `json:"more"`
		Counts map[exchange.AlertKind]int `json:"counts"`
	}{list, page.More, page.Counts})
}

func (s *Server) acknowledgeAlert(c *gin.Context, by exchange.Caller) error {
	reason, err := reasonOf(c)
	if err != nil {
		return err
	}
	a, err := s.x.AcknowledgeAlert(c.Request.Context(), by, c.Param("id"), reason)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, spell(a))
}

// report counts what was accepted in a time.
func (s *Server) report(c *gin.Context, by exchange.Caller) error {
	q, err := query(c, "from", "to")
	if err != nil {
		return err
	}
	from, to, err := period(q)
	if err != nil {
		return err
	}
	r, err := s.x.Report(c.Request.Context(), by, from, to)
	if err != nil {
		return err
	}
	r.Agencies, r.Refusals = orEmpty(r.Agencies), orEmpty(r.Refusals)
	return answer(c, http.StatusOK, r)
}
