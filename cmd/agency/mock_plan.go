package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tram/exchange"
)

// plan is how a partner behaves: the section "mock" of the settings file.
type plan struct {
	// Seed is of what is random.
	Seed uint64 `yaml:"seed"`
	// Poll is how long one look into the inbox waits for something to come; absent: 5s.
	Poll time.Duration `yaml:"poll"`
	// Down is when the partner is away.
	Down absence `yaml:"down"`
	// Answers are looked through for each delivery, and the first that fits counts.
	// What none fits is accepted.
	Answers []answerPlan `yaml:"answers"`
	// Send are documents of the partner's own.
	Send []sendPlan `yaml:"send"`
}

// absence is a time during which nothing is fetched, answered or sent.
type absence struct {
	After time.Duration `yaml:"after"` // since the beginning
	For   time.Duration `yaml:"for"`
	Every time.Duration `yaml:"every"` // absent: once
}

// left is how long the partner is still away.
func (a absence) left(since time.Duration) time.Duration {
	if a.For <= 0 || since < a.After {
		return 0
	}
	since -= a.After
	if a.Every > 0 {
		since %= a.Every
	}
	return max(a.For-since, 0)
}

// answerPlan is what becomes of the deliveries that fit.
type answerPlan struct {
	// Sender, Kind and Subject select deliveries: a code, a kind, words in the
	// subject. Absent: all.
	Sender  string        `yaml:"sender"`
	Kind    exchange.Kind `yaml:"kind"`
	Subject string        `yaml:"subject"`
	// Chance is of those that it fits; absent: 1.
	Chance float64 `yaml:"chance"`
	// Slow is waited before the delivery is fetched.
	Slow time.Duration `yaml:"slow"`
	// Ignore leaves the delivery in the inbox.
	Ignore bool `yaml:"ignore"`
	// Shuffle takes the steps in a random order.
	Shuffle bool `yaml:"shuffle"`
	// Steps are taken one after the other; absent: accept.
	Steps []step `yaml:"steps"`
}

// step is an answer to a delivery, or a status about its document.
type step struct {
	Answer string `yaml:"answer"` // "accept" or "refuse"
	Status string `yaml:"status"` // two digits
	// Reason is of a refusal, or the status's description.
	Reason string `yaml:"reason"`
	// After is waited before the step.
	After time.Duration `yaml:"after"`
	// Times is how often it is done; absent: 1.
	Times int `yaml:"times"`
}

// sendPlan is a document that the partner sends, once or again and again.
type sendPlan struct {
	To       []string      `yaml:"to"`
	Subject  string        `yaml:"subject"` // "{n}" is the number of the document
	Priority int           `yaml:"priority"`
	Attach   []string      `yaml:"attach"` // files; absent: a small one is made
	After    time.Duration `yaml:"after"`
	Every    time.Duration `yaml:"every"`
	Count    int           `yaml:"count"` // absent: 1, or without end if there is every
	Times    int           `yaml:"times"` // how often each is submitted; absent: 1
	Then     []followPlan  `yaml:"then"`
}

// followPlan is what is sent about a document afterwards.
type followPlan struct {
	// Kind is recall, update, replace, or status: code 13, which recalls too.
	Kind    exchange.Kind `yaml:"kind"`
	After   time.Duration `yaml:"after"`
	Reason  string        `yaml:"reason"`
	Subject string        `yaml:"subject"` // absent: as it was
	Add     []string      `yaml:"add"`     // recipients that an update adds
	Remove  []string      `yaml:"remove"`  // and removes
}

func (p plan) poll() time.Duration {
	if p.Poll <= 0 {
		return 5 * time.Second
	}
	return p.Poll
}

// check names everything that makes no sense.
func (p plan) check() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if p.Down.Every > 0 && p.Down.For >= p.Down.Every {
		say("down: for must be shorter than every, or the partner is never there")
	}
	for i, a := range p.Answers {
		if a.Kind != "" && !slices.Contains(exchange.Kinds, a.Kind) {
			say("answers[%d]: there is no kind %q", i, a.Kind)
		}
		if a.Chance < 0 || a.Chance > 1 {
			say("answers[%d]: chance must be between 0 and 1", i)
		}
		for j, s := range a.Steps {
			if err := s.check(); err != nil {
				say("answers[%d].steps[%d]: %w", i, j, err)
			}
		}
	}
	for i, s := range p.Send {
		if len(s.To) == 0 {
			say("send[%d]: to whom?", i)
		}
		for j, f := range s.Then {
			if f.Kind == exchange.KindNew || !slices.Contains(exchange.Kinds, f.Kind) {
				say("send[%d].then[%d]: kind must be recall, update, replace or status", i, j)
			}
		}
	}
	return errors.Join(wrong...)
}

