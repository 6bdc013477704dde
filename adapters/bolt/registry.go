package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// Agency implements exchange.Ledger.
func (l *Ledger) Agency(ctx context.Context, code string) (exchange.Agency, error) {
	return findBy[exchange.Agency](ctx, l, agencyCodes, []byte(code), agencies, "agency", code)
}

// AgencyOfCertificate implements exchange.Ledger.
func (l *Ledger) AgencyOfCertificate(ctx context.Context, d exchange.Digest) (exchange.Agency, error) {
	return findBy[exchange.Agency](ctx, l, agencyCertificates, d[:], agencies, "agency with certificate", d.String())
}

// AgenciesBySubject implements exchange.Ledger.
func (l *Ledger) AgenciesBySubject(ctx context.Context, attributes []exchange.Attribute) (list []exchange.Agency, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		seen := map[string]bool{}
		for _, a := range attributes {
			s := newStream(tx, agencySubjects, under(a.Type, a.Value))
			for key, code := s.from(nil); key != nil; key, code = s.from(bytes.Clone(key)) {
				if seen[string(code)] {
					continue
				}
				seen[string(code)] = true
				var agency exchange.Agency
				if err := loadFound(tx, agencies, code, "agency", string(code), &agency); err != nil {
					return err
				}
				list = append(list, agency)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for agencies by a subject: %w", err)
	}
	return list, nil
}

// System implements exchange.Ledger.
func (l *Ledger) System(ctx context.Context, id string) (exchange.System, error) {
	return find[exchange.System](ctx, l, systems, []byte(id), "system", id)
}

// SystemOfCertificate implements exchange.Ledger.
func (l *Ledger) SystemOfCertificate(ctx context.Context, d exchange.Digest) (exchange.System, error) {
	return findBy[exchange.System](ctx, l, systemCertificates, d[:], systems, "system with certificate", d.String())
}

// User implements exchange.Ledger.
func (l *Ledger) User(ctx context.Context, id string) (exchange.User, error) {
	return find[exchange.User](ctx, l, users, []byte(id), "user", id)
}

// findBy reads one entry whose key stands in an index.
func findBy[T any](ctx context.Context, l *Ledger, index string, name []byte, bucket, what, id string) (T, error) {
	var v T
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		return loadFound(tx, bucket, get(tx, index, name), what, id, &v)
	})
	if err != nil {
		var none T
		return none, fmt.Errorf("reading %s: %w", what, err)
	}
	return v, nil
}

// Agencies implements exchange.Ledger. They come in the order of their codes.
func (l *Ledger) Agencies(ctx context.Context, cursor string, limit int) (list []exchange.Agency, next string, err error) {
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(agencies)).Cursor()
		key, value := c.Seek([]byte(cursor))
		if cursor != "" && bytes.Equal(key, []byte(cursor)) {
			key, value = c.Next()
		}
		for ; key != nil; key, value = c.Next() {
			if len(list) == limit {
				next = list[limit-1].Code
				return nil
			}
			var a exchange.Agency
			if err := json.Unmarshal(value, &a); err != nil {
				return fmt.Errorf("agency %s: %w", key, err)
			}
			list = append(list, a)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing agencies: %w", err)
	}
	return list, next, nil
}

// Systems implements exchange.Ledger. They come in the order of identifiers.
func (l *Ledger) Systems(ctx context.Context) ([]exchange.System, error) {
	return all[exchange.System](ctx, l, systems)
}

// Users implements exchange.Ledger. They come in the order of identifiers.
func (l *Ledger) Users(ctx context.Context) ([]exchange.User, error) {
	return all[exchange.User](ctx, l, users)
}

func all[T any](ctx context.Context, l *Ledger, bucket string) ([]T, error) {
	var list []T
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(key, value []byte) error {
			var v T
			if err := json.Unmarshal(value, &v); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			list = append(list, v)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", bucket, err)
	}
	return list, nil
}
