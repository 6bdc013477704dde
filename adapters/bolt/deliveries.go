package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// Delivery implements exchange.Ledger.
func (l *Ledger) Delivery(ctx context.Context, id exchange.DeliveryID) (exchange.Delivery, error) {
	key, ok := parseDelivery(id)
	if !ok {
		return exchange.Delivery{}, fmt.Errorf("reading delivery: %w", exchange.NotFoundError("delivery", string(id)))
	}
	var d exchange.Delivery
	err := l.view(ctx, func(tx *bbolt.Tx) (err error) {
		d, err = delivery(tx, key)
		return err
	})
	if err != nil {
		return exchange.Delivery{}, fmt.Errorf("reading delivery: %w", err)
	}
	return d, nil
}

// DeliveriesOf implements exchange.Ledger.
func (l *Ledger) DeliveriesOf(ctx context.Context, id exchange.PackageID) ([]exchange.Delivery, error) {
	var list []exchange.Delivery
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		prefix := idKey(id)
		s := newStream(tx, deliveries, prefix)
		for rest, _ := s.from(nil); rest != nil; rest, _ = s.from(rest) {
			d, err := delivery(tx, append(bytes.Clone(prefix), rest...))
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the deliveries of package %s: %w", id, err)
	}
	return list, nil
}

func delivery(tx *bbolt.Tx, key []byte) (d exchange.Delivery, err error) {
	value := get(tx, deliveries, key)
	if value == nil {
		return d, exchange.NotFoundError("delivery", string(deliveryID(key)))
	}
	return decodeDelivery(key, value)
}

// Deliveries implements exchange.Ledger. A page may be short, and even empty,
// with a cursor to go on from: a search that compares very many entries is cut
// into pieces.
func (l *Ledger) Deliveries(ctx context.Context, q exchange.DeliveryQuery) (list []exchange.Delivery, cursor string, err error) {
	var bound []byte
	if q.Cursor != "" {
		key, ok := parseDelivery(exchange.DeliveryID(q.Cursor))
		if !ok {
			return nil, "", badCursor(q.Cursor)
		}
		bound = key
	}
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		list, cursor, err = searchDeliveries(deliveryStreams(tx, q), q.State, tx, bound, limitOf(q.Limit))
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing deliveries: %w", err)
	}
	return list, cursor, nil
}

func badCursor(cursor string) error {
	return exchange.InvalidError("%q is not a cursor of this list; begin again without a cursor",
		"cursor %q không phải của danh sách này; hãy đọc lại từ đầu, không gửi cursor", cursor)
}

func deliveryStreams(tx *bbolt.Tx, q exchange.DeliveryQuery) streams {
	var s streams
	if q.State != "" && listed(q.State) {
		s = append(s, newStream(tx, deliveryStates, stateKey(q.State)))
	}
	if q.Recipient != "" {
		s = append(s, newStream(tx, deliveryRecipients, under(q.Recipient)))
	}
	if q.Sender != "" {
		s = append(s, sentBy{newStream(tx, senders, under(q.Sender)), tx})
	}
	if len(s) == 0 {
		s = append(s, newStream(tx, deliveries, nil))
	}
	return s
}

// searchDeliveries reads what is in all of the lists, and in the state.
func searchDeliveries(s streams, state exchange.State, tx *bbolt.Tx, bound []byte, limit int) (list []exchange.Delivery, cursor string, err error) {
	steps := mostSteps
	for {
		key, ok := s.before(bound, &steps)
		if !ok {
			return list, string(deliveryID(key)), nil
		}
		if key == nil {
			return list, "", nil
		}
		d, err := delivery(tx, key)
		if err != nil {
			return nil, "", err
		}
		bound = key
		if state != "" && d.State != state {
			if steps--; steps < 0 {
				return list, string(d.ID), nil
			}
			continue
		}
		if len(list) == limit {
			return list, string(list[limit-1].ID), nil
		}
		list = append(list, d)
	}
}

