package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// folders is a desk at which nobody sits: an agent works there.
type folders struct {
	desk
	process *exec.Cmd
	log     *bytes.Buffer
}

func (s *site) folders(m *member, settings string) *folders {
	s.t.Helper()
	f := &folders{desk: s.desk(m)}
	yaml, err := os.ReadFile(f.path("agency.yaml"))
	must(s.t, err)
	keys := filepath.Join(f.dir, "keys.json")
	must(s.t, os.WriteFile(f.path("agency.yaml"), append(yaml, "keys: keys.json\nfolder: box\n"+settings...), 0o600))
	f.agency("keys", "--keys", keys)
	return f
}

func (f *folders) command() *exec.Cmd {
	f.log = &bytes.Buffer{}
	c := exec.Command("agency", "agent", "--settle", "300ms")
	c.Dir, c.Stderr = f.dir, f.log
	return c
}

func (f *folders) start() {
	f.t.Helper()
	f.process = f.command()
	must(f.t, f.process.Start())
	process := f.process
	f.t.Cleanup(func() { _ = process.Process.Kill() }) // it may have ended
}

func (f *folders) kill() {
	f.t.Helper()
	must(f.t, f.process.Process.Kill())
	_ = f.process.Wait() // it says that it was killed
	if strings.Contains(f.log.String(), "panic") {
		f.t.Fatal(f.log)
	}
}

// drop puts a file into the outbox in one step.
func (f *folders) drop(name string, content []byte) {
	f.t.Helper()
	dir := f.path("box/outbox")
	must(f.t, os.MkdirAll(dir, 0o700))
	stage := filepath.Join(dir, ".stage")
	must(f.t, os.WriteFile(stage, content, 0o600))
	must(f.t, os.Rename(stage, filepath.Join(dir, name)))
}

// dropDocument drops a description and its PDF.
func (f *folders) dropDocument(name, number string, to string) {
	f.t.Helper()
	f.drop(name+".pdf", pdf("Công văn", number))
	f.drop(name+".yaml", fmt.Appendf(nil, "to: [%s]\nnumber: %s\nnotation: STC-NS\ndate: 2026-11-20\nsubject: V/v thử %s\n", to, number, number))
}

// states reads state.json of every folder that a pattern finds.
func (f *folders) states(pattern string) []map[string]any {
	f.t.Helper()
	files, err := filepath.Glob(f.path("box/" + pattern + "/state.json"))
	must(f.t, err)
	var list []map[string]any
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(f.t, err)
		var v map[string]any
		must(f.t, json.Unmarshal(b, &v))
		v["file"] = file
		list = append(list, v)
	}
	return list
}

// until waits for something to become true.
func (f *folders) until(what string, patience time.Duration, done func() bool) {
	f.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if done() {
			return
		}
	}
	f.t.Fatalf("it does not come about that %s; the agent says\n%s", what, f.log)
}

func (f *folders) done(n int) func() bool {
	return func() bool {
		done := 0
		for _, s := range f.states("sent/*/*/*") {
			if s["done"] == true {
				done++
			}
		}
		return done >= n
	}
}

func TestAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from, to := s.folders(s.join("H12.07"), ""), s.folders(s.join("H12.12"), "send_status: \"03\"\n")
	from.start()
	to.start()

	name := "Công văn số 1250 về kinh phí"
	from.dropDocument(name, "1250", "H12.12")
	must(t, os.MkdirAll(from.path("stage"), 0o700))
	must(t, os.WriteFile(from.path("stage/phụ lục.txt"), []byte("nội dung"), 0o600))
	must(t, os.WriteFile(from.path("stage/mô tả.json"), []byte(`{"to": ["H12.12=Sở Y tế"], "number": "1251", "notation": "STC-NS", "subject": "V/v thư mục"}`), 0o600))
	must(t, os.Rename(from.path("stage"), from.path("box/outbox/thư mục")))
	from.agency("compose", "--to", "H12.12", "--number", "1252", "--subject", "Chưa ký", "--attach", "agency.crt", "-o", "unsigned.edxml")
	plain, err := os.ReadFile(from.path("unsigned.edxml"))
	must(t, err)
	from.drop("chưa ký.edxml", plain)

	from.until("three documents are sent and answered", 60*time.Second, from.done(3))
	from.until("statuses come to the sender", 60*time.Second, func() bool {
		with := 0
		for _, p := range from.states("sent/*/*/*") {
			b, _ := json.Marshal(p["recipients"])
			with += strings.Count(string(b), `"code":"03"`)
		}
		return with == 3
	})
	for _, p := range []string{"sent/*/*/" + name + "/document/" + name + ".pdf", "sent/*/*/" + name + "/package.edxml"} {
		if found, _ := filepath.Glob(from.path("box/" + p)); len(found) != 1 {
			t.Errorf("%s is not there", p)
		}
	}
	if found, _ := filepath.Glob(to.path("box/inbox/*/*/*/files/phụ lục.txt")); len(found) != 1 {
		t.Error("a name that is a device on Windows is not changed")
	}
	papers, err := filepath.Glob(from.path("box/sent/*/*/" + name + "/receipts/*.xml"))
	must(t, err)
	said := output(t, exec.Command("auditor", append([]string{"verify", "--keys", from.path("keys.json")}, papers...)...))
	for _, event := range []exchange.Event{exchange.SubmissionAcceptance, exchange.ContentHandover} {
		if !strings.Contains(said, string(event)) {
			t.Errorf("no %s among the receipts:\n%s", event, said)
		}
	}

	// A recall is seen in the folder of the document that it is about.
	from.drop("thu hồi.yaml", []byte("kind: recall\nto: [H12.12]\nnumber: 1250\nnotation: STC-NS\ndate: 2026-11-20\nsubject: Thu hồi\ntarget: H12.07,2026/11/20,1250/STC-NS\nreason: Sai số liệu\n"))
	to.until("the recall is seen", 30*time.Second, func() bool {
		found, _ := filepath.Glob(to.path("box/inbox/*/*/1250_STC-NS_*/recall.json"))
		return len(found) == 1
	})

	// The hub is away for a while.
	s.stop()
	from.dropDocument("khi trục ngừng", "1260", "H12.12")
	from.until("it is signed and waits", 20*time.Second, func() bool {
		found, _ := filepath.Glob(from.path("box/sending/khi trục ngừng/package.edxml"))
		return len(found) == 1
	})
	signed, err := os.ReadFile(from.path("box/sending/khi trục ngừng/package.edxml"))
	must(t, err)
	s.start()
	from.until("it is sent when the hub is back", 90*time.Second, func() bool {
		found, _ := filepath.Glob(from.path("box/sent/*/*/khi trục ngừng/package.edxml"))
		if len(found) != 1 {
			return false
		}
		b, err := os.ReadFile(found[0])
		must(t, err)
		if !bytes.Equal(b, signed) {
			t.Error("it was signed again")
		}
		return true
	})
}

// What cannot be sent ends in failed, with words and a code.
func TestAgentRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	f := s.folders(s.join("H12.07"), "")
	f.drop("hỏng.edxml", []byte("<edXML><a>"))
	f.drop("chữ.yaml", []byte("to: [H12.12\nsubject"))
	f.drop("lạ.yaml", []byte("to: [H12.12]\nnumber: 1\nsubject: x\nnonsense: 1\n"))
	f.drop("ngoài.yaml", []byte("to: [H12.12]\nnumber: 1\nsubject: x\nattach: [../../agency.key]\n"))
	f.drop("nơi nhận.pdf", pdf("x", "x"))
	f.drop("nơi nhận.yaml", []byte("to: [H99.99]\nnumber: 1\nsubject: x\n"))
	f.drop("ngày.yaml", []byte("to: [H12.12]\nnumber: 1\nsubject: x\ndate: hôm qua\n"))
	f.drop("dở.pdf", []byte("%PDF-1.4\n half"))
	f.drop("dở.yaml", []byte("to: [H12.12]\nnumber: 2\nsubject: x\n"))
	f.drop("không mô tả.pdf", pdf("x", "x"))
	f.start()
	want := map[string]string{"hỏng": "malformed", "chữ": "invalid-description", "lạ": "invalid-description",
		"ngoài": "invalid-description", "nơi nhận": "unknown-agency", "ngày": "invalid-description"}
	f.until("what is wrong is in failed", 30*time.Second, func() bool { return len(f.states("failed/*")) == len(want) })
	for _, p := range f.states("failed/*") {
		name := filepath.Base(filepath.Dir(p["file"].(string)))
		trouble := p["trouble"].(map[string]any)
		if trouble["code"] != want[name] {
			t.Errorf("%s failed by %v (%v), not %s", name, trouble["code"], trouble["en"], want[name])
		}
		reason, err := os.ReadFile(filepath.Join(filepath.Dir(p["file"].(string)), "reason.txt"))
		must(t, err)
		for _, word := range []string{"KHÔNG GỬI", "NOT SENT", want[name]} {
			if !strings.Contains(string(reason), word) {
				t.Errorf("%s: the reason does not say %s:\n%s", name, word, reason)
			}
		}
	}
	if said := f.agency("agent", "status"); !strings.Contains(said, "3 in the outbox, 0 sending, 6 failed") { // dở twice, không mô tả
		t.Errorf("the status says\n%s", said)
	}
}

