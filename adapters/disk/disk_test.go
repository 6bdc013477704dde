package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func newVault(t *testing.T) (dir string, open func() *Vault) {
	dir = filepath.Join(t.TempDir(), "vault")
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	return dir, func() *Vault {
		v, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
		return v
	}
}

func TestVault(t *testing.T) {
	exchangetest.TestVault(t, func(t *testing.T) func() exchange.Vault {
		_, open := newVault(t)
		return func() exchange.Vault { return open() }
	})
}

func keep(t *testing.T, v *Vault, b []byte) exchange.Digest {
	t.Helper()
	d, err := v.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	if _, err := d.Write(b); err != nil {
		t.Fatal(err)
	}
	digest, err := d.Keep()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// files are all files below dir with their modes.
func files(t *testing.T, dir string) map[string]os.FileMode {
	t.Helper()
	list := map[string]os.FileMode{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			list[strings.TrimPrefix(path, dir+"/")] = info.Mode()
		}
		if err == nil && info.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestFilesAreNamedByDigest(t *testing.T) {
	dir, open := newVault(t)
	v := open()
	for _, size := range []int{10, memoryDraft, memoryDraft + 1} {
		digest := keep(t, v, make([]byte, size)).String()
		if mode, ok := files(t, dir)[digest[:2]+"/"+digest[2:]]; !ok || mode != 0o600 {
			t.Errorf("%d bytes: file %v with mode %v", size, ok, mode)
		}
	}
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
}

func TestASmallDraftDoesNotTouchTheDisk(t *testing.T) {
	dir, open := newVault(t)
	v := open()
	for size, want := range map[int]int{0: 0, memoryDraft: 0, memoryDraft + 1: 1} {
		d, err := v.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if n := len(files(t, dir)); n != want {
			t.Errorf("a draft of %d bytes has %d files, want %d", size, n, want)
		}
		d.Discard()
		if n := len(files(t, dir)); n != 0 {
			t.Errorf("a discarded draft of %d bytes left %d files", size, n)
		}
	}
}

func TestLeftOverDraftsAreSwept(t *testing.T) {
	dir, open := newVault(t)
	left, err := open().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "ab", "notes.txt")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v := open() // as after a crash: the draft is of another process
	if err := v.Sweep(t.Context(), 0, func(exchange.Digest) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	if list := files(t, dir); len(list) != 1 || list["ab/notes.txt"] == 0 {
		t.Errorf("left: %v, want only the file that is not ours", list)
	}
}

func TestADamagedFileIsNamed(t *testing.T) {
	dir, open := newVault(t)
	v := open()
	digest := keep(t, v, []byte("whole"))
	if err := os.Truncate(keptPath(dir, digest), 3); err != nil {
		t.Fatal(err)
	}
	d, err := v.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	if _, err := d.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keep(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("keeping beside a damaged file: %v", err)
	}
	if b, err := os.ReadFile(keptPath(dir, digest)); string(b) != "who" || err != nil {
		t.Errorf("the damaged file was written over: %q, %v", b, err)
	}
}

func TestAgeIsByTheClock(t *testing.T) {
	dir, open := newVault(t)
	v := open()
	keep(t, v, []byte("old"))
	v.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	unused := func(exchange.Digest) (bool, error) { return false, nil }
	if err := v.Sweep(t.Context(), 3*time.Hour, unused); err != nil || len(files(t, dir)) != 1 {
		t.Errorf("swept what is 2 hours old, not 3: %v", err)
	}
	if err := v.Sweep(t.Context(), time.Hour, unused); err != nil || len(files(t, dir)) != 0 {
		t.Errorf("kept what is 2 hours old and unused: %v", err)
	}
}

func TestABackupIsAVault(t *testing.T) {
	for name, copying := range map[string]bool{"by links": false, "by copies": true} {
		t.Run(name, func(t *testing.T) {
			_, open := newVault(t)
			v := open()
			first, second := []byte("first"), make([]byte, 1<<20)
			digest := keep(t, v, first)
			dir := filepath.Join(t.TempDir(), "backup")
			backup(t, v, dir, copying)
			keep(t, v, second)
			backup(t, v, dir, copying)
			b, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.Close() }() // only read
			for _, want := range [][]byte{first, second} {
				got, err := os.ReadFile(keptPath(dir, exchange.DigestOf(want)))
				if string(got) != string(want) || err != nil {
					t.Errorf("backup of %d bytes has %d: %v", len(want), len(got), err)
				}
			}
			if len(files(t, dir)) != 2 {
				t.Errorf("the backup has files %v", files(t, dir))
			}
			unused := func(exchange.Digest) (bool, error) { return false, nil }
			if err := v.Sweep(t.Context(), -time.Hour, unused); err != nil {
				t.Fatal(err)
			}
			c, err := b.Open(t.Context(), digest)
			if err != nil {
				t.Fatalf("removing from the vault removed from the backup: %v", err)
			}
			_ = c.Close() // only read
		})
	}
}

func backup(t *testing.T, v *Vault, dir string, copying bool) {
	t.Helper()
	if !copying {
		if _, err := v.Backup(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		return
	}
	// There may be one file system only, so what follows a refused link is
	// called by itself.
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := makeShards(dir); err != nil {
		t.Fatal(err)
	}
	err := eachKept(t.Context(), v.dir, func(d exchange.Digest) error {
		return copyFile(v.path(d), keptPath(dir, d), filepath.Join(dir, incoming))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestABackupDoesNotHideDamage(t *testing.T) {
	_, open := newVault(t)
	v := open()
	digest := keep(t, v, []byte("whole"))
	to := filepath.Join(t.TempDir(), "backup")
	if err := os.MkdirAll(filepath.Dir(keptPath(to, digest)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keptPath(to, digest), []byte("who"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), digest.String()[2:]) {
		t.Errorf("backup over a damaged file: %v", err)
	}
}

func TestCreateAndOpenRefuse(t *testing.T) {
	dir, _ := newVault(t)
	missing := filepath.Join(t.TempDir(), "none")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, openMissing := Open(missing, Options{})
	_, openOther := Open(full, Options{})
	for name, c := range map[string]struct {
		err  error
		word string
	}{
		"creating over a vault":       {Create(dir), "not empty"},
		"creating over files":         {Create(full), "not empty"},
		"creating without a parent":   {Create(filepath.Join(missing, "vault")), "no such"},
		"opening what is not there":   {openMissing, "hub init"},
		"opening what is not a vault": {openOther, "hub init"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.word) {
			t.Errorf("%s: %v, want a word on %q", name, c.err, c.word)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("opening made a directory")
	}
}
