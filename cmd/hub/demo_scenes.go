package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/exchange"
)

// play is the demonstration, scene by scene.
func (s *stage) play(ctx context.Context) error {
	for i, scene := range []struct {
		title string
		act   func(context.Context) error
	}{
		{"The province's office writes to all, urgently; one agency is down", s.oneToAll},
		{"Two departments write to each other", s.bothWays},
		{"A ward refuses what was not meant for it", s.refused},
		{"A department recalls a document", s.recalled},
		{"Somebody changes a package on its way to the hub", s.forged},
		{"The agency that was down comes back", s.comesBack},
		{"The auditor checks the whole record", s.audited},
	} {
		s.scene(i+1, scene.title)
		if err := scene.act(ctx); err != nil {
			return fmt.Errorf("scene %d, %s: %w", i+1, scene.title, err)
		}
	}
	return nil
}

func (s *stage) oneToAll(ctx context.Context) error {
	office := s.agencies["H12.01"]
	var all []string
	for _, p := range province {
		if p.code != office.code {
			all = append(all, p.code)
		}
	}
	done, err := s.send(ctx, office, edxml.Document{Subject: "V/v trực phòng chống thiên tai", Priority: 3}, all...)
	if err != nil {
		return err
	}
	for _, code := range all {
		if code == remote {
			continue
		}
		if err := s.receive(ctx, code, exchange.AnswerAccepted, ""); err != nil {
			return err
		}
	}
	view, err := office.hub.Package(ctx, done.Package)
	if err != nil {
		return err
	}
	for _, d := range view.Deliveries {
		if d.Recipient == remote {
			s.say("hub", "%s was not reached: attempt %d, the next at %s", remote, d.Attempts, d.Next.In(exchange.Vietnam).Format("15:04:05 UTC+7"))
		}
	}
	return nil
}

func (s *stage) bothWays(ctx context.Context) error {
	finance, health := s.agencies["H12.03"], s.agencies["H12.04"]
	_, id, err := s.sendNamed(ctx, finance, edxml.Document{Subject: "V/v phân bổ kinh phí quý IV năm 2026"}, health.code)
	if err != nil {
		return err
	}
	if err := s.receive(ctx, health.code, exchange.AnswerAccepted, ""); err != nil {
		return err
	}
	status := edxml.Document{Kind: exchange.KindStatus, Status: edxml.Status{Code: "03", To: finance.code, ID: id,
		Notation: "1/VB-03", Date: time.Now(), Description: "Văn thư đã tiếp nhận, số đến 881"}}
	if _, err := s.send(ctx, health, status); err != nil {
		return err
	}
	if _, err := s.send(ctx, health, edxml.Document{Subject: "V/v giải trình nhu cầu kinh phí"}, finance.code); err != nil {
		return err
	}
	return s.receiveAll(ctx, finance.code, 2)
}

func (s *stage) refused(ctx context.Context) error {
	if _, err := s.send(ctx, s.agencies["H12.06"], edxml.Document{Subject: "V/v cấp phép xây dựng trên địa bàn"}, "H12.40"); err != nil {
		return err
	}
	return s.receive(ctx, "H12.40", exchange.AnswerRefused, "Gửi nhầm cơ quan: địa bàn thuộc phường khác")
}

func (s *stage) recalled(ctx context.Context) error {
	home := s.agencies["H12.02"]
	done, id, err := s.sendNamed(ctx, home, edxml.Document{Subject: "V/v bổ nhiệm cán bộ (gửi nhầm phụ lục)"}, "H12.05", "H12.42")
	if err != nil {
		return err
	}
	if err := s.receive(ctx, "H12.42", exchange.AnswerAccepted, ""); err != nil {
		return err
	}
	recall := edxml.Document{Kind: exchange.KindRecall, Target: id, ID: id, Number: fmt.Sprint(home.number), Notation: "VB-02",
		Subject: "Thu hồi văn bản gửi nhầm phụ lục", Reason: "Gửi nhầm phụ lục"}
	if _, err := s.send(ctx, home, recall, "H12.05", "H12.42"); err != nil {
		return err
	}
	view, err := home.hub.Package(ctx, done.Package)
	if err != nil {
		return err
	}
	for _, d := range view.Deliveries {
		why := "nobody had fetched it"
		if d.State != exchange.Withdrawn {
			why = "it can be told, but not taken back"
		}
		s.say("hub", "the recalled document to %s is %s: %s", d.Recipient, d.State, why)
	}
	if err := s.receiveAll(ctx, "H12.05", 1); err != nil {
		return err
	}
	return s.receiveAll(ctx, "H12.42", 1)
}

