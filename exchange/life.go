package exchange

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// The statuses of the national standard (Decision 28/2018; QCVN 102:2016). A
// recipient says how far it is with a document; the sender takes it back with 13,
// and the recipient agrees or refuses.
const (
	StatusArrived  = "01"
	StatusRefused  = "02"
	StatusAccepted = "03"
	StatusAssigned = "04"
	StatusWorking  = "05"
	StatusDone     = "06"
	// StatusRecall is the code by which a sender takes its document back.
	StatusRecall = "13"
	StatusAgreed = "15" // to a recall or an update
	StatusKept   = "16" // the recipient does not agree
)

// Flag says what is unusual about a status. It is kept and passed on all the
// same: nothing is refused for its order.
type Flag string

const (
	// Late is a status below one that was reached before.
	Late Flag = "late"
	// Jump is one that passes over others; many systems send it so.
	Jump Flag = "jump"
	// Contrary is a refusal of what was accepted, or the other way round.
	Contrary Flag = "contrary"
	// Unasked is an answer to a recall or an update that there is none of.
	Unasked Flag = "unasked"
	// Ended is a status on a delivery that failed or was withdrawn.
	Ended Flag = "ended"
)

// BusinessStatus is what the recipient's status packages said about the
// document: a second axis, beside the state.
type BusinessStatus struct {
	Code        string    `json:"code"`
	Description string    `json:"description,omitempty"`
	Package     PackageID `json:"package"`
	At          time.Time `json:"at"`
	Flag        Flag      `json:"flag,omitempty"`
}

// Request is a later package of the sender about a document that the recipient
// has: it recalls, updates or replaces it. A recall and an update wait for the
// recipient's answer.
type Request struct {
	Kind    Kind      `json:"kind"` // recall, update or replace
	Package PackageID `json:"package"`
	At      time.Time `json:"at"`
	// Answer is StatusAgreed or StatusKept; empty while there is none.
	Answer     string    `json:"answer,omitempty"`
	AnsweredAt time.Time `json:"answeredAt,omitzero"`
}

// waits reports whether the recipient still has to say 15 or 16 to it. To a
// replacement it says something about the new document.
func (r Request) waits() bool { return r.Kind != KindReplace && r.Answer == "" }

// ranks are how far statuses are. Their order is that of the codes.
var ranks = map[string]int{StatusArrived: 1, StatusAccepted: 2, StatusAssigned: 3, StatusWorking: 4, StatusDone: 5}

// CurrentStatus is where the document stands with its recipient: StatusAgreed
// once it agreed to a recall, else the furthest that it reported, in whatever
// order; empty if it reported nothing.
func (d Delivery) CurrentStatus() string {
	if d.TakenBack() {
		return StatusAgreed
	}
	furthest := ""
	for _, s := range d.Statuses {
		if s.Code <= StatusDone {
			furthest = max(furthest, s.Code)
		}
	}
	return furthest
}

// TakenBack reports whether the recipient agreed to a recall.
func (d Delivery) TakenBack() bool {
	return slices.ContainsFunc(d.Requests, func(r Request) bool { return r.Kind == KindRecall && r.Answer == StatusAgreed })
}

// WaitingSince is when the oldest recall or update came that the recipient has
// not answered; zero if there is none.
func (d Delivery) WaitingSince() time.Time {
	if i := slices.IndexFunc(d.Requests, Request.waits); i >= 0 {
		return d.Requests[i].At
	}
	return time.Time{}
}

// MarshalJSON adds what follows from the history: the current status, and since
// when an answer is waited for.
func (d Delivery) MarshalJSON() ([]byte, error) {
	type plain Delivery
	return json.Marshal(struct {
		plain
		Status       string    `json:"status,omitempty"`
		WaitingSince time.Time `json:"waitingSince,omitzero"`
	}{plain(d), d.CurrentStatus(), d.WaitingSince()})
}

// Ask notes a later package about the document, once.
func (d Delivery) Ask(r Request) Delivery {
	if slices.ContainsFunc(d.Requests, func(o Request) bool { return o.Package == r.Package }) {
		return d
	}
	d.Requests = append(slices.Clone(d.Requests), r)
	return d
}

// Note adds a business status, once for each code; an answer once for each
// request that waits for one, the oldest first. It reports whether it is new.
func (d Delivery) Note(s BusinessStatus) (Delivery, bool) {
	answer := s.Code == StatusAgreed || s.Code == StatusKept
	waiting := -1
	if answer {
		waiting = slices.IndexFunc(d.Requests, Request.waits)
	}
	if waiting < 0 && d.said(s.Code) {
		return d, false
	}
	s.Flag = d.flag(s.Code, answer, waiting >= 0)
	if waiting >= 0 {
		d.Requests = slices.Clone(d.Requests)
		d.Requests[waiting].Answer, d.Requests[waiting].AnsweredAt = s.Code, s.At
	}
	d.Statuses = append(slices.Clone(d.Statuses), s)
	return d, true
}

func (d Delivery) said(code string) bool {
	return slices.ContainsFunc(d.Statuses, func(s BusinessStatus) bool { return s.Code == code })
}

// flag finds what is unusual about a status that comes now.
func (d Delivery) flag(code string, answer, asked bool) Flag {
	refused := d.said(StatusRefused) || d.State == Rejected
	furthest := 0
	for _, s := range d.Statuses {
		furthest = max(furthest, ranks[s.Code])
	}
	accepted := furthest >= ranks[StatusAccepted] || d.State == HandedOver
	switch rank := ranks[code]; {
	case d.State == Failed || d.State == Withdrawn:
		return Ended
	case answer && !asked:
		return Unasked
	case answer:
		return ""
	case code == StatusRefused && accepted, refused && rank >= ranks[StatusAccepted]:
		return Contrary
	case code == StatusRefused:
		return ""
	case rank < furthest:
		return Late
	case rank > furthest+1:
		return Jump
	}
	return ""
}

// statusOutcome is the recipient's answer to the delivery that a status gives: 02
// refuses it, 03 and what comes after accept it.
func statusOutcome(code string) (o Outcome, ok bool) {
	switch code {
	case StatusRefused:
		return AnswerRefused, true
	case StatusAccepted, StatusAssigned, StatusWorking, StatusDone:
		return AnswerAccepted, true
	}
	return "", false
}

// settles reports whether a status settles the delivery. What was not fetched
// cannot have been accepted: another delivery of the same document may have been.
func (d Delivery) settles(o Outcome) bool {
	return d.State == Consigned && (o == AnswerRefused || !d.FetchedAt.IsZero())
}

// slashed is a document's identifier with the date in its middle as the standard
// has it (yyyy/MM/dd); some software writes it with hyphens in statuses.
func slashed(id string) string {
	parts := strings.SplitN(id, ",", 3)
	if len(parts) != 3 {
		return id
	}
	if _, err := time.Parse(time.DateOnly, strings.TrimSpace(parts[1])); err != nil {
		return id
	}
	parts[1] = strings.ReplaceAll(strings.TrimSpace(parts[1]), "-", "/")
	return strings.Join(parts, ",")
}
