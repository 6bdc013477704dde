package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// DeliveryID identifies a delivery: the package's identifier, a dot, and the
// recipient's place in it, from 1.
type DeliveryID string

// NewDeliveryID is the identifier of the delivery to a package's nth recipient.
func NewDeliveryID(p PackageID, n int) DeliveryID {
	return DeliveryID(fmt.Sprintf("%s.%d", p, n))
}

// Package is the identifier of the package that is delivered.
func (id DeliveryID) Package() PackageID {
	p, _, _ := strings.Cut(string(id), ".")
	return PackageID(p)
}

// State is where a delivery stands.
type State string

const (
	// Queued waits for its next attempt; a worker moves it on.
	Queued State = "queued"
	// Held waits for an operator, who may release or cancel it.
	Held State = "held"
	// Consigned is in the recipient's inbox, and announced to it if it asked
	// for that, or at the axis that the recipient lives at; the recipient moves it
	// on by acknowledging, or by a status.
	Consigned State = "consigned"
	// HandedOver was accepted by the recipient. Final.
	HandedOver State = "handed-over"
	// Rejected was refused by the recipient. Final.
	Rejected State = "rejected"
	// Failed was not consigned or not answered in time, or was cancelled. Final.
	Failed State = "failed"
	// Withdrawn was recalled by its sender before anyone fetched it. Final.
	Withdrawn State = "withdrawn"
)

// States are all states, open ones first.
var States = []State{Queued, Held, Consigned, HandedOver, Rejected, Failed, Withdrawn}

// Final reports whether the state never changes again.
func (s State) Final() bool {
	return s == HandedOver || s == Rejected || s == Failed || s == Withdrawn
}

// Delivery is one package on its way to one recipient.
type Delivery struct {
	ID      DeliveryID `json:"id"`
	Package PackageID  `json:"package"`
	// Index is the recipient's place in the package, from 1.
	Index     int    `json:"index"`
	Sender    string `json:"sender"`
	Recipient string `json:"recipient"`
	Priority  int    `json:"priority,omitempty"`
	State     State  `json:"state"`
	// Attempts counts attempts begun.
	Attempts int `json:"attempts"`
	// Next is when the next attempt is due while Queued.
	Next time.Time `json:"next,omitzero"`
	// Deadline is when an open delivery fails.
	Deadline time.Time `json:"deadline"`
	// Reason says why it failed or was rejected.
	Reason Code `json:"reason,omitempty"`
	// Detail is the recipient's or the operator's words on the reason, or the
	// last attempt's error.
	Detail      string           `json:"detail,omitempty"`
	AcceptedAt  time.Time        `json:"acceptedAt"`
	ConsignedAt time.Time        `json:"consignedAt,omitzero"`
	FetchedAt   time.Time        `json:"fetchedAt,omitzero"`
	SettledAt   time.Time        `json:"settledAt,omitzero"`
	Statuses    []BusinessStatus `json:"statuses,omitempty"`
	// SenderRevoked is when the hub found out that the package's certificate had
	// been revoked before it was accepted, where the recipient has the package
	// already; zero otherwise. RecipientRevoked is that of the recipient's answer.
	SenderRevoked    time.Time `json:"senderRevoked,omitzero"`
	RecipientRevoked time.Time `json:"recipientRevoked,omitzero"`
	// TroubleAt is when the recipient's software said that it could not take the
	// package in; the delivery is open still, or was settled later.
	TroubleAt time.Time `json:"troubleAt,omitzero"`
	// Requests are later packages of the sender about the document, by age.
	Requests []Request `json:"requests,omitempty"`
	// Quarantine is why the hub itself holds it: QuarantineScan, QuarantineMalware or
	// QuarantineTooLong.
	Quarantine string `json:"quarantine,omitempty"`
	// Upstream is the axis that it was handed to, or is to be, since the first
	// attempt; UpstreamID is what that axis calls the package, once it has it.
	Upstream   string `json:"upstream,omitempty"`
	UpstreamID string `json:"upstreamId,omitempty"`
	// Version counts changes; the ledger refuses a change to another version.
	Version int64 `json:"version"`
}

