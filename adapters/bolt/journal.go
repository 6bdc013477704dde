package bolt

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// journal notes what the writer writes, in a file that need not outlive the
// process: Compact repeats it in the file that it makes.
type journal struct {
	f        *os.File
	noted    atomic.Int64 // bytes that were written to it
	repeated int64        // bytes that were read again
	err      error        // of the first note that failed; the writer's
}

func newJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{f: f}, nil
}

// note adds a transaction that was committed: an entry with a nil value was
// deleted. The writer calls it.
func (j *journal) note(list []noted) {
	if j == nil || j.err != nil {
		return
	}
	var b []byte
	for _, e := range list {
		b = append(b, e.deed)
		for _, part := range [][]byte{[]byte(e.bucket), e.key, e.value} {
			b = binary.AppendUvarint(b, uint64(len(part)))
			b = append(b, part...)
		}
	}
	if _, j.err = j.f.WriteAt(b, j.noted.Load()); j.err == nil {
		j.noted.Add(int64(len(b)))
	}
}

// noted is an entry that was put or deleted.
type noted struct {
	deed byte
	entry
}

const (
	wasPut     = 'p'
	wasDeleted = 'd'
)

// left is how many bytes are to be repeated.
func (j *journal) left() int64 { return j.noted.Load() - j.repeated }

// repeat does again what was noted up to now.
func (j *journal) repeat(ctx context.Context, db *bbolt.DB) error {
	end := j.repeated + j.left()
	r := bufio.NewReaderSize(io.NewSectionReader(j.f, j.repeated, end-j.repeated), 1<<20)
	for at := int64(0); ; {
		start := at
		err := db.Update(func(tx *bbolt.Tx) error {
			for at-start < compactStep {
				e, n, err := readNoted(r)
				if err != nil {
					return err
				}
				if at += n; n == 0 {
					return nil
				}
				if err := e.again(tx); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return fmt.Errorf("repeating what was written meanwhile: %w", err)
		}
		if at == start {
			j.repeated = end
			return nil
		}
	}
}

func (e noted) again(tx *bbolt.Tx) error {
	b, err := tx.CreateBucketIfNotExists([]byte(e.bucket))
	if err != nil {
		return err
	}
	if e.deed == wasDeleted {
		return b.Delete(e.key)
	}
	return b.Put(e.key, e.value)
}

// readNoted reads one entry; of no bytes at the end.
func readNoted(r *bufio.Reader) (e noted, n int64, err error) {
	e.deed, err = r.ReadByte()
	if errors.Is(err, io.EOF) {
		return noted{}, 0, nil
	}
	if err != nil {
		return noted{}, 0, err
	}
	n = 1
	var parts [3][]byte
	for i := range parts {
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return noted{}, 0, err
		}
		parts[i] = make([]byte, size)
		if _, err := io.ReadFull(r, parts[i]); err != nil {
			return noted{}, 0, err
		}
		n += int64(size) + 1
	}
	e.entry = entry{string(parts[0]), parts[1], parts[2]}
	return e, n, nil
}

func (j *journal) close() error { return j.f.Close() }