// The agents of both sides are killed again and again while documents go from
// one to the other: every one arrives once, is answered, and is whole.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	kills, documents := 20, 20
	if n := os.Getenv("TRAM_AGENT_KILLS"); n != "" {
		_, err := fmt.Sscan(n, &kills)
		must(t, err)
		documents = kills
	}
	s := newSite(t).start()
	from, to := s.folders(s.join("H12.07"), ""), s.folders(s.join("H12.12"), "")
	from.start()
	to.start()
	dropped := 0
	for n := range kills {
		for range documents / kills {
			dropped++
			from.dropDocument(fmt.Sprintf("văn bản %d", dropped), fmt.Sprint(dropped), "H12.12")
		}
		time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
		victim := []*folders{from, to}[n%2]
		victim.kill()
		whole(t, from)
		whole(t, to)
		victim.start()
	}
	from.until("all are sent and answered", 3*time.Minute, from.done(dropped))
	to.until("all answers are given", time.Minute, func() bool { return len(to.names(".agent/answering/*")) == 0 })
	whole(t, from)
	whole(t, to)

	seen := map[any]int{}
	for _, a := range to.states("inbox/*/*/*") {
		seen[a["package"].(map[string]any)["subject"]]++
		if a["event"] != string(exchange.ContentHandover) || a["receipt"] == "" {
			t.Errorf("%v has no receipt", a["file"])
		}
	}
	for n := 1; n <= dropped; n++ {
		if subject := fmt.Sprintf("V/v thử %d", n); seen[subject] != 1 {
			t.Errorf("%s arrived %d times", subject, seen[subject])
		}
	}
	packages, err := s.admin.Packages(t.Context(), exchange.PackageQuery{Limit: 200})
	must(t, err)
	if len(packages.Packages) != min(dropped, 200) || len(from.names("failed/*")) != 0 || len(from.names("outbox/*")) != 0 {
		t.Errorf("%d documents, %d packages at the hub, %v failed, %v left", dropped, len(packages.Packages), from.names("failed/*"), from.names("outbox/*"))
	}
	t.Logf("%d kills, %d documents", kills, dropped)
}

func (f *folders) names(pattern string) []string {
	found, err := filepath.Glob(f.path("box/" + pattern))
	must(f.t, err)
	return found
}

// whole sees that what is shown as done is so.
func whole(t *testing.T, f *folders) {
	t.Helper()
	for _, dir := range f.names("sent/*/*/*") {
		for _, name := range []string{"state.json", "package.edxml", "document"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, dir := range f.names("inbox/*/*/*") {
		for _, name := range []string{"state.json", "document.json", "package.edxml", "files"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "files", "*.pdf"))
		must(t, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			must(t, err)
			if !bytes.Contains(b, []byte("%%EOF")) {
				t.Errorf("%s is half a file", file)
			}
		}
	}
	f.states("*/*/*/*") // readable
}

// Answers that people give by files, and those that the settings give.
func TestAgentAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	from := s.folders(s.join("H12.07"), "")
	people := s.folders(s.join("H12.12"), "answer: none\n")
	strict := s.folders(s.join("H12.40"), "refuse: invalid\n")
	other, err := newAuthority("Another Authority", "", s.born)
	must(t, err)
	must(t, os.Remove(strict.path("authority.pem")))
	must(t, writeCertificates(strict.path("authority.pem"), other.certificate)) // so that nothing verifies
	for _, f := range []*folders{from, people, strict} {
		f.start()
	}
	from.dropDocument("một", "1", "H12.12")
	from.dropDocument("hai", "2", "H12.12")
	from.dropDocument("ba", "3", "H12.40")
	people.until("two documents arrive", 30*time.Second, func() bool { return len(people.states("inbox/*/*/*")) == 2 })
	for _, a := range people.states("inbox/*/*/*") {
		if a["receipt"] != nil {
			t.Errorf("%v is answered, and nobody did that", a["file"])
		}
		answer := "accept"
		if strings.HasPrefix(filepath.Base(filepath.Dir(a["file"].(string))), "2_") {
			answer = "refuse\nreason: Gửi nhầm cơ quan"
		}
		people.drop(fmt.Sprintf("%v.yaml", a["delivery"]), fmt.Appendf(nil, "delivery: %v\nanswer: %s\n", a["delivery"], answer))
	}
	from.until("all three are answered", 60*time.Second, from.done(3))
	want := map[string]string{"một": "handed-over", "hai": "rejected", "ba": "rejected"}
	for _, p := range from.states("sent/*/*/*") {
		to := p["recipients"].([]any)[0].(map[string]any)
		if name := p["name"].(string); to["state"] != want[name] {
			t.Errorf("%s is %v (%v), not %s", name, to["state"], to["detail"], want[name])
		}
	}
	if reasons := strict.names("failed/*/reason.txt"); len(reasons) != 1 || len(strict.names("inbox/*")) != 0 {
		t.Errorf("what does not verify is not in failed: %v", reasons)
	}
	strict.until("its refusal is on record", 20*time.Second, func() bool { return len(strict.names("failed/*/receipts/*.xml")) == 1 })

	people.kill()
	people.drop("lạ.yaml", []byte("delivery: 0198f2c4-5b6a-7c3d-8e9f-0a1b2c3d4e5f.1\nanswer: accept\n"))
	c := people.command()
	c.Args = append(c.Args, "--once")
	must(t, c.Run())
	if failed := people.states("failed/*"); len(failed) != 1 || failed[0]["trouble"].(map[string]any)["code"] != "not-found" {
		t.Errorf("an answer to nothing became %v\n%s", failed, people.log)
	}
}