// statuses are the codes of the national standard, and 14, which a widely copied
// client sends.
var statuses = []string{"01", "02", "03", "04", "05", "06", "13", "14", "15", "16"}

func (s step) check() error {
	switch {
	case (s.Answer == "") == (s.Status == ""):
		return errors.New("give answer or status, and not both")
	case s.Answer != "" && s.Answer != "accept" && s.Answer != "refuse":
		return fmt.Errorf("answer must be accept or refuse, not %q", s.Answer)
	case s.Answer == "refuse" && s.Reason == "":
		return errors.New("a refusal needs its reason")
	case s.Status != "" && !slices.Contains(statuses, s.Status):
		return fmt.Errorf("there is no status %q; write one of %s in quotation marks", s.Status, strings.Join(statuses, ", "))
	}
	return nil
}

// random gives the same numbers for the same seed, document and place in the plan.
func (p plan) random(item exchange.InboxItem, place int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%s\n%s\n%d", item.Delivery.Sender, item.Package.DocumentID, item.Package.Kind, place)
	return rand.New(rand.NewPCG(p.Seed, h.Sum64()))
}

// choose finds the answer for a delivery.
func (p plan) choose(item exchange.InboxItem) answerPlan {
	for i, a := range p.Answers {
		if !a.fits(item) {
			continue
		}
		r := p.random(item, i)
		if a.Chance > 0 && r.Float64() >= a.Chance {
			continue
		}
		if a.Shuffle {
			a.Steps = slices.Clone(a.Steps)
			r.Shuffle(len(a.Steps), func(i, j int) { a.Steps[i], a.Steps[j] = a.Steps[j], a.Steps[i] })
		}
		return a
	}
	return answerPlan{}
}

func (a answerPlan) fits(item exchange.InboxItem) bool {
	return (a.Sender == "" || a.Sender == item.Delivery.Sender || a.Sender == item.Package.SenderAs) &&
		(a.Kind == "" || a.Kind == item.Package.Kind) &&
		strings.Contains(strings.ToLower(item.Package.Subject), strings.ToLower(a.Subject))
}

const examplePlan = `# a partner that is played by "agency mock --config mock.yaml"
url: https://hub.example:8443
roots: hub-ca.pem
system: stc-vanban
secret_file: secret
agency: H12.07
key: stc.key
certificate: stc.crt

mock:
  seed: 1                        # another seed, other chances
  poll: 5s                       # how long one look into the inbox waits
  down: {after: 5m, for: 30s, every: 10m}   # away, now and then

  answers:                       # the first that fits counts; what none fits is accepted
    - subject: gửi nhầm          # words in the subject
      steps: [{answer: refuse, reason: Gửi nhầm cơ quan}]
    - kind: recall               # new, recall, update, replace or status
      steps: [{answer: accept}, {status: "15", after: 2s}]
    - kind: update
      chance: 0.5                # half of them; the others fit the next
      steps: [{answer: accept}, {status: "16", reason: Đã ban hành văn bản phúc đáp}]
    - kind: status
      steps: [{answer: accept}]
    - subject: bỏ qua
      ignore: true               # stays in the inbox
    - sender: H12.12
      slow: 20s                  # before it is fetched
      shuffle: true              # steps in another order
      steps:
        - {status: "01"}
        - {answer: accept, after: 1s, times: 2}   # says it twice
        - {status: "03", after: 2s}
        - {status: "06", after: 10s, reason: Đã xử lý xong}

  send:
    - to: [H12.12, H12.40=UBND phường An Xuyên]
      subject: Văn bản thử số {n}
      every: 1m                  # absent: once
      count: 10                  # absent: without end
      then:
        - {kind: update, after: 10s, subject: Văn bản thử đã sửa, reason: Sửa trích yếu}
        - {kind: replace, after: 20s, reason: Sai số liệu}
        - {kind: recall, after: 30s, reason: Gửi nhầm}
`
