package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"tram/adapters/axis"
	"tram/exchange"
)

// TestTheAxisClientAtAHub walks a document's way, and its status's way back, by the
// client that relays use, at a hub that serves as the axis.
func TestTheAxisClientAtAHub(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	s.axis("H12.07", "secret-of-h12.07", "H12.07")
	s.axis("H12.12", "secret-of-h12.12", "H12.12")
	dial := func(system, secret string) *axis.Client {
		c, err := axis.New(axis.Config{Name: "a hub", URL: "https://" + s.address + "/", System: system, Secret: secret, Roots: s.roots})
		must(t, err)
		t.Cleanup(c.Close)
		return c
	}
	sender, receiver := dial("H12.12", "secret-of-h12.12"), dial("H12.07", "secret-of-h12.07")
	ctx, always := t.Context(), time.Time{}
	send := func(c *axis.Client, kind axis.Kind, file []byte, from string, to ...string) string {
		t.Helper()
		id, err := c.Send(ctx, axis.Parcel{Kind: kind, From: from, To: to, Digest: sha256.Sum256(file), Size: int64(len(file)), Content: bytes.NewReader(file)})
		must(t, err)
		return id
	}
	take := func(c *axis.Client, kind axis.Kind, want []byte) axis.Received {
		t.Helper()
		list, err := c.Received(ctx, kind, always, always)
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("%s listed: %+v", kind, list)
		}
		in, err := c.Fetch(ctx, string(list[0].DocID))
		must(t, err)
		defer in.Close()
		got, err := io.ReadAll(in)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s came with other bytes than were sent", kind)
		}
		must(t, c.Done(ctx, string(list[0].DocID)))
		return list[0]
	}

	document, status := read(t, "sdk-08-incoming-new.edxml"), read(t, "sdk-04-status-03.edxml")
	id := send(sender, axis.Documents, document, "H12.12", "H12.07")
	if again := send(sender, axis.Documents, document, "H12.12", "H12.07"); again != id {
		t.Errorf("sent again it is %s, first %s", again, id)
	}
	if entry := take(receiver, axis.Documents, document); entry.From != "H12.12" {
		t.Errorf("it comes from %s", entry.From)
	}
	if rows, err := sender.Sent(ctx, axis.Documents, always, always); err != nil || len(rows) != 1 || string(rows[0].SenderDocID) != id || rows[0].Receiving != "done" {
		t.Errorf("the sender's list: %+v, %v", rows, err)
	}
	send(receiver, axis.Statuses, status, "H12.07")
	take(sender, axis.Statuses, status)

	if units, err := sender.Units(ctx); err != nil || len(units) != 2 {
		t.Errorf("the directory: %+v, %v", units, err)
	}
	if _, err := dial("H12.12", "another secret").Agencies(ctx); exchange.CodeOf(err) != exchange.Unauthenticated {
		t.Errorf("with a wrong secret: %v", err)
	}
	if _, err := sender.Fetch(ctx, "00000000-0000-0000-0000-000000000001"); exchange.CodeOf(err) != exchange.Refused {
		t.Errorf("a document that is not there: %v", err)
	}
}