// Urgent reports whether the delivery goes before others to its recipient.
func (d Delivery) Urgent() bool { return d.Priority > 0 }

// RetryPolicy says when a failed attempt is repeated.
type RetryPolicy struct {
	First time.Duration // before the second attempt
	Most  time.Duration // between any two attempts
}

// after is the time between the nth attempt (from 1) and the next: doubling from
// First up to Most, of which jitter (0 to 1) takes away up to a half, so that
// what failed together does not come back together.
func (p RetryPolicy) after(n int, jitter float64) time.Duration {
	wait := p.First
	for range min(n-1, 30) {
		if wait *= 2; wait >= p.Most {
			wait = p.Most
			break
		}
	}
	return wait - time.Duration(float64(wait)/2*jitter)
}

// BeginAttempt counts an attempt before it is made and moves Next past it, so
// that a crash during the attempt neither loses the delivery nor repeats it at
// once: the new time is the retry.
func (d Delivery) BeginAttempt(now time.Time, p RetryPolicy, jitter float64) (Delivery, error) {
	if err := d.in(Queued); err != nil {
		return d, err
	}
	d.Attempts++
	d.Next = now.Add(p.after(d.Attempts, jitter))
	return d, nil
}

// Consign puts the delivery into the recipient's inbox.
func (d Delivery) Consign(now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued); err != nil {
		return d, "", err
	}
	d.State, d.ConsignedAt, d.Detail = Consigned, now, ""
	return d, ContentConsignment, nil
}

// Relayed is for another axis that took the delivery on, under its own identifier
// of the package.
func (d Delivery) Relayed(id string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued); err != nil {
		return d, "", err
	}
	d.State, d.ConsignedAt, d.Detail, d.UpstreamID = Consigned, now, "", id
	return d, RelayAcceptance, nil
}

// RelayRefused is for another axis that does not take the delivery on.
func (d Delivery) RelayRefused(detail string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued); err != nil {
		return d, "", err
	}
	return d.fail(Refused, detail, now), RelayRejection, nil
}

// Undelivered is for another axis that took the delivery on and cannot bring it to
// the recipient.
func (d Delivery) Undelivered(detail string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Consigned); err != nil {
		return d, "", err
	}
	return d.fail(Unreachable, detail, now), ContentHandoverFailure, nil
}

// AttemptFailed keeps what went wrong; the delivery stays queued for Next.
func (d Delivery) AttemptFailed(detail string) Delivery {
	d.Detail = detail
	return d
}

// Fetch notes the recipient's first sight of the content.
func (d Delivery) Fetch(now time.Time) Delivery {
	if d.FetchedAt.IsZero() {
		d.FetchedAt = now
	}
	return d
}

// Answer settles the delivery by the recipient's acknowledgement.
func (d Delivery) Answer(o Outcome, reason string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Consigned); err != nil {
		return d, "", err
	}
	d.SettledAt = now
	if o == AnswerRefused {
		d.State, d.Reason, d.Detail = Rejected, Refused, reason
		return d, ConsignmentRejection, nil
	}
	d.State = HandedOver
	return d, ContentHandover, nil
}

// Expire fails the delivery when its deadline has passed: what never reached
// the inbox was not consigned, what did was not answered, and what the hub's
// operators held there could not be handed over.
func (d Delivery) Expire(now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued, Held, Consigned); err != nil {
		return d, "", err
	}
	if now.Before(d.Deadline) {
		return d, "", wrongState.With(d.ID, d.State, Words{"past its deadline", "quá thời hạn"})
	}
	event, reason := AcceptanceRejectionExpiry, Expired
	if d.State == Held {
		event, d.Detail = ContentHandoverFailure, "" // why it was held is the operators' own
	}
	if d.ConsignedAt.IsZero() {
		event = ContentConsignmentFailure
		if d.Attempts > 0 && d.State == Queued {
			reason = Unreachable
		}
		if d.Upstream != "" {
			event = RelayFailure
		}
	}
	d.State, d.Reason, d.SettledAt = Failed, reason, now
	return d, event, nil
}

