package httpapi

import (
	"bytes"
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// timestamped answers with a receipt and its time-stamp in it.
func (s *Server) timestamped(c *gin.Context, by exchange.Caller) error {
	r, stamped, err := s.x.TimeStamped(c.Request.Context(), by, exchange.ReceiptID(c.Param("id")))
	if err != nil {
		return err
	}
	identify(c, r)
	content(c, mediaXML, string(r.ID)+".timestamped.xml", exchange.DigestOf(stamped), r.Time, bytes.NewReader(stamped))
	return nil
}

// timestamps tells people how time-stamping goes, and what waits for it.
func (s *Server) timestamps(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "cursor", "limit")
	if err != nil {
		return err
	}
	list, cursor, err := s.x.Unstamped(c.Request.Context(), by, q.Get("cursor"), limit)
	if err != nil {
		return err
	}
	report, err := s.x.StampReport(c.Request.Context())
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, exchange.StampPage{StampReport: report, Receipts: withoutReaders(list), Cursor: cursor})
}
