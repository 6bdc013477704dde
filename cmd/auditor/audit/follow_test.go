package audit

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

func TestFollowGrowsWithTheHub(t *testing.T) {
	hub := hubtest.New(t)
	evil := newEvilHub(t, hub.Keys, hub.Log)
	all := invented(1_000, "a")
	dir := filepath.Join(t.TempDir(), "mirror")
	for _, size := range []int{1, 5, 5, 255, 256, 257, 600, 1_000} {
		evil.show(t, all[:size])
		code, stdout, stderr := audit(t, "follow", evil.url, "--dir", dir, "--once", "--json")
		if code != 0 || names(t, stdout) != "" {
			t.Fatalf("at %d exits with %d: %s%s", size, code, stdout, stderr)
		}
		if code, stdout, stderr := audit(t, "check", dir); code != 0 {
			t.Fatalf("the mirror of %d: exits with %d: %s%s", size, code, stdout, stderr)
		}
	}
	// No more than the record is kept: the same files as the hub's.
	if got, want := files(t, dir), files(t, evil.dir); got != want {
		t.Errorf("the mirror holds\n%s\nthe hub\n%s", got, want)
	}
}

func files(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

func TestFollowFinds(t *testing.T) {
	hub := hubtest.New(t)
	all := invented(700, "a")
	public, other, err := otherKey(t, hub)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int) [][]byte {
		list := append([][]byte{}, all...)
		list[at] = invented(at+1, "b")[at]
		return list
	}
	for _, c := range []struct {
		name string
		harm func(t *testing.T, evil *evilHub)
		want string
	}{
		{"growth", func(t *testing.T, e *evilHub) { e.show(t, all) }, ""},
		{"nothing new", func(*testing.T, *evilHub) {}, ""},
		{"another record of the same size", func(t *testing.T, e *evilHub) { e.show(t, changed(3)[:300]) }, "fork"},
		{"a longer record with an old leaf changed", func(t *testing.T, e *evilHub) { e.show(t, changed(3)) }, "fork"},
		{"a longer record with the last old leaf changed", func(t *testing.T, e *evilHub) { e.show(t, changed(299)) }, "fork"},
		{"a longer record with an old leaf dropped", func(t *testing.T, e *evilHub) { e.show(t, append(all[:100:100], all[101:]...)) }, "fork"},
		{"an older record", func(t *testing.T, e *evilHub) { e.show(t, all[:290]) }, "rollback"},
		{"an empty record", func(t *testing.T, e *evilHub) { e.show(t, nil) }, "rollback"},
		{"an older record with a leaf changed", func(t *testing.T, e *evilHub) { e.show(t, changed(3)[:290]) }, "rollback fork"},
		{"a leaf dated back", func(t *testing.T, e *evilHub) { e.show(t, append(all[:300:300], invented(1, "late")...)) }, "entry-back-dated"},
		{"a new leaf that is not the one signed for", func(t *testing.T, e *evilHub) {
			e.show(t, all)
			file := filepath.Join(e.dir, "tile/entries/002.p/188")
			hubtest.WriteFile(t, file, bytes.Replace(readFile(t, file), []byte("receipt"), []byte("receibt"), 1))
		}, "root-differs"},
		{"hashes that do not lead to the root", func(t *testing.T, e *evilHub) {
			e.show(t, all)
			file := filepath.Join(e.dir, "tile/0/001")
			b := readFile(t, file)
			b[100] ^= 1
			hubtest.WriteFile(t, file, b)
		}, "root-differs"},
		{"leaves that are not to be had", func(t *testing.T, e *evilHub) {
			e.show(t, all)
			if err := os.RemoveAll(filepath.Join(e.dir, "tile/entries")); err != nil {
				t.Fatal(err)
			}
		}, "record-incomplete"},
		{"a checkpoint by another key", func(t *testing.T, e *evilHub) { e.key = other; e.show(t, all) }, "checkpoint-broken"},
		{"another key published", func(t *testing.T, e *evilHub) { e.keys.LogKey, e.key = public, other; e.show(t, all) }, "keys-changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			evil := newEvilHub(t, hub.Keys, hub.Log)
			evil.show(t, all[:300])
			dir := filepath.Join(t.TempDir(), "mirror")
			if code, stdout, stderr := audit(t, "follow", evil.url, "--dir", dir, "--once"); code != 0 {
				t.Fatalf("at first exits with %d: %s%s", code, stdout, stderr)
			}
			c.harm(t, evil)
			for range 2 { // what was found is found again
				code, stdout, stderr := audit(t, "follow", evil.url, "--dir", dir, "--once", "--json")
				got := names(t, stdout)
				if c.want == "entry-back-dated" && got == "" && code == 0 {
					break // the leaf is in the mirror now; check finds it there
				}
				if got != c.want || (code == 0) != (c.want == "") {
					t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, c.want, stdout, stderr)
				}
			}
		})
	}
}

// A fork leaves its evidence in the mirror: the mirror alone shows it.
func TestForkStaysInEvidence(t *testing.T) {
	hub := hubtest.New(t)
	evil := newEvilHub(t, hub.Keys, hub.Log)
	dir := filepath.Join(t.TempDir(), "mirror")
	evil.show(t, invented(10, "a"))
	if code, _, stderr := audit(t, "follow", evil.url, "--dir", dir, "--once"); code != 0 {
		t.Fatal(stderr)
	}
	evil.show(t, invented(10, "b"))
	if code, _, _ := audit(t, "follow", evil.url, "--dir", dir, "--once"); code != 1 {
		t.Errorf("exits with %d", code)
	}
	code, stdout, _ := audit(t, "check", dir, "--json")
	if got := names(t, stdout); code != 1 || got != "fork" {
		t.Errorf("exits with %d, finds %q", code, got)
	}
}

// lines hands over what is written line by line.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

func TestFollowGoesOnUntilItIsStopped(t *testing.T) {
	hub := hubtest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	var out, errs lines
	done := make(chan int)
	go func() {
		done <- Run(ctx, []string{"follow", hub.URL, "--dir", t.TempDir(), "--interval", "10ms"}, &out, &errs)
	}()
	wait := func(s string) {
		t.Helper()
		for range 500 {
			if out.has(s) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("never said %q: %s%s", s, out.b.String(), errs.b.String())
	}
	hub.Person(t, "an", exchange.Auditor) // two actions: two leaves
	wait("2 leaves")
	hub.Person(t, "binh", exchange.Operator)
	wait("4 leaves")
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exits with %d", code)
	}
}

func TestFollowReportsAHubThatFails(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer s.Close()
	code, _, stderr := audit(t, "follow", s.URL, "--dir", t.TempDir(), "--once")
	if code != 1 || !strings.Contains(stderr, "/v1/keys: HTTP status 500") {
		t.Errorf("exits with %d: %s", code, stderr)
	}
}
