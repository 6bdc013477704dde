package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/adapters/backup"
	"tram/exchange"
)

// send submits letters of the member's, numbered from first.
func (s *site) send(m *member, to string, first, count, size int) {
	s.t.Helper()
	for n := range count {
		_, err := m.submit(s.t.Context(), m.signed(s.t, m.letter(first+n, size, to)))
		must(s.t, err)
	}
}

// backUp makes a backup by the command.
func (s *site) backUp(args ...string) (b exchange.Backup) {
	s.t.Helper()
	must(s.t, json.Unmarshal([]byte(s.mustHub(append([]string{"backup", "--json", "--config", s.config()}, args...)...)), &b))
	return b
}

func (s *site) restored(args ...string) (r backup.Restored) {
	s.t.Helper()
	must(s.t, json.Unmarshal([]byte(s.mustHub(append([]string{"restore", "--json"}, args...)...)), &r))
	return r
}

// hubRefuses runs a command that must end with the code and these words.
func (s *site) hubRefuses(code int, words string, args ...string) {
	s.t.Helper()
	out, errOut, got := s.hub(args...)
	if got != code || !strings.Contains(errOut, words) {
		s.t.Errorf("hub %s: exit code %d, want %d and a word on %q\n%s%s", strings.Join(args, " "), got, code, words, out, errOut)
	}
}

// lastAction is what was done last with the verb.
func (s *site) lastAction(verb string) exchange.Action {
	s.t.Helper()
	page, err := s.admin.Actions(s.t.Context(), "", 100)
	must(s.t, err)
	i := slices.IndexFunc(page.Actions, func(a exchange.Action) bool { return a.Verb == verb })
	if i < 0 {
		s.t.Fatalf("no action %s is on record", verb)
	}
	return page.Actions[i]
}

// TestABackupBecomesAHub: a backup with keys, restored elsewhere, is the hub.
func TestABackupBecomesAHub(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from, to := s.join("H12.51"), s.join("H12.61")
	s.send(from, to.code, 1, 3, 2000)
	dir, identity := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "identity")
	recipient := strings.TrimSpace(s.mustHub("keys", "recipient", identity))
	s.backUp(dir)
	s.send(from, to.code, 4, 2, 2000)
	b := s.backUp(dir, "--keys-to", recipient)
	if b.Packages.Contents != 5 || b.Packages.New != 2 || !b.Keys {
		t.Errorf("the second backup is %+v", b)
	}
	sealed, err := os.ReadFile(filepath.Join(b.Directory, "keys.age"))
	must(t, err)
	key, err := os.ReadFile(s.path("keys", "log.key"))
	must(t, err)
	if strings.Contains(string(sealed), strings.TrimSpace(string(key))) {
		t.Error("the log's key is in the backup in plain")
	}
	other := filepath.Join(t.TempDir(), "other")
	s.mustHub("keys", "recipient", other)
	s.hubRefuses(exitFailed, "identity", "restore", dir, filepath.Join(t.TempDir(), "x"), "--identity", other)

	before, err := s.admin.Receipts(t.Context(), packageOf(t, s))
	must(t, err)
	s.stop()
	again := *s
	again.dir = filepath.Join(t.TempDir(), "hub")
	r := s.restored(dir, again.dir, "--identity", identity)
	if r.Backup != b.Directory || r.Packages != 5 || len(r.Missing) != 0 || !slices.Contains(r.Restored, "keys/seal.key") {
		t.Errorf("restored %+v", r)
	}
	healthy(t, &again)
	again.start()
	after, err := again.admin.Receipts(t.Context(), before[0].Package)
	must(t, err)
	if len(after) < len(before) || after[0].ID != before[0].ID {
		t.Errorf("receipts were %v and are %v", before, after)
	}
	again.send(from, to.code, 6, 1, 2000)
	again.stop()
}

func packageOf(t *testing.T, s *site) exchange.PackageID {
	t.Helper()
	page, err := s.admin.Packages(t.Context(), exchange.PackageQuery{Limit: 1})
	must(t, err)
	return page.Packages[0].ID
}

