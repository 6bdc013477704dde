package httpclient

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tram/exchange"
)

func content(t *testing.T, size int) ([]byte, exchange.InboxItem) {
	t.Helper()
	b := make([]byte, size)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < size; i++ {
		b[i] = byte(r.Uint32())
	}
	return b, exchange.InboxItem{Delivery: exchange.Delivery{ID: "p.1"},
		Package: exchange.Package{ID: "p", Size: int64(size), Digest: exchange.DigestOf(b)}}
}

// serve answers as a file server does, under the digest's entity tag.
func serve(w http.ResponseWriter, r *http.Request, b []byte) {
	w.Header().Set("ETag", `"`+exchange.DigestOf(b).String()+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// breaking passes on some bytes and then ends the connection.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func TestFetchGoesOnWhereItBrokeOff(t *testing.T) {
	want, item := content(t, 3<<20)
	var ranges []string
	c := hub(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) < 3 {
			w = &breaking{w, 1 << 20}
		}
		serve(w, r, want)
	})
	var got bytes.Buffer
	if err := c.Fetch(t.Context(), item, &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("other bytes came")
	}
	if len(ranges) != 3 || ranges[0] != "" || ranges[1] == "" || ranges[2] <= ranges[1] {
		t.Errorf("asked for %q", ranges)
	}
}

func TestFetchGivesUp(t *testing.T) {
	want, item := content(t, 1<<20)
	var calls atomic.Int32
	c := hub(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		serve(&breaking{w, 0}, r, want)
	})
	if err := c.Fetch(t.Context(), item, &bytes.Buffer{}); err == nil || calls.Load() != 5 {
		t.Errorf("got %v after %d calls", err, calls.Load())
	}
}

func TestFetchFile(t *testing.T) {
	want, item := content(t, 300<<10)
	changed := bytes.Clone(want)
	changed[len(changed)-1] ^= 1
	for _, c := range []struct {
		name   string
		before []byte // what came the last time
		serve  http.HandlerFunc
		wrong  bool
	}{
		{"at once", nil, func(w http.ResponseWriter, r *http.Request) { serve(w, r, want) }, false},
		{"from the middle", want[:200<<10], func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "bytes=204800-" {
				t.Errorf("asked for %q", r.Header.Get("Range"))
			}
			serve(w, r, want)
		}, false},
		{"from the middle, by a server without ranges", want[:200<<10], func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(want) }, false},
		{"all there but for the name", want, func(http.ResponseWriter, *http.Request) { t.Error("asked again") }, false},
		{"after other bytes", changed[100<<10:], func(w http.ResponseWriter, r *http.Request) { serve(w, r, want) }, false},
		{"after too many bytes", append(bytes.Clone(want), want...), func(w http.ResponseWriter, r *http.Request) { serve(w, r, want) }, false},
		{"changed on the way", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(changed) }, true},
		{"another content under its own tag", nil, func(w http.ResponseWriter, r *http.Request) { serve(w, r, changed) }, true},
		{"longer than it should be", nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(append(bytes.Clone(changed), 'x'))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p.1.edxml")
			if c.before != nil {
				if err := os.WriteFile(file+".part", c.before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := hub(t, c.serve).FetchFile(t.Context(), item, file)
			got, _ := os.ReadFile(file) // nothing, if it is not there
			if c.wrong {
				if err == nil || got != nil {
					t.Errorf("got %d bytes and %v", len(got), err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes and %v", len(got), err)
			}
			if _, err := os.Stat(file + ".part"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the part is still there: %v", err)
			}
		})
	}
}

func TestFetchFileNamesADigestThatDiffers(t *testing.T) {
	want, item := content(t, 1000)
	want[0] ^= 1
	c := hub(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(want) })
	err := c.FetchFile(t.Context(), item, filepath.Join(t.TempDir(), "f"))
	var wrong *DigestError
	if !errors.As(err, &wrong) || wrong.Got != exchange.DigestOf(want) || !strings.Contains(err.Error(), "do not use it") {
		t.Errorf("got %v", err)
	}
}
