package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

// audit runs one command line and returns its exit code and
// what it printed.
func audit(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// names are those of the findings in JSON.
func names(t *testing.T, stdout string) string {
	t.Helper()
	var r struct {
		Findings []Finding `json:"findings"`
		Receipts json.RawMessage
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	var list []string
	for _, f := range r.Findings {
		if len(list) == 0 || list[len(list)-1] != f.Name {
			list = append(list, f.Name)
		}
	}
	return strings.Join(list, " ")
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// leavesOf are the leaves of a mirror.
func leavesOf(t *testing.T, dir string, size int64) [][]byte {
	t.Helper()
	var all [][]byte
	for n := int64(0); n*exchange.TileWidth < size; n++ {
		width := int(min(size-n*exchange.TileWidth, exchange.TileWidth))
		b, err := directory(dir).EntryBundle(t.Context(), n, width)
		if err != nil {
			t.Fatal(err)
		}
		list, err := split(b, width)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	return all
}

// writeRecord writes the record that a hub with this log key would show for the
// leaves: what an attacker can do who has the key.
func writeRecord(t *testing.T, dir string, key note.Signer, origin string, all [][]byte) {
	t.Helper()
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for i, leaf := range all {
		more, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	size := int64(len(all))
	if err := os.RemoveAll(filepath.Join(dir, "tile")); err != nil {
		t.Fatal(err)
	}
	for _, tile := range tlog.NewTiles(exchange.TileHeight, 0, size) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			t.Fatal(err)
		}
		hubtest.WriteFile(t, filepath.Join(dir, httpclient.TilePath(tile.L, tile.N, tile.W)), data)
		if tile.L == 0 {
			from := tile.N * exchange.TileWidth
			hubtest.WriteFile(t, filepath.Join(dir, httpclient.TilePath(-1, tile.N, tile.W)), join(all[from:from+int64(tile.W)]))
		}
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)}, key)
	if err != nil {
		t.Fatal(err)
	}
	hubtest.WriteFile(t, filepath.Join(dir, "checkpoint"), signed)
}

// invented are leaves such as a hub writes, a second apart and an hour ago.
func invented(n int, salt string) [][]byte {
	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	all := make([][]byte, n)
	for i := range all {
		id := fmt.Sprintf("%s-%d", salt, i)
		all[i] = exchange.LogEntry{Type: "receipt", ID: id, Event: string(exchange.ContentConsignment),
			Time: start.Add(time.Duration(i) * time.Second), Package: "p", SHA256: exchange.DigestOf([]byte(id))}.Bytes()
	}
	return all
}

// evilHub shows whatever record is in its directory.
type evilHub struct {
	url, dir string
	keys     exchange.Keys
	key      note.Signer
}

func newEvilHub(t *testing.T, keys exchange.Keys, key note.Signer) *evilHub {
	t.Helper()
	e := &evilHub{dir: t.TempDir(), keys: keys, key: key}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/keys" {
			_ = json.NewEncoder(w).Encode(e.keys)
			return
		}
		b, err := os.ReadFile(filepath.Join(e.dir, strings.TrimPrefix(r.URL.Path, "/v1/log/")))
		if err != nil {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"code":"not-found"}`)
			return
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *evilHub) show(t *testing.T, all [][]byte) {
	t.Helper()
	writeRecord(t, e.dir, e.key, e.keys.Origin, all)
}

// behind puts a meddler between the auditor and a hub.
func behind(t *testing.T, hub *hubtest.Hub, meddle func(path string, status int, body []byte) (int, []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, hub.URL+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Error(err)
		}
		status, body := meddle(r.URL.Path, resp.StatusCode, b.Bytes())
		if status == http.StatusNotFound {
			w.Header().Set("Content-Type", "application/problem+json")
			body = []byte(`{"code":"not-found"}`)
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
