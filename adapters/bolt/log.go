package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// logSize is the number of leaves in a transaction.
func logSize(tx *bbolt.Tx) int64 {
	last, _ := tx.Bucket([]byte(leaves)).Cursor().Last()
	if last == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(last)) + 1
}

func readHashes(tx *bbolt.Tx, indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		value := get(tx, hashes, number(n))
		if len(value) != tlog.HashSize {
			return nil, fmt.Errorf("the log has no hash %d", n)
		}
		copy(list[i][:], value)
	}
	return list, nil
}

// LogSize implements exchange.Ledger.
func (l *Ledger) LogSize(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	_, size, err := l.durable.reached()
	return size, err
}

// Actions implements exchange.Ledger. The cursor is the last one's leaf.
func (l *Ledger) Actions(ctx context.Context, cursor string, limit int) (list []exchange.Action, next string, err error) {
	bound, err := actionsBound(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, actions, nil)
		for key := s.before(bound); key != nil; key = s.before(key) {
			if len(list) == limit {
				next = strconv.FormatInt(list[limit-1].Leaf, 10)
				return nil
			}
			var a exchange.Action
			if err := loadFound(tx, actions, key, "action", fmt.Sprintf("of leaf %x", key), &a); err != nil {
				return err
			}
			list = append(list, a)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing actions: %w", err)
	}
	return list, next, nil
}

func actionsBound(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	leaf, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || leaf < 0 || strconv.FormatInt(leaf, 10) != cursor {
		return nil, badCursor(cursor)
	}
	return number(leaf), nil
}

// LogHashes implements exchange.Ledger.
func (l *Ledger) LogHashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		err = l.view(ctx, func(tx *bbolt.Tx) error {
			list, err = readHashes(tx, indexes)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading hashes of the log: %w", err)
		}
		return list, nil
	})
}

// LogEntries implements exchange.Ledger.
func (l *Ledger) LogEntries(ctx context.Context, from, to int64) ([][]byte, error) {
	if from < 0 || from > to {
		return nil, fmt.Errorf("reading leaves %d to %d of the log: no such range", from, to)
	}
	var list [][]byte
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		if size := logSize(tx); to > size {
			return fmt.Errorf("it has %d", size)
		}
		c := tx.Bucket([]byte(leaves)).Cursor()
		for key, value := c.Seek(number(from)); int64(len(list)) < to-from; key, value = c.Next() {
			if !bytes.Equal(key, number(from+int64(len(list)))) {
				return fmt.Errorf("leaf %d is missing", from+int64(len(list)))
			}
			list = append(list, bytes.Clone(value))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading leaves %d to %d of the log: %w", from, to, err)
	}
	return list, nil
}
