package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

// A member is an agency with its key, and its system's connection to the hub.
type member struct {
	code           string
	key            crypto.Signer
	certificate    *x509.Certificate
	sealer         *signing.Sealer
	system, secret string
	hub            *httpclient.Client
}

// join registers an agency with a key of its own. Changes edit its entry.
func (s *site) join(code string, changes ...func(*exchange.Agency)) *member {
	s.t.Helper()
	key, err := newECKey()
	must(s.t, err)
	return s.joinWith(code, key, changes...)
}

func (s *site) joinWith(code string, key crypto.Signer, changes ...func(*exchange.Agency)) *member {
	s.t.Helper()
	certificate, err := s.authority.signing("Agency "+code, "Example Province", key.Public(), s.born)
	must(s.t, err)
	m := &member{code: code, key: key, certificate: certificate, system: "system-" + strings.ToLower(code)}
	m.sealer, err = signing.NewSealer(key, []*x509.Certificate{certificate})
	must(s.t, err)
	s.enter(m, []*x509.Certificate{certificate}, changes...)
	return m
}

// enter puts a member and its system into the registry.
func (s *site) enter(m *member, certificates []*x509.Certificate, changes ...func(*exchange.Agency)) {
	s.t.Helper()
	entry := exchange.Agency{Code: m.code, Name: "Cơ quan " + m.code}
	for _, change := range changes {
		change(&entry)
	}
	var pem []string
	for _, c := range certificates {
		pem = append(pem, pemOf(c))
	}
	_, err := s.admin.PutAgency(s.t.Context(), entry, pem...)
	must(s.t, err)
	_, err = s.admin.PutSystem(s.t.Context(), exchange.System{ID: m.system, Name: m.system, Agencies: []string{m.code}})
	must(s.t, err)
	m.secret, err = s.admin.IssueSystemSecret(s.t.Context(), m.system)
	must(s.t, err)
	m.hub = s.client(m.system, m.secret)
}

// letter is a document as agencies write it, with one attachment of size bytes.
func (m *member) letter(number int, size int, to ...string) edxml.Document {
	now := time.Now()
	file := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)
	d := edxml.Document{
		From: edxml.Organ{Code: m.code, Name: "Cơ quan " + m.code}, Number: fmt.Sprint(number), Notation: "TN", Place: "Cà Mau", Date: now, Sent: now,
		Type: 2, TypeDetail: 18, TypeName: "Công văn", Subject: fmt.Sprintf("V/v thử nghiệm số %d", number),
		Signer: edxml.Signer{Position: "Người ký", FullName: "Nguyễn Văn A"}, Staff: edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"},
		Attachments: []edxml.Attachment{{Name: "van-ban.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }}},
	}
	for _, code := range to {
		d.To = append(d.To, edxml.Organ{Code: code, Name: "Cơ quan " + code})
	}
	return d
}

// unsigned is a package without its signature.
func unsigned(t testing.TB, d edxml.Document) []byte {
	t.Helper()
	var plain bytes.Buffer
	must(t, edxml.Write(&plain, d))
	return plain.Bytes()
}

// signed is a package ready to be submitted.
func (m *member) signed(t testing.TB, d edxml.Document) []byte {
	t.Helper()
	return m.sign(t, unsigned(t, d))
}

func (m *member) sign(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, signing.Sign(&out, bytes.NewReader(plain), m.key, []*x509.Certificate{m.certificate}, edxml.SignaturePlace()))
	return out.Bytes()
}

func (m *member) submit(ctx context.Context, pkg []byte) (exchange.Submission, error) {
	return m.hub.Submit(ctx, bytes.NewReader(pkg), int64(len(pkg)))
}

// fetch gets a delivery's package, and sees that it is the one announced.
func (m *member) fetch(ctx context.Context, item exchange.InboxItem) ([]byte, error) {
	var got bytes.Buffer
	if err := m.hub.Fetch(ctx, item, &got); err != nil {
		return nil, err
	}
	if exchange.DigestOf(got.Bytes()) != item.Package.Digest {
		return nil, fmt.Errorf("delivery %s: the content is not what the hub says it is", item.Delivery.ID)
	}
	return got.Bytes(), nil
}

// answer seals an acknowledgement of a delivery.
func (m *member) answer(item exchange.InboxItem, o exchange.Outcome, reason string) ([]byte, error) {
	a := exchange.NewAcknowledgement(item.Package, m.code, o, reason, time.Now())
	return m.sealer.Seal(a.Canonical(), a.Time)
}

// get reads a page that anyone may read.
func get(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), err
}

// rawSignature is an ECDSA signature as XML signatures have it: r and s side by
// side, in base64.
func (m *member) rawSignature(t testing.TB, digest [32]byte) string {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, m.key.(*ecdsa.PrivateKey), digest[:])
	must(t, err)
	value := make([]byte, 64)
	r.FillBytes(value[:32])
	s.FillBytes(value[32:])
	return base64.StdEncoding.EncodeToString(value)
}