// sentBy are the deliveries of an agency's packages.
type sentBy struct {
	packages *stream
	tx       *bbolt.Tx
}

func (s sentBy) before(k []byte) []byte {
	p, place := cutKey(k)
	if p != nil && s.has(p) {
		if key := s.last(p, place); key != nil {
			return key
		}
	}
	for p = s.packages.before(p); p != nil; p = s.packages.before(p) {
		if key := s.last(p, nil); key != nil {
			return key
		}
	}
	return nil
}

func (s sentBy) upTo(k []byte) []byte {
	if p, _ := cutKey(k); p != nil && s.has(p) && get(s.tx, deliveries, k) != nil {
		return k
	}
	return s.before(k)
}

func (s sentBy) has(p []byte) bool { return bytes.Equal(s.packages.upTo(p), p) }

// last is a package's last delivery, of those before a place.
func (s sentBy) last(p, place []byte) []byte {
	if place = newStream(s.tx, deliveries, p).before(place); place == nil {
		return nil
	}
	return append(bytes.Clone(p), place...)
}

// Inbox implements exchange.Ledger. The oldest is the one whose package was
// accepted first.
func (l *Ledger) Inbox(ctx context.Context, agency, cursor string, limit int) (list []exchange.Delivery, next string, err error) {
	start, err := inboxStart(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, inbox, under(agency))
		for rest, _ := s.from(start); rest != nil; rest, _ = s.from(rest) {
			if len(list) == limit {
				next = cursorOf(start)
				return nil
			}
			d, err := delivery(tx, rest[1:])
			if err != nil {
				return err
			}
			list, start = append(list, d), rest
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading the inbox of %s: %w", agency, err)
	}
	return list, next, nil
}

// An inbox's cursor is "0" or "1", as in the key, and the delivery.
func cursorOf(rest []byte) string { return string(rest[:1]) + string(deliveryID(rest[1:])) }

func inboxStart(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	key, ok := parseDelivery(exchange.DeliveryID(cursor[1:]))
	if !ok || (cursor[0] != '0' && cursor[0] != '1') {
		return nil, badCursor(cursor)
	}
	return append([]byte{cursor[0]}, key...), nil
}

// Due implements exchange.Ledger. It seeks past what it does not take of a
// recipient, so that it costs as much as what it finds and the recipients that
// have something open.
func (l *Ledger) Due(ctx context.Context, at time.Time, limit int) (list []exchange.Delivery, err error) {
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(due)).Cursor()
		for key, _ := c.First(); key != nil; {
			recipient, _, _ := bytes.Cut(key, []byte{0})
			if list, err = appendDue(list, tx, c, key, after(dueKey(string(recipient), at)), limit); err != nil {
				return err
			}
			key, _ = c.Seek(after(under(string(recipient))))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is due: %w", err)
	}
	return list, nil
}

// appendDue adds one recipient's deliveries from key, where the cursor stands, up
// to end.
func appendDue(list []exchange.Delivery, tx *bbolt.Tx, c *bbolt.Cursor, key, end []byte, limit int) ([]exchange.Delivery, error) {
	for ; limit > 0 && key != nil && bytes.Compare(key, end) < 0; limit-- {
		d, err := delivery(tx, key[bytes.IndexByte(key, 0)+1+timeSize:])
		if err != nil {
			return nil, err
		}
		list = append(list, d)
		key, _ = c.Next()
	}
	return list, nil
}

// Counts implements exchange.Ledger. The numbers are kept in the transactions
// that change states.
func (l *Ledger) Counts(ctx context.Context) (map[exchange.State]int64, error) {
	totals := map[exchange.State]int64{}
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		for _, s := range exchange.States {
			n, err := count(tx, s)
			if err != nil {
				return err
			}
			totals[s] = n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting deliveries: %w", err)
	}
	return totals, nil
}
