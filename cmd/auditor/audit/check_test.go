package audit

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/httpclient"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// mirrored is a mirror of a hub, with receipts that an agency kept.
func mirrored(t *testing.T, c *correspondence) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mirror")
	if code, stdout, stderr := audit(t, "follow", c.hub.URL, "--dir", dir, "--keys", c.hub.KeysFile(t), "--once"); code != 0 {
		t.Fatalf("follow exits with %d: %s%s", code, stdout, stderr)
	}
	if err := os.CopyFS(filepath.Join(dir, "receipts"), os.DirFS(c.receipts)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCheckHub(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 3)
	t.Setenv("TRAM_SECRET", hub.Person(t, "an", exchange.Auditor))
	keys := hub.KeysFile(t)

	code, stdout, stderr := audit(t, "check", hub.URL, "--keys", keys, "--user", "an", "--receipts", c.receipts, "--json")
	if code != 0 || names(t, stdout) != "" || !strings.Contains(stdout, `"receiptsChecked": 9`) || !strings.Contains(stdout, `"held": 9`) {
		t.Errorf("exits with %d: %s%s", code, stdout, stderr)
	}
	code, stdout, _ = audit(t, "check", hub.URL)
	if code != 0 || !strings.Contains(stdout, "9 in the log, 0 of them fetched") || !strings.Contains(stdout, "the record itself") {
		t.Errorf("exits with %d: %s", code, stdout)
	}

	handover := c.of(t, exchange.ContentHandover)[0]
	id := strings.TrimSuffix(filepath.Base(handover), ".xml")
	for _, m := range []struct {
		name   string
		meddle func(path string, status int, b []byte) (int, []byte)
		want   string
	}{
		{"a receipt that is not given", func(path string, status int, b []byte) (int, []byte) {
			if strings.HasSuffix(path, id) {
				return http.StatusNotFound, nil
			}
			return status, b
		}, "receipt-missing"},
		{"a receipt changed and sealed again by the hub", func(path string, status int, b []byte) (int, []byte) {
			if strings.HasSuffix(path, id) {
				return status, resealed(t, b, hub.Sealer, "H12.12", "H12.13")
			}
			return status, b
		}, "receipt-changed"},
		{"a hash that is not the leaf's", func(path string, status int, b []byte) (int, []byte) {
			if strings.Contains(path, "/tile/0/") {
				b[0] ^= 1
			}
			return status, b
		}, "tile-differs"},
		{"a leaf that is not the one signed for", func(path string, status int, b []byte) (int, []byte) {
			if strings.Contains(path, "/tile/entries/") {
				at := bytes.Index(b, []byte(`"type":"receipt"`))
				at += bytes.Index(b[at:], []byte(`"sha256":"`)) + len(`"sha256":"`)
				b[at] = '0' + (b[at]+1)%10
			}
			return status, b
		}, "receipt-changed root-differs tile-differs"},
		{"a checkpoint of another size", func(path string, status int, b []byte) (int, []byte) {
			if strings.HasSuffix(path, "/checkpoint") {
				b = bytes.Replace(b, []byte("\n1"), []byte("\n2"), 1)
			}
			return status, b
		}, "checkpoint-broken"},
		{"no leaves", func(path string, status int, b []byte) (int, []byte) {
			if strings.Contains(path, "/tile/entries/") {
				return http.StatusNotFound, nil
			}
			return status, b
		}, "record-incomplete"},
	} {
		t.Run(m.name, func(t *testing.T) {
			code, stdout, stderr := audit(t, "check", behind(t, hub, m.meddle), "--keys", keys, "--user", "an", "--json")
			if got := names(t, stdout); code != 1 || got != m.want {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, m.want, stdout, stderr)
			}
		})
	}
}

