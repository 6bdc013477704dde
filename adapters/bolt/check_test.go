package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func TestCheckNoticesDamage(t *testing.T) {
	l, path := newLedgerOfBlocks(t, 2)
	s := exchangetest.NewSamples()
	for n := range 3 {
		p := s.Submission("H12.01", fmt.Sprint(n), "H12.02", "H12.03")
		if err := accept(t.Context(), l, s, p); err != nil {
			t.Fatal(err)
		}
		d, err := l.Delivery(t.Context(), exchange.NewDeliveryID(p.ID, 1))
		if err != nil {
			t.Fatal(err)
		}
		for _, move := range []func(exchange.Delivery) (exchange.Change, error){s.Consign,
			func(d exchange.Delivery) (exchange.Change, error) { return s.Answer(d, exchange.AnswerAccepted) }}[:n%3] {
			c, err := move(d)
			if err := errors.Join(err, l.Update(t.Context(), c)); err != nil {
				t.Fatal(err)
			}
			if d, err = l.Delivery(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	rejections := []exchange.Receipt{s.Evidence(exchange.SubmissionRejection, "", ""), s.Evidence(exchange.SubmissionRejection, "", "")}
	for i := range rejections {
		rejections[i].TimeStamp = exchange.TimeStampPending
	}
	for range blockLeaves { // so that there is a mark
		rejections = append(rejections, s.Evidence(exchange.SubmissionRejection, "", ""))
	}
	err := errors.Join(l.Update(t.Context(), exchange.Change{Receipts: rejections}),
		l.Update(t.Context(), exchange.Change{TimeStamps: []exchange.StampedReceipt{{Receipt: rejections[0].ID, Token: []byte("token")}}}))
	if err != nil {
		t.Fatal(err)
	}
	doubtful := s.Submission("H12.01", "doubtful", "H12.02")
	c := s.Acceptance(doubtful)
	c.Rechecks = []exchange.Recheck{s.Doubt(doubtful)}
	if _, _, err := l.Accept(t.Context(), doubtful, c); err != nil {
		t.Fatal(err)
	}
	status := s.Submission("H12.02", "", "H12.01")
	status.Kind, status.Status = exchange.KindStatus, &exchange.StatusMessage{Code: "03", To: "H12.01", DocumentID: "unknown"}
	c = s.Acceptance(status)
	c.Parked = []exchange.PackageID{status.ID}
	if _, _, err := l.Accept(t.Context(), status, c); err != nil {
		t.Fatal(err)
	}
	oldest, _, err := l.Erasable(t.Context(), doubtful.AcceptedAt, "", 1)
	if err != nil || len(oldest) != 1 {
		t.Fatal(oldest, err)
	}
	err = l.Update(t.Context(), exchange.Change{Actions: []exchange.Action{s.Action("put", "x")}, Erasures: []exchange.Erasure{{Package: oldest[0].ID}},
		Agencies: []exchange.Agency{{Code: "H12.01", Aliases: []exchange.Alias{{Code: "old"}}, Certificates: []exchange.Certificate{{SHA256: exchange.Digest{1}}},
			SubjectRules: []exchange.SubjectRule{{Subject: []exchange.Attribute{{Type: "O", Value: "x"}}}}}},
		Systems: []exchange.System{{ID: "s", Certificates: []exchange.Digest{{2}}}}, Users: []exchange.User{{ID: "u"}}})
	err = errors.Join(err, l.Update(t.Context(), exchange.Change{Erasures: []exchange.Erasure{{Package: doubtful.ID}}}))
	waitForIndex(t, l)
	if err := errors.Join(err, l.Check(t.Context()), l.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	for _, name := range buckets() {
		if name == meta {
			continue
		}
		for damage, do := range map[string]func(*bbolt.Bucket, []byte, []byte) error{
			"an entry is lost": func(b *bbolt.Bucket, key, _ []byte) error { return b.Delete(key) },
			"an entry is invented": func(b *bbolt.Bucket, key, value []byte) error {
				return b.Put(append([]byte("~"), key...), value)
			},
			"a value is changed": func(b *bbolt.Bucket, key, value []byte) error {
				return b.Put(key, append([]byte("1"), value...))
			},
		} {
			if name == users && damage == "an entry is lost" || name == counts && damage == "an entry is invented" {
				continue // nothing else speaks of a user, and a count of no state says nothing
			}
			if name == timeStamps && damage == "a value is changed" {
				continue // a token proves itself: whoever reads it checks it
			}
			if err := damaged(t, db, name, do); err == nil {
				t.Errorf("%s: %s and Check says nothing", name, damage)
			}
		}
	}
}

// damaged is what Check says of the contents when the first entry of a bucket is
// damaged, in a transaction that is rolled back.
func damaged(t *testing.T, db *bbolt.DB, bucket string, do func(b *bbolt.Bucket, key, value []byte) error) error {
	t.Helper()
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing is kept
	b := tx.Bucket([]byte(bucket))
	key, value := b.Cursor().First()
	if key == nil {
		t.Fatalf("%s is empty: the test lacks something", bucket)
	}
	if err := do(b, bytes.Clone(key), bytes.Clone(value)); err != nil {
		t.Fatal(err)
	}
	c := newChecker(t.Context(), tx)
	c.contents()
	return errors.Join(c.problems...)
}

func TestALongSearchComesInPieces(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 40 { // A to B and C to D in turn: A to D is never true
		p := s.Submission([]string{"A", "C"}[n%2], fmt.Sprint(n), []string{"B", "D"}[n%2])
		if n == 7 {
			p.Recipients[0].Code = "B" // but C to B is, once
		}
		if err := accept(t.Context(), l, s, p); err != nil {
			t.Fatal(err)
		}
	}
	found, pieces := 0, 0
	var bound []byte
	for cursor := "first"; cursor != ""; pieces++ {
		err := l.view(t.Context(), func(tx *bbolt.Tx) error {
			streams, steps := deliveryStreams(tx, exchange.DeliveryQuery{Sender: "C", Recipient: "B"}), 3
			key, ok := streams.before(bound, &steps)
			cursor = ""
			if key != nil {
				cursor = string(deliveryID(key))
			}
			if ok && key != nil {
				found++
			}
			bound = append([]byte{}, key...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found != 1 || pieces < 5 {
		t.Errorf("found %d in %d pieces, want 1 in several", found, pieces)
	}
}