// forged submits a package whose subject was changed after it was signed.
func (s *stage) forged(ctx context.Context) error {
	justice := s.agencies["H12.08"]
	path, _, err := s.write(justice, edxml.Document{Subject: "V/v thẩm định văn bản"}, "H12.09")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	forged := bytes.ReplaceAll(text, []byte("thẩm định"), []byte("hủy bỏ"))
	_, err = justice.hub.Submit(ctx, bytes.NewReader(forged), int64(len(forged)))
	var refused *httpclient.Problem
	if !errors.As(err, &refused) {
		return fmt.Errorf("a forged package was not refused: %w", err)
	}
	s.say("hub", "refuses it: %s", refused.Detail)
	s.say("hub", "the refusal is on record as SubmissionRejection %s", refused.Receipt)
	return nil
}

// comesBack starts the remote agency's system: it hears of what waits for it,
// and fetches it.
func (s *stage) comesBack(ctx context.Context) error {
	heard := make(chan struct{}, 16)
	stop, err := s.listenForAnnouncements(ctx, heard)
	if err != nil {
		return err
	}
	s.say(remote, "is back, and its system listens for announcements again")
	select {
	case <-heard:
		s.say(remote, "is told of a delivery that waits for it")
	case <-time.After(30 * time.Second):
		err = errors.New("no announcement came")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = s.receive(ctx, remote, exchange.AnswerAccepted, "")
	}
	return errors.Join(err, stop())
}

// listenForAnnouncements is the remote agency's own server. Its certificate is
// from the province's authority, which the hub trusts for webhooks.
func (s *stage) listenForAnnouncements(ctx context.Context, heard chan<- struct{}) (stop func() error, err error) {
	key, err := newECKey()
	if err != nil {
		return nil, err
	}
	certificate, err := s.authority.server([]string{"127.0.0.1"}, key.Public(), s.began)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.webhook)
	if err != nil {
		return nil, err
	}
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}})
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		select {
		case heard <- struct{}{}:
		default: // enough are waiting
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- served(server.Serve(l)) }()
	return func() error { return errors.Join(server.Close(), <-ended) }, nil
}

// send writes, signs and submits a document, and tells of it.
func (s *stage) send(ctx context.Context, a *agency, d edxml.Document, to ...string) (exchange.Submission, error) {
	done, _, err := s.sendNamed(ctx, a, d, to...)
	return done, err
}

// sendNamed also returns the document's identifier.
func (s *stage) sendNamed(ctx context.Context, a *agency, d edxml.Document, to ...string) (exchange.Submission, string, error) {
	path, id, err := s.write(a, d, to...)
	if err != nil {
		return exchange.Submission{}, "", err
	}
	began := time.Now()
	done, err := s.submit(ctx, a, path)
	if err != nil {
		return done, "", err
	}
	s.say(a.code, "submits %s to %s", describe(d), recipientsOf(d, to))
	s.say("hub", "verifies the signature, keeps it, and answers with %s %s (%d ms)", done.Receipt.Event, done.Receipt.ID, time.Since(began).Milliseconds())
	return done, id, nil
}

func describe(d edxml.Document) string {
	if d.Kind == exchange.KindStatus {
		return fmt.Sprintf("status %s (%s)", d.Status.Code, d.Status.Description)
	}
	if d.Priority > 0 {
		return fmt.Sprintf("an urgent document %q", d.Subject)
	}
	if d.Kind == exchange.KindRecall {
		return fmt.Sprintf("a recall, %q,", d.Reason)
	}
	return fmt.Sprintf("%q", d.Subject)
}

func recipientsOf(d edxml.Document, to []string) string {
	if d.Kind == exchange.KindStatus {
		return d.Status.To
	}
	if len(to) > 3 {
		return fmt.Sprintf("%d agencies", len(to))
	}
	return strings.Join(to, ", ")
}

// receive takes one delivery and answers it.
func (s *stage) receive(ctx context.Context, code string, o exchange.Outcome, reason string) error {
	got, err := s.collect(ctx, s.agencies[code], 1, o, reason)
	if err != nil {
		return err
	}
	if o == exchange.AnswerRefused {
		s.say(code, "fetches %q and refuses it: %s", got[0].Subject, reason)
		s.say("hub", "seals ConsignmentRejection with the ward's signed answer inside")
		return nil
	}
	s.say(code, "fetches it, checks the signature, acknowledges; the hub seals ContentHandover")
	return nil
}

// receiveAll takes several deliveries and accepts them.
func (s *stage) receiveAll(ctx context.Context, code string, n int) error {
	got, err := s.collect(ctx, s.agencies[code], n, exchange.AnswerAccepted, "")
	if err != nil {
		return err
	}
	kinds := make([]string, len(got))
	for i, p := range got {
		kinds[i] = string(p.Kind)
	}
	slices.Sort(kinds)
	s.say(code, "fetches and acknowledges %d: %s", n, strings.Join(kinds, ", "))
	return nil
}