func TestCheckMirror(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 3)
	whole := mirrored(t, c)
	tree := sizeOf(t, hub, whole)
	_, other, err := otherKey(t, hub)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(t *testing.T, dir string, change func([][]byte) [][]byte) {
		writeRecord(t, dir, hub.Log, hub.Keys.Origin, change(leavesOf(t, dir, tree)))
	}
	for _, m := range []struct {
		name string
		harm func(t *testing.T, dir string)
		want []string // all of them, in any order
	}{
		{"as it is", func(*testing.T, string) {}, nil},
		{"a leaf changed", func(t *testing.T, dir string) {
			file := filepath.Join(dir, httpclient.TilePath(-1, 0, int(tree)))
			b := readFile(t, file)
			b[len(b)-10] = '0' + (b[len(b)-10]+1)%10 // in the digest
			hubtest.WriteFile(t, file, b)
		}, []string{"receipt-changed", "root-differs", "tile-differs"}},
		{"a leaf dropped, and all signed anew", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte { return append(all[:7:7], all[8:]...) })
		}, []string{"receipt-not-in-log", "fork", "record-incomplete"}},
		{"two leaves changed places, and all signed anew", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte { all[7], all[8] = all[8], all[7]; return all })
		}, []string{"fork"}},
		{"a leaf dated back a day and added at the end", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte { return append(all, invented(1, "late")...) })
		}, []string{"entry-back-dated"}},
		{"a leaf from the future", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte {
				return append(all, exchange.LogEntry{Type: "action", ID: "x", Event: "hold", Actor: "user:an", Time: time.Now().Add(time.Hour), SHA256: exchange.DigestOf(nil)}.Bytes())
			})
		}, []string{"entry-post-dated"}},
		{"a leaf twice", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte { return append(all, all[len(all)-1]) })
		}, []string{"entry-repeated"}},
		{"a leaf that no hub writes", func(t *testing.T, dir string) {
			rewrite(t, dir, func(all [][]byte) [][]byte { return append(all, []byte(`{"type":"note"}`)) })
		}, []string{"entry-malformed", "entry-back-dated"}},
		{"a tile of hashes lost", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "tile", "0")); err != nil {
				t.Fatal(err)
			}
		}, []string{"record-incomplete"}},
		{"a checkpoint by another key", func(t *testing.T, dir string) {
			writeRecord(t, dir, other, hub.Keys.Origin, leavesOf(t, dir, tree))
		}, []string{"checkpoint-broken"}},
		{"a receipt changed", func(t *testing.T, dir string) {
			file := filepath.Join(dir, "receipts", filepath.Base(c.of(t, exchange.ContentHandover)[0]))
			hubtest.WriteFile(t, file, bytes.Replace(readFile(t, file), []byte("H12.12"), []byte("H12.13"), 1))
		}, []string{"seal-broken"}},
		{"a receipt forged", func(t *testing.T, dir string) {
			k := hubtest.NewKey(t, "Test hub", hub.Roots)
			forger, err := signing.NewSealer(k.Signer, []*x509.Certificate{k.Certificate})
			if err != nil {
				t.Fatal(err)
			}
			hubtest.WriteFile(t, filepath.Join(dir, "receipts", "forged.xml"), invent(t, c, forger))
		}, []string{"seal-unknown", "receipt-not-in-log"}},
		{"a receipt that the hub sealed and never logged", func(t *testing.T, dir string) {
			hubtest.WriteFile(t, filepath.Join(dir, "receipts", "forged.xml"), invent(t, c, hub.Sealer))
		}, []string{"receipt-not-in-log"}},
		{"a receipt sealed twice, with two contents", func(t *testing.T, dir string) {
			file := c.of(t, exchange.ContentHandover)[0]
			hubtest.WriteFile(t, filepath.Join(dir, "receipts", filepath.Base(file)), resealed(t, readFile(t, file), hub.Sealer, "H12.12", "H12.13"))
		}, []string{"proof-broken", "receipt-changed"}},
		{"a checkpoint of another record among those seen", func(t *testing.T, dir string) {
			evil := t.TempDir()
			all := leavesOf(t, dir, tree)
			all[2] = invented(1, "other")[0]
			writeRecord(t, evil, hub.Log, hub.Keys.Origin, all)
			hubtest.WriteFile(t, filepath.Join(dir, "checkpoints", "evil"), readFile(t, filepath.Join(evil, "checkpoint")))
		}, []string{"fork"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "mirror")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			m.harm(t, dir)
			code, stdout, stderr := audit(t, "check", dir, "--json")
			got := names(t, stdout)
			for _, want := range m.want {
				if !strings.Contains(got, want) {
					t.Errorf("does not find %s", want)
				}
			}
			if (code == 0) != (m.want == nil) || (m.want == nil && got != "") || strings.Count(got, " ") >= max(len(m.want), 1) {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, m.want, stdout, stderr)
			}
		})
	}
}

// invent is a receipt of something that never happened.
func invent(t *testing.T, c *correspondence, by *signing.Sealer) []byte {
	t.Helper()
	raw := readFile(t, c.of(t, exchange.SubmissionAcceptance)[0])
	r, _, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		t.Fatal(err)
	}
	return resealed(t, raw, by, string(r.ID), strings.Replace(string(r.ID), "-7", "-8", 1))
}

func sizeOf(t *testing.T, hub *hubtest.Hub, dir string) int64 {
	t.Helper()
	by, err := newAuthority(hub.Keys, "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := by.checkpoint(readFile(t, filepath.Join(dir, "checkpoint")))
	if err != nil {
		t.Fatal(err)
	}
	return tree.N
}

// otherKey is a log key of the hub's name that is not the hub's.
func otherKey(t *testing.T, hub *hubtest.Hub) (public string, key note.Signer, err error) {
	t.Helper()
	secret, public, err := note.GenerateKey(nil, hub.Log.Name())
	if err != nil {
		return "", nil, err
	}
	key, err = note.NewSigner(secret)
	return public, key, err
}

// The hub went back to an older record: whoever has a newer receipt shows it.
func TestCheckFindsARollback(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 2)
	dir := mirrored(t, c)
	evil := newEvilHub(t, hub.Keys, hub.Log)
	all := leavesOf(t, dir, sizeOf(t, hub, dir))
	evil.show(t, all[:len(all)-4])
	code, stdout, stderr := audit(t, "check", evil.url, "--receipts", c.receipts, "--json")
	if got := names(t, stdout); code != 1 || got != "rollback" {
		t.Errorf("exits with %d, finds %q\n%s%s", code, got, stdout, stderr)
	}
}
