package httpapi

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

func (s *Server) agencies(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "cursor", "limit")
	if err != nil {
		return err
	}
	list, cursor, err := s.x.Agencies(c.Request.Context(), q.Get("cursor"), limit)
	if err != nil {
		return err
	}
	for i := range list {
		list[i] = listed(list[i], by)
	}
	return answer(c, http.StatusOK, struct {
		Agencies []exchange.Agency `json:"agencies"`
		Cursor   string            `json:"cursor"`
	}{orEmpty(list), cursor})
}

func (s *Server) agency(c *gin.Context, by exchange.Caller) error {
	a, err := s.x.Agency(c.Request.Context(), c.Param("code"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, listed(a, by))
}

// listed leaves out what other agencies need not know: a webhook's URL may hold
// a secret in its path.
func listed(a exchange.Agency, by exchange.Caller) exchange.Agency {
	if !by.Watches() && !by.Speaks(a.Code) {
		a.Webhook = ""
	}
	return a
}

func (s *Server) putAgency(c *gin.Context, by exchange.Caller) error {
	var entry struct {
		exchange.Agency
		PEM []string `json:"pem"`
	}
	if err := decode(c, &entry); err != nil {
		return err
	}
	if err := named(&entry.Code, "code", c.Param("code")); err != nil {
		return err
	}
	for i, text := range entry.PEM {
		certificate, err := certificateOf(text)
		if err != nil {
			return err.At(fmt.Sprintf("/pem/%d", i), 0)
		}
		if !slices.ContainsFunc(entry.Certificates, func(o exchange.Certificate) bool { return bytes.Equal(o.DER, certificate.DER) }) {
			entry.Certificates = append(entry.Certificates, certificate)
		}
	}
	a, err := s.x.PutAgency(c.Request.Context(), by, entry.Agency)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, a)
}

// certificateOf reads one certificate in PEM. The exchange completes the entry.
func certificateOf(text string) (exchange.Certificate, *exchange.Error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return exchange.Certificate{}, noPEM.With()
	}
	if next, _ := pem.Decode(rest); next != nil {
		return exchange.Certificate{}, manyPEM.With()
	}
	return exchange.Certificate{DER: block.Bytes}, nil
}

// named holds an entry's own name to the one in the path.
func named(own *string, what, path string) error {
	if *own == "" {
		*own = path
	}
	if *own != path {
		return otherName.With(what, exchange.Excerpt(*own), exchange.Excerpt(path))
	}
	return nil
}

func (s *Server) systems(c *gin.Context, by exchange.Caller) error {
	list, err := s.x.Systems(c.Request.Context(), by)
	if err != nil {
		return err
	}
	for i := range list {
		list[i] = shownSystem(list[i])
	}
	return answer(c, http.StatusOK, struct {
		Systems []exchange.System `json:"systems"`
	}{orEmpty(list)})
}

func (s *Server) system(c *gin.Context, by exchange.Caller) error {
	y, err := s.x.System(c.Request.Context(), by, c.Param("id"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, shownSystem(y))
}

func (s *Server) putSystem(c *gin.Context, by exchange.Caller) error {
	var y exchange.System
	if err := decode(c, &y); err != nil {
		return err
	}
	if err := named(&y.ID, "id", c.Param("id")); err != nil {
		return err
	}
	y, err := s.x.PutSystem(c.Request.Context(), by, y)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, shownSystem(y))
}

// shownSystem is the entry without its secrets.
func shownSystem(y exchange.System) exchange.System {
	y.Shared, y.Secrets, y.Agencies = nil, nil, orEmpty(y.Agencies)
	return y
}

func (s *Server) users(c *gin.Context, by exchange.Caller) error {
	list, err := s.x.Users(c.Request.Context(), by)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Secrets = nil
	}
	return answer(c, http.StatusOK, struct {
		Users []exchange.User `json:"users"`
	}{orEmpty(list)})
}

func (s *Server) putUser(c *gin.Context, by exchange.Caller) error {
	var u exchange.User
	if err := decode(c, &u); err != nil {
		return err
	}
	if err := named(&u.ID, "id", c.Param("id")); err != nil {
		return err
	}
	u, err := s.x.PutUser(c.Request.Context(), by, u)
	if err != nil {
		return err
	}
	u.Secrets = nil
	return answer(c, http.StatusOK, u)
}

// secret makes a new secret and shows it this once.
func (s *Server) secret(issue func(ctx context.Context, by exchange.Caller, id string) (string, error)) handler {
	return func(c *gin.Context, by exchange.Caller) error {
		text, err := issue(c.Request.Context(), by, c.Param("id"))
		if err != nil {
			return err
		}
		return answer(c, http.StatusOK, struct {
			Secret string `json:"secret"`
		}{text})
	}
}

func (s *Server) backup(c *gin.Context, by exchange.Caller) error {
	var o exchange.BackupOrder
	if err := decode(c, &o); err != nil {
		return err
	}
	b, err := s.x.Backup(c.Request.Context(), by, o)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, b)
}

func (s *Server) compact(c *gin.Context, by exchange.Caller) error {
	done, err := s.x.Compact(c.Request.Context(), by)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, done)
}

func (s *Server) recordDrill(c *gin.Context, by exchange.Caller) error {
	var d exchange.Drill
	if err := decode(c, &d); err != nil {
		return err
	}
	a, err := s.x.RecordDrill(c.Request.Context(), by, d)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Action string `json:"action"`
	}{a.ID})
}

// sharedSecret makes a secret that a system signs its requests with, or takes the
// one that it has, and shows it this once.
func (s *Server) sharedSecret(c *gin.Context, by exchange.Caller) error {
	var order struct {
		Secret string `json:"secret"`
	}
	if err := decode(c, &order); err != nil {
		return err
	}
	text, err := s.x.IssueSharedSecret(c.Request.Context(), by, c.Param("id"), order.Secret)
	if err != nil {
		return err
	}
	order.Secret = text
	return answer(c, http.StatusOK, order)
}
