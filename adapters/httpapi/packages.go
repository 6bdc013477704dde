package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) submit(c *gin.Context, by exchange.Caller) error {
	submission, err := s.x.Submit(c.Request.Context(), by, c.Request.Body)
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Location", "/v1/packages/"+url.PathEscape(string(submission.Package)))
	h.Set("Tram-Package", string(submission.Package))
	receipt(c, submission.Receipt, submission.Resubmitted)
	return nil
}

// receipt answers with the receipt of what was done: now, or when it was asked
// for the first time.
func receipt(c *gin.Context, r exchange.Receipt, replayed bool) {
	identify(c, r)
	if replayed {
		c.Header("Idempotent-Replayed", "true")
		c.Data(http.StatusOK, mediaXML, r.Raw)
		return
	}
	c.Data(http.StatusCreated, mediaXML, r.Raw)
}

// identify names the receipt that is answered with, its place in the log, and
// whether it has a time-stamp.
func identify(c *gin.Context, r exchange.Receipt) {
	c.Header("Tram-Receipt", string(r.ID))
	c.Header("Tram-Leaf", strconv.FormatInt(r.Leaf, 10))
	if r.TimeStamp != "" {
		c.Header("Tram-Timestamp", string(r.TimeStamp))
	}
}

func (s *Server) packages(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "sender", "document", "cursor", "limit")
	if err != nil {
		return err
	}
	list, cursor, err := s.x.Packages(c.Request.Context(), by,
		exchange.PackageQuery{Sender: q.Get("sender"), DocumentID: q.Get("document"), Cursor: q.Get("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Packages []exchange.Package `json:"packages"`
		Cursor   string             `json:"cursor"`
	}{orEmpty(list), cursor})
}

func (s *Server) packageView(c *gin.Context, by exchange.Caller) error {
	view, err := s.x.Package(c.Request.Context(), by, exchange.PackageID(c.Param("id")))
	if err != nil {
		return err
	}
	view.Deliveries = orEmpty(view.Deliveries)
	return answer(c, http.StatusOK, view)
}

func (s *Server) packageContent(c *gin.Context, by exchange.Caller) error {
	p, file, err := s.x.PackageContent(c.Request.Context(), by, exchange.PackageID(c.Param("id")))
	if err != nil {
		return err
	}
	return s.pack(c, p, file)
}

// pack answers with a package's bytes and closes them.
func (s *Server) pack(c *gin.Context, p exchange.Package, file exchange.Content) error {
	content(c, mediaXML, string(p.ID)+".edxml", p.Digest, p.AcceptedAt, file)
	if err := file.Close(); err != nil { // the answer has left: this is for the log alone
		s.log.WarnContext(c.Request.Context(), "closing a package", "package", p.ID, "err", err)
	}
	return nil
}

func (s *Server) receipts(c *gin.Context, by exchange.Caller) error {
	list, err := s.x.Receipts(c.Request.Context(), by, exchange.PackageID(c.Param("id")))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Receipts []exchange.Receipt `json:"receipts"`
	}{withoutReaders(list)})
}

// withoutReaders leaves out who else may read a receipt: not the reader's business.
func withoutReaders(list []exchange.Receipt) []exchange.Receipt {
	for i := range list {
		list[i].Agencies, list[i].System = nil, ""
	}
	return orEmpty(list)
}

func (s *Server) receipt(c *gin.Context, by exchange.Caller) error {
	r, err := s.x.Receipt(c.Request.Context(), by, exchange.ReceiptID(c.Param("id")))
	if err != nil {
		return err
	}
	identify(c, r)
	content(c, mediaXML, string(r.ID)+".xml", exchange.DigestOf(r.Raw), r.Time, bytes.NewReader(r.Raw))
	return nil
}

func (s *Server) proof(c *gin.Context, by exchange.Caller) error {
	r, err := s.x.Receipt(c.Request.Context(), by, exchange.ReceiptID(c.Param("id")))
	if err != nil {
		return err
	}
	proof, err := s.x.Proof(c.Request.Context(), r.Leaf)
	if err != nil {
		return fmt.Errorf("proving receipt %s: %w", r.ID, err)
	}
	c.Data(http.StatusOK, mediaText, proof)
	return nil
}
