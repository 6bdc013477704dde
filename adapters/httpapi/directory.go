package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// mostListed is the longest list of agencies, in bytes: four times what the
// national directory takes.
const mostListed = 128 << 20

// mostListing is the longest line of one.
const mostListing = 64 << 10

func (s *Server) importDirectory(c *gin.Context, by exchange.Caller) error {
	q, err := query(c, "dryRun", "missing", "closings", "source")
	if err != nil {
		return err
	}
	list, err := listings(c.Request.Body) // limited
	if err != nil {
		return err
	}
	outcome, err := s.x.ImportDirectory(c.Request.Context(), by, list, exchange.DirectoryOrder{Source: sourceOf(q.Get("source")),
		DryRun: q.Get("dryRun") == "true", Missing: q.Get("missing") == "true", Closings: q.Get("closings") == "true"})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, outcome)
}

// mostSource is how many characters of a list's name go on record.
const mostSource = 500

func sourceOf(s string) string {
	if runes := []rune(s); len(runes) > mostSource {
		return string(runes[:mostSource]) + "…"
	}
	return s
}

// listings reads lines of JSON; empty ones do not count.
func listings(r io.Reader) (list []exchange.Listing, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, mostListing)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var entry exchange.Listing
		if err := d.Decode(&entry); err != nil {
			return nil, onLine(misread(line, d.InputOffset(), err), n)
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, longJSON.With().At("", n)
		}
		list = append(list, entry)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, exchange.TooLargeError(mostListing)
	}
	return list, lines.Err()
}

// onLine gives a refusal its line in the whole body.
func onLine(err error, n int) error {
	if refused, ok := errors.AsType[*exchange.Error](err); ok {
		return refused.At(refused.Path, n)
	}
	return err
}

func (s *Server) mergeAgency(c *gin.Context, by exchange.Caller) error {
	var order struct {
		Into   string    `json:"into"`
		Closed time.Time `json:"closed,omitzero"`
	}
	if err := decode(c, &order); err != nil {
		return err
	}
	a, err := s.x.Merge(c.Request.Context(), by, c.Param("code"), order.Into, order.Closed)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, a)
}