// Hold takes the delivery out of the recipient's sight until it is released.
func (d Delivery) Hold(reason string) (Delivery, error) {
	if err := d.in(Queued, Consigned); err != nil {
		return d, err
	}
	d.State, d.Detail = Held, reason
	return d, nil
}

// Release puts a held delivery back to where it was.
func (d Delivery) Release(now time.Time) (Delivery, error) {
	if err := d.in(Held); err != nil {
		return d, err
	}
	d.Detail, d.Quarantine = "", ""
	if !d.ConsignedAt.IsZero() {
		d.State = Consigned
		return d, nil
	}
	d.State, d.Next = Queued, now
	return d, nil
}

// Retry makes a queued delivery due now.
func (d Delivery) Retry(now time.Time) (Delivery, error) {
	if err := d.in(Queued); err != nil {
		return d, err
	}
	d.Next = now
	return d, nil
}

// Cancel fails the delivery at an operator's word.
func (d Delivery) Cancel(reason string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued, Held, Consigned); err != nil {
		return d, "", err
	}
	code := Cancelled
	if d.Quarantine == QuarantineMalware {
		code = Harmful
	}
	return d.fail(code, reason, now), d.failure(), nil
}

// Withdraw ends a delivery that its sender recalls and nobody fetched.
func (d Delivery) Withdraw(now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued, Held, Consigned); err != nil {
		return d, "", err
	}
	if !d.FetchedAt.IsZero() {
		return d, "", wrongState.With(d.ID, Words{"fetched", "đã được cơ quan nhận tải về"}, Words{"not yet fetched", "chưa được tải về"})
	}
	event := d.failure()
	d.State, d.Reason, d.SettledAt = Withdrawn, WithdrawnBySender, now
	return d, event, nil
}

// Purge ends a delivery that nobody fetched, since its package is purged.
func (d Delivery) Purge(detail string, now time.Time) (Delivery, Event, error) {
	if err := d.in(Queued, Held, Consigned); err != nil {
		return d, "", err
	}
	return d.fail(Cancelled, detail, now), d.failure(), nil
}

// Disown is for a package that turned out to be signed with a certificate that
// had been revoked. What nobody fetched fails; what the recipient has is marked;
// what never came to it, and never will, stays as it is, without an event.
func (d Delivery) Disown(detail string, now time.Time) (Delivery, Event) {
	if !d.FetchedAt.IsZero() || d.State == HandedOver || d.State == Rejected {
		d.SenderRevoked = now
		return d, RevocationEstablished
	}
	if d.State.Final() {
		return d, ""
	}
	return d.fail(Revoked, detail, now), d.failure()
}

// fail ends the delivery with a reason, and words on it.
func (d Delivery) fail(reason Code, detail string, now time.Time) Delivery {
	d.State, d.Reason, d.Detail, d.SettledAt = Failed, reason, detail, now
	return d
}

// DueAt is when the delivery needs the hub's attention again; zero if never.
func (d Delivery) DueAt() time.Time {
	switch d.State {
	case Queued:
		if d.Next.Before(d.Deadline) {
			return d.Next
		}
		return d.Deadline
	case Held, Consigned:
		return d.Deadline
	}
	return time.Time{}
}

// failure is the event of a delivery that ends unanswered at someone's word.
func (d Delivery) failure() Event {
	if d.ConsignedAt.IsZero() {
		return ContentConsignmentFailure
	}
	return ContentHandoverFailure
}

func (d Delivery) in(states ...State) error {
	if slices.Contains(states, d.State) {
		return nil
	}
	if d.State.Final() {
		return finalState.With(d.ID, d.State)
	}
	return wrongState.With(d.ID, d.State, listed(states))
}

// listed are the states as they are written in a request.
func listed[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