// TestDrills: what a drill finds is on record, whatever it is.
func TestDrills(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from, to := s.join("H12.51"), s.join("H12.61")
	s.send(from, to.code, 1, 3, 2000)
	dir, tmp := filepath.Join(t.TempDir(), "backup"), t.TempDir()
	b := s.backUp(dir)
	drill := []string{"restore", "--drill", dir, "--dir", tmp, "--config", s.config(), "--json", "--full"}
	var d drilled
	must(t, json.Unmarshal([]byte(s.mustHub(drill...)), &d))
	if !d.Passed || d.Leaves != b.Leaves || d.Packages != 3 || d.Seals != d.Receipts || d.Seals < 3 {
		t.Errorf("the drill found %+v", d)
	}
	size := fmt.Sprintf("%d leaves ", b.Leaves)
	if a := s.lastAction("restore-drill"); !strings.HasPrefix(a.Object, "passed "+size) || !strings.HasSuffix(a.Object, b.Directory) || a.Reason != "" {
		t.Errorf("on record is %+v", a)
	}
	contents, err := filepath.Glob(filepath.Join(dir, "vault", "??", "*"))
	must(t, err)
	must(t, os.Remove(contents[0]))
	s.hubRefuses(exitFailed, "the bytes of package", drill...)
	if a := s.lastAction("restore-drill"); !strings.HasPrefix(a.Object, "failed "+size) || !strings.Contains(a.Reason, "the bytes of package") {
		t.Errorf("on record is %+v", a)
	}
	must(t, os.Remove(filepath.Join(b.Directory, "manifest.json")))
	s.hubRefuses(exitFailed, "manifest.json", drill...)
	if a := s.lastAction("restore-drill"); !strings.HasPrefix(a.Object, "failed of no readable checkpoint") {
		t.Errorf("on record is %+v", a)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("the drills left %v, %v", left, err)
	}
	s.stop()
}

// TestRollback puts an old ledger in place of a newer one.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from, to := s.join("H12.51"), s.join("H12.61")
	s.send(from, to.code, 1, 2, 2000)
	b := s.backUp(filepath.Join(t.TempDir(), "backup"))
	s.send(from, to.code, 3, 2, 2000)
	mirror := filepath.Join(t.TempDir(), "mirror")
	follow := []string{"follow", "https://" + s.address, "--dir", mirror, "--roots", s.path("keys", "tls-root.pem"), "--once"}
	if out, errOut, code := s.run("auditor", follow...); code != exitOK {
		t.Fatalf("auditor follow: %s%s", out, errOut)
	}
	s.stop()
	seen, err := os.ReadFile(s.path("checkpoint"))
	must(t, err)

	old, err := os.ReadFile(filepath.Join(b.Directory, "ledger.db"))
	must(t, err)
	must(t, os.WriteFile(s.path("ledger.db"), old, 0o600))
	serve := []string{"serve", "--config", s.config()}
	s.hubRefuses(exitUsage, fmt.Sprintf("its log has %d leaves", b.Leaves), serve...)
	s.hubRefuses(exitUsage, "--accept-rollback", serve...)
	s.hubRefuses(exitFailed, "", "check", "--config", s.config())

	// Without its own file, by what the auditor keeps.
	must(t, os.Remove(s.path("checkpoint")))
	s.configure(setting("  # witnessed: [/mnt/auditor/mirror/checkpoint]", "  witnessed: ["+filepath.Join(mirror, "checkpoint")+"]"))
	s.hubRefuses(exitUsage, mirror, serve...)
	must(t, os.WriteFile(s.path("checkpoint"), seen, 0o600))

	s.startWith("--accept-rollback", "ổ đĩa hỏng")
	page, err := s.admin.Actions(t.Context(), "", 1)
	must(t, err)
	a := page.Actions[0]
	if a.Verb != "accept-rollback" || a.Leaf != b.Leaves || a.Reason != "ổ đĩa hỏng" || !strings.HasPrefix(a.Object, fmt.Sprintf("%d leaves ", b.Leaves)) {
		t.Errorf("the first thing on record is %+v", a)
	}
	if aside, err := filepath.Glob(s.path("checkpoint.before-rollback-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside are %v, %v", aside, err)
	}
	out, errOut, code := s.run("auditor", follow...)
	if code != exitFailed || !strings.Contains(out, "rollback") || !strings.Contains(out, "→ ") {
		t.Errorf("auditor follow: exit code %d\n%s%s", code, out, errOut)
	}
	s.send(from, to.code, 5, 3, 2000)
	s.stop()
	s.start() // the witness still has the other record: that is on record
	s.stop()
	s.hubRefuses(exitUsage, "no rollback to accept", append(serve, "--accept-rollback", "again")...)
}

