package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// holding are the files under the site's directory that hold a text, but for those
// in a part of it.
func (s *site) holding(text, but string) (files []string) {
	s.t.Helper()
	must(s.t, filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == but {
			return fs.SkipDir
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// TestPurge: a document goes out by three protocols and is purged. Each protocol
// says so, nothing of it is left on the hub's disk, and what auditors, backups and
// a hub that was killed have to show is whole.
func TestPurge(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	old := s.axis("H12.12", "secret-of-h12.12", "H12.12")
	sender, town, ward := s.join("H12.07"), s.join("H12.40"), s.join("H12.41")
	province := s.provincial(town)

	d := sender.letter(1250, 5000, "H12.12", "H12.40", "H12.41")
	d.Subject = "Về việc di chuyển kho số chín"
	d.Attachments[0].Name = "so-do-ham-ngam.txt"
	pkg := sender.signed(t, d)
	first, err := sender.submit(t.Context(), pkg)
	must(t, err)
	id := string(first.Package)
	var item exchange.InboxItem
	eventually(t, "the document is in all inboxes", func() bool {
		inbox, err := ward.hub.Inbox(t.Context(), ward.code, "", 10, time.Second)
		if err != nil || len(inbox.Items) != 1 {
			return false
		}
		item = inbox.Items[0]
		return len(province.list("edoc", "")) == 1 && len(old.list("/getReceivedEdocList", "edoc")) == 1
	})
	of := map[string]string{"axis": old.list("/getReceivedEdocList", "edoc")[0].DocID, "province": province.list("edoc", "")[0]["docId"]}
	if !bytes.Equal(old.get(of["axis"]), pkg) {
		t.Fatal("the axis's client has another document")
	}
	for _, text := range []string{d.Subject, d.Attachments[0].Name} {
		if len(s.holding(text, "old-backups")) == 0 {
			t.Fatalf("nothing has %q: this would show nothing", text)
		}
	}
	s.backUp(s.path("old-backups"))
	before := s.evidenceOf(sender, first.Package)

	var done exchange.Purged
	must(t, json.Unmarshal([]byte(s.mustHub("purge", id, "--reason", "không được lưu ở đây", "--yes", "--json", "--config", s.config())), &done))
	if len(done.Had) != 1 || done.Had[0].Recipient != "H12.12" || len(done.Ended) != 2 {
		t.Errorf("%+v", done)
	}
	for _, text := range []string{d.Subject, d.Attachments[0].Name} {
		if files := s.holding(text, "old-backups"); len(files) > 0 {
			t.Errorf("%q is still in %s", text, files)
		}
	}
	if r := old.call("/getEdoc", "{}", pair{"docId", of["axis"]}, pair{"filePath", "/var/lib/dms"}); r.Code != "22" || !strings.Contains(r.Text, "tiêu hủy") {
		t.Errorf("the axis's protocol says %+v", r)
	}
	if status, r := province.call(http.MethodGet, "/v1/getEdoc?docId="+of["province"], "", ""); status != http.StatusNotFound || r.Rule != "content-purged" {
		t.Errorf("the provincial protocol says %d %+v", status, r)
	}
	err = ward.hub.Fetch(t.Context(), item, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "content-purged") {
		t.Errorf("/v1 says %v", err)
	}
	again, err := sender.submit(t.Context(), pkg)
	if err != nil || !again.Resubmitted || !bytes.Equal(again.Receipt.Raw, first.Receipt.Raw) {
		t.Errorf("sent again: %v, %t", err, again.Resubmitted)
	}

	s.kill()
	s.start()
	same(t, before, s.evidenceOf(sender, first.Package))
	s.audited(0)
	s.backUp(s.path("new-backups"))
	s.mustHub("restore", "--drill", s.path("new-backups"), "--dir", t.TempDir(), "--config", s.config())
	for _, text := range []string{d.Subject, d.Attachments[0].Name} {
		if files := s.holding(text, "old-backups"); len(files) > 0 {
			t.Errorf("%q came back into %s", text, files)
		}
	}
	s.stop()
	healthy(t, s)
}

// same expects every receipt of one directory in the other, byte for byte.
func same(t *testing.T, before, after string) {
	t.Helper()
	receipts, err := filepath.Glob(filepath.Join(before, "*.xml"))
	must(t, err)
	if len(receipts) < 2 {
		t.Fatal(fmt.Sprint("only ", len(receipts), " receipts are compared"))
	}
	for _, path := range receipts {
		one, err := os.ReadFile(path)
		must(t, err)
		other, err := os.ReadFile(filepath.Join(after, filepath.Base(path)))
		must(t, err)
		if !bytes.Equal(one, other) {
			t.Errorf("receipt %s has changed", filepath.Base(path))
		}
	}
}
