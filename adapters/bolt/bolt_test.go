package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func newLedger(t testing.TB, o Options) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l, path
}

func accept(ctx context.Context, l *Ledger, s *exchangetest.Samples, p exchange.Package) error {
	_, _, err := l.Accept(ctx, p, s.Acceptance(p))
	return err
}

// alter changes the file behind the ledger's back.
func alter(t *testing.T, path string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCreateAndOpenRefuse(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	withFormat := func(name string, n any) string {
		path := filepath.Join(dir, name)
		if err := Create(path); err != nil {
			t.Fatal(err)
		}
		alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(meta)).Put([]byte("format"), fmt.Append(nil, n)) })
		return path
	}
	lacking := withFormat("lacking", format)
	alter(t, lacking, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(due)) })
	other := filepath.Join(dir, "other")
	alter(t, other, func(*bbolt.Tx) error { return nil })
	_, used := newLedger(t, Options{})
	opening := func(path string) error {
		l, err := Open(path, Options{})
		if err == nil {
			_ = l.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		err  error
		word string
	}{
		"creating over a ledger":       {Create(used), "file exists"},
		"creating over a file":         {Create(file("text", "x")), "file exists"},
		"creating without a directory": {Create(filepath.Join(dir, "no", "ledger")), "no such"},
		"opening what is not there":    {opening(filepath.Join(dir, "missing")), `"hub init"`},
		"opening an empty file":        {opening(file("empty", "")), "not a ledger"},
		"opening a text":               {opening(file("long", strings.Repeat("text ", 10_000))), "not a ledger"},
		"opening another bbolt file":   {opening(other), "not a ledger"},
		"opening a newer format":       {opening(withFormat("newer", format+1)), fmt.Sprint("format ", format+1)},
		"opening an older format":      {opening(withFormat("older", format-1)), `"hub init"`},
		"opening a format of no sense": {opening(withFormat("odd", "x")), "not a number"},
		"opening one without a bucket": {opening(lacking), "restore a backup"},
		"opening a ledger in use":      {opening(used), "already in use by a running hub"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.word) {
			t.Errorf("%s: %v, want a word on %s", name, c.err, c.word)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("opening made a file")
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("creating left %v (%v)", left, err)
	}
	for _, path := range []string{used} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestABackupIsALedger(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 50 {
		if err := accept(t.Context(), l, s, s.Submission("A", fmt.Sprint(n), "B", "C")); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := l.Backup(t.Context(), f)
	if err := errors.Join(err, f.Close()); err != nil || leaves != 50 {
		t.Fatalf("the backup says that it has %d leaves, want 50: %v", leaves, err)
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "later", "B")); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }() // only read
	size, err := b.LogSize(t.Context())
	if err := errors.Join(err, b.Check(t.Context())); err != nil || size != 50 {
		t.Errorf("the backup has %d leaves, want 50: %v", size, err)
	}
}

func TestAfterCloseEverythingFailsClearly(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := l.Counts(t.Context())
	_, hashErr := l.LogHashes(t.Context()).ReadHashes([]int64{0})
	for name, err := range map[string]error{
		"accept": accept(t.Context(), l, s, s.Submission("A", "d", "B")),
		"read":   readErr, "hashes": hashErr, "check": l.Check(t.Context()),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v, want that the ledger is closed", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