// TestAForkIsRefused: a ledger that has gone another way, and is longer.
func TestAForkIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	dir := filepath.Join(t.TempDir(), "backup")
	b := s.backUp(dir)
	s.join("H12.51")
	s.stop()
	seen, err := os.ReadFile(s.path("checkpoint"))
	must(t, err)
	old, err := os.ReadFile(filepath.Join(b.Directory, "ledger.db"))
	must(t, err)
	must(t, os.WriteFile(s.path("ledger.db"), old, 0o600))
	must(t, os.Remove(s.path("checkpoint")))
	s.start()
	s.join("H12.52")
	s.join("H12.53")
	s.stop()
	must(t, os.WriteFile(s.path("checkpoint"), seen, 0o600))
	s.hubRefuses(exitUsage, "another record", "serve", "--config", s.config())
}

// TestKilledWhileBackingUp kills the hub in the middle of backups: nothing that
// has a backup's name is less than whole. Then it kills restores.
func TestKilledWhileBackingUpAndRestoring(t *testing.T) {
	t.Parallel()
	kills := 8
	if testing.Short() {
		kills = 3
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	s := newSite(t).start()
	from, to := s.join("H12.51"), s.join("H12.61")
	s.send(from, to.code, 1, 20, 20_000)
	dir := filepath.Join(t.TempDir(), "backup")
	began := time.Now()
	s.backUp(dir)
	took := time.Since(began)
	for range kills {
		asking := exec.Command("hub", "backup", dir, "--config", s.config())
		must(t, asking.Start())
		time.Sleep(time.Duration(dice.Int64N(int64(took))))
		s.kill()
		_ = asking.Wait() // it may have been done
		s.start()
	}
	s.backUp(dir)
	if left, err := filepath.Glob(filepath.Join(dir, "unfinished-*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	whole, err := filepath.Glob(filepath.Join(dir, "2*Z"))
	must(t, err)
	for i, b := range whole {
		s.restored(b, filepath.Join(t.TempDir(), fmt.Sprint(i)))
	}
	t.Logf("%d backups, %d kills", len(whole), kills)
	s.stop()

	hub := filepath.Join(t.TempDir(), "hub")
	began = time.Now()
	s.restored(dir, filepath.Join(t.TempDir(), "once"))
	took = time.Since(began)
	killed := 0
	for range kills {
		c := exec.Command("hub", "restore", dir, hub)
		must(t, c.Start())
		time.Sleep(time.Duration(dice.Int64N(int64(took))))
		_ = c.Process.Kill() // it may be over
		_ = c.Wait()
		if _, err := os.Stat(filepath.Join(hub, "ledger.db")); err == nil {
			break // it was faster
		}
		killed++
		if _, err := os.Stat(filepath.Join(hub, "ledger.db"+backup.Restoring)); err != nil {
			continue // it had not begun
		}
		s.hubRefuses(exitUsage, "has not finished", "serve", "--config", configFor(t, s, hub))
	}
	if _, err := os.Stat(filepath.Join(hub, "ledger.db")); err != nil {
		s.restored(dir, hub)
	}
	t.Logf("%d restores killed", killed)
	s.hubRefuses(exitFailed, "not empty", "restore", dir, hub)
}

// configFor is a configuration of the site's with another ledger and vault.
func configFor(t *testing.T, s *site, dir string) string {
	t.Helper()
	text, err := os.ReadFile(s.config())
	must(t, err)
	changed := strings.Replace(string(text), "ledger: ledger.db", "ledger: "+filepath.Join(dir, "ledger.db"), 1)
	path := s.path("other.yaml")
	must(t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}
