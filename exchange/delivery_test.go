package exchange

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	noon     = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	deadline = noon.Add(7 * 24 * time.Hour)
	retries  = RetryPolicy{First: time.Minute, Most: time.Hour}
)

// in is a delivery in a state, with what has led there.
func in(s State, alter ...func(*Delivery)) Delivery {
	d := Delivery{ID: "p.1", Package: "p", Index: 1, Sender: "H12.07", Recipient: "H12.12", State: s,
		Next: noon, Deadline: deadline, AcceptedAt: noon, Version: 1}
	if s == Consigned || s == HandedOver || s == Rejected {
		d.ConsignedAt = noon
	}
	if s.Final() {
		d.SettledAt = noon
	}
	for _, a := range alter {
		a(&d)
	}
	return d
}

func consignedBefore(d *Delivery) { d.ConsignedAt = noon }
func fetched(d *Delivery)         { d.FetchedAt = noon }
func tried(d *Delivery)           { d.Attempts = 3 }

// TestTransitions tries every function that changes a state, in every state.
func TestTransitions(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	cancel := func(d Delivery) (Delivery, Event, error) { return d.Cancel("sai", later) }
	accept := func(d Delivery) (Delivery, Event, error) { return d.Answer(AnswerAccepted, "", later) }
	refuse := func(d Delivery) (Delivery, Event, error) { return d.Answer(AnswerRefused, "sai", later) }
	consign := func(d Delivery) (Delivery, Event, error) { return d.Consign(later) }
	withdraw := func(d Delivery) (Delivery, Event, error) { return d.Withdraw(later) }
	disown := func(d Delivery) (Delivery, Event, error) {
		d, event := d.Disown("đã thu hồi", later)
		return d, event, nil
	}
	expire := func(d Delivery) (Delivery, Event, error) { return d.Expire(deadline) }
	early := func(d Delivery) (Delivery, Event, error) { return d.Expire(deadline.Add(-1)) }
	quiet := func(f func(Delivery) (Delivery, error)) func(Delivery) (Delivery, Event, error) {
		return func(d Delivery) (Delivery, Event, error) { d, err := f(d); return d, "", err }
	}
	hold := quiet(func(d Delivery) (Delivery, error) { return d.Hold("xem lại") })
	release := quiet(func(d Delivery) (Delivery, error) { return d.Release(later) })
	retry := quiet(func(d Delivery) (Delivery, error) { return d.Retry(later) })
	begin := quiet(func(d Delivery) (Delivery, error) { return d.BeginAttempt(later, retries, 0) })

	for _, c := range []struct {
		name   string
		from   Delivery
		do     func(Delivery) (Delivery, Event, error)
		state  State
		event  Event
		reason Code
	}{
		{"put into the inbox", in(Queued), consign, Consigned, ContentConsignment, ""},
		{"put into the inbox after attempts", in(Queued, tried), consign, Consigned, ContentConsignment, ""},
		{"an attempt begins", in(Queued), begin, Queued, "", ""},
		{"due at once at an operator's word", in(Queued), retry, Queued, "", ""},
		{"held while queued", in(Queued), hold, Held, "", ""},
		{"held in the inbox", in(Consigned), hold, Held, "", ""},
		{"released to the queue", in(Held), release, Queued, "", ""},
		{"released to the inbox", in(Held, consignedBefore), release, Consigned, "", ""},
		{"accepted by the recipient", in(Consigned, fetched), accept, HandedOver, ContentHandover, ""},
		{"refused by the recipient", in(Consigned), refuse, Rejected, ConsignmentRejection, Refused},
		{"never tried by the deadline", in(Queued), expire, Failed, ContentConsignmentFailure, Expired},
		{"not reached by the deadline", in(Queued, tried), expire, Failed, ContentConsignmentFailure, Unreachable},
		{"held to the deadline", in(Held, tried), expire, Failed, ContentConsignmentFailure, Expired},
		{"held in the inbox to the deadline", in(Held, consignedBefore), expire, Failed, ContentHandoverFailure, Expired},
		{"no answer by the deadline", in(Consigned, fetched), expire, Failed, AcceptanceRejectionExpiry, Expired},
		{"cancelled while queued", in(Queued), cancel, Failed, ContentConsignmentFailure, Cancelled},
		{"cancelled while held", in(Held), cancel, Failed, ContentConsignmentFailure, Cancelled},
		{"cancelled in the inbox", in(Consigned), cancel, Failed, ContentHandoverFailure, Cancelled},
		{"recalled while queued", in(Queued), withdraw, Withdrawn, ContentConsignmentFailure, WithdrawnBySender},
		{"recalled while held", in(Held), withdraw, Withdrawn, ContentConsignmentFailure, WithdrawnBySender},
		{"recalled from the inbox", in(Consigned), withdraw, Withdrawn, ContentHandoverFailure, WithdrawnBySender},

		{"revoked while queued", in(Queued, tried), disown, Failed, ContentConsignmentFailure, Revoked},
		{"revoked while held", in(Held), disown, Failed, ContentConsignmentFailure, Revoked},
		{"revoked while held, from the inbox", in(Held, consignedBefore), disown, Failed, ContentHandoverFailure, Revoked},
		{"revoked in the inbox", in(Consigned), disown, Failed, ContentHandoverFailure, Revoked},
		{"revoked after it was fetched", in(Consigned, fetched), disown, Consigned, RevocationEstablished, ""},
		{"revoked after it was fetched, while held", in(Held, consignedBefore, fetched), disown, Held, RevocationEstablished, ""},

		{"recalled after it was fetched", in(Consigned, fetched), withdraw, "", "", ""},
		{"recalled after it was fetched, while held", in(Held, consignedBefore, fetched), withdraw, "", "", ""},
		{"before the deadline, queued", in(Queued), early, "", "", ""},
		{"before the deadline, in the inbox", in(Consigned), early, "", "", ""},
		{"put into the inbox twice", in(Consigned), consign, "", "", ""},
		{"put into the inbox while held", in(Held), consign, "", "", ""},
		{"an attempt while held", in(Held), begin, "", "", ""},
		{"an attempt in the inbox", in(Consigned), begin, "", "", ""},
		{"held twice", in(Held), hold, "", "", ""},
		{"released without being held", in(Queued), release, "", "", ""},
		{"repeated in the inbox", in(Consigned), retry, "", "", ""},
		{"repeated while held", in(Held), retry, "", "", ""},
		{"answered while queued", in(Queued), accept, "", "", ""},
		{"answered while held", in(Held, consignedBefore), refuse, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, event, err := c.do(c.from)
			if c.state == "" {
				refusedUnchanged(t, c.from, got, event, err)
				return
			}
			if err != nil || got.State != c.state || event != c.event || got.Reason != c.reason {
				t.Errorf("%s, event %q, reason %q, error %v; want %s, %q, %q", got.State, event, got.Reason, err, c.state, c.event, c.reason)
			}
			if got.State.Final() == got.SettledAt.IsZero() {
				t.Errorf("settled at %v in state %s", got.SettledAt, got.State)
			}
		})
	}
	for _, s := range States {
		if !s.Final() {
			continue
		}
		for name, do := range map[string]func(Delivery) (Delivery, Event, error){"consign": consign, "begin": begin, "retry": retry,
			"hold": hold, "release": release, "accept": accept, "refuse": refuse, "expire": expire, "cancel": cancel, "withdraw": withdraw} {
			t.Run(name+" when "+string(s), func(t *testing.T) {
				got, event, err := do(in(s))
				refusedUnchanged(t, in(s), got, event, err)
			})
		}
	}
}

func refusedUnchanged(t rapid.TB, from, got Delivery, event Event, err error) {
	t.Helper()
	if CodeOf(err) != Conflict || event != "" {
		t.Errorf("error %v, event %q; want a conflict and no event", err, event)
	}
	if diff := cmp.Diff(from, got); diff != "" {
		t.Errorf("refused, and changed all the same:\n%s", diff)
	}
}

func TestWhatATransitionKeeps(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	begun, _ := in(Queued, tried).BeginAttempt(later, retries, 0)
	if begun.Attempts != 4 || !begun.Next.Equal(later.Add(8*time.Minute)) {
		t.Errorf("the fourth attempt counts as %d, the next is due at %v", begun.Attempts, begun.Next)
	}
	failed := begun.AttemptFailed("no answer")
	if failed.Detail != "no answer" || failed.State != Queued || failed.Next != begun.Next {
		t.Errorf("after a failed attempt: %+v", failed)
	}
	consigned, _, _ := failed.Consign(later)
	if consigned.Detail != "" || !consigned.ConsignedAt.Equal(later) {
		t.Errorf("consigned with detail %q at %v", consigned.Detail, consigned.ConsignedAt)
	}
	refused, _, _ := consigned.Answer(AnswerRefused, "gửi nhầm", later)
	if refused.Detail != "gửi nhầm" || !refused.SettledAt.Equal(later) {
		t.Errorf("refused with detail %q at %v", refused.Detail, refused.SettledAt)
	}
	held, _ := consigned.Hold("xem lại")
	released, _ := held.Release(later)
	if held.Detail != "xem lại" || released.Detail != "" {
		t.Errorf("detail %q while held, %q once released", held.Detail, released.Detail)
	}
	retried, _ := begun.Retry(later)
	if !retried.Next.Equal(later) || retried.Attempts != 4 {
		t.Errorf("retried: next %v after %d attempts", retried.Next, retried.Attempts)
	}
	cancelled, _, _ := consigned.Cancel("nhầm", later)
	if cancelled.Detail != "nhầm" {
		t.Errorf("cancelled with detail %q", cancelled.Detail)
	}
}

func TestTheFirstFetchCounts(t *testing.T) {
	t.Parallel()
	d := in(Consigned).Fetch(noon).Fetch(noon.Add(time.Hour))
	if !d.FetchedAt.Equal(noon) {
		t.Errorf("fetched at %v, want the first time, %v", d.FetchedAt, noon)
	}
}

func TestAStatusIsNotedOnceForEachCode(t *testing.T) {
	t.Parallel()
	first := BusinessStatus{Code: "01", Package: "a", At: noon}
	one, _ := in(Consigned).Note(first)
	two, news := one.Note(BusinessStatus{Code: "03", Package: "b", At: noon})
	again, repeated := two.Note(BusinessStatus{Code: "01", Package: "c", At: noon})
	if !news || repeated {
		t.Errorf("03 is new: %t, and 01 again is: %t", news, repeated)
	}
	if len(one.Statuses) != 1 || len(two.Statuses) != 2 || len(again.Statuses) != 2 || again.Statuses[0] != first {
		t.Errorf("statuses %v, %v, %v", one.Statuses, two.Statuses, again.Statuses)
	}
	other, _ := one.Note(BusinessStatus{Code: "02"})
	if two.Statuses[1].Code != "03" || other.Statuses[1].Code != "02" {
		t.Error("two deliveries share their list of statuses")
	}
}

func TestDueAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		d    Delivery
		want time.Time
	}{
		{"waits for its attempt", in(Queued, func(d *Delivery) { d.Next = noon.Add(time.Hour) }), noon.Add(time.Hour)},
		{"the next attempt would come too late", in(Queued, func(d *Delivery) { d.Next = deadline.Add(time.Hour) }), deadline},
		{"held", in(Held), deadline},
		{"in the inbox", in(Consigned), deadline},
		{"handed over", in(HandedOver), time.Time{}},
		{"rejected", in(Rejected), time.Time{}},
		{"failed", in(Failed), time.Time{}},
		{"withdrawn", in(Withdrawn), time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.d.DueAt(); !got.Equal(c.want) {
				t.Errorf("due at %v, want %v", got, c.want)
			}
		})
	}
}

func TestRetriesDoubleUpToTheMost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		n      int
		jitter float64
		want   time.Duration
	}{
		{"after the first", 1, 0, time.Minute},
		{"after the second", 2, 0, 2 * time.Minute},
		{"after the sixth", 6, 0, 32 * time.Minute},
		{"after the seventh, no longer than the most", 7, 0, time.Hour},
		{"after very many", 1 << 30, 0, time.Hour},
		{"spread to the half", 3, 1, 2 * time.Minute},
		{"spread a little", 1, 0.5, 45 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := retries.after(c.n, c.jitter); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	id := NewDeliveryID("0197a1b2-0000-7000-8000-000000000000", 12)
	if id != "0197a1b2-0000-7000-8000-000000000000.12" || id.Package() != "0197a1b2-0000-7000-8000-000000000000" {
		t.Errorf("%s of package %s", id, id.Package())
	}
}

// TestAnyCourseOfEvents lets anything happen in any order: a delivery ends once,
// with an event, and can always end.
func TestAnyCourseOfEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, now, ends := in(Queued), noon, 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 12*3600).Draw(t, "seconds")) * time.Second)
			before := d
			next, event, err := step(t, d, now)
			if err != nil {
				refusedUnchanged(t, before, next, event, err)
				continue
			}
			d = next
			keepsItsPromises(t, before, d, event)
			if d.State.Final() && !before.State.Final() {
				ends++
			}
		}
		if !d.State.Final() {
			failed, event, err := d.Expire(deadline)
			if err != nil || failed.State != Failed || event == "" {
				t.Fatalf("%s cannot end: %s, event %q, %v", d.State, failed.State, event, err)
			}
			ends++
		}
		if ends != 1 {
			t.Fatalf("ended %d times", ends)
		}
	})
}

// step lets one thing happen.
func step(t *rapid.T, d Delivery, now time.Time) (Delivery, Event, error) {
	var err error
	switch rapid.SampledFrom([]string{"begin", "fail", "consign", "fetch", "accept", "refuse", "expire", "hold", "release",
		"retry", "cancel", "withdraw", "disown", "note"}).Draw(t, "what") {
	case "begin":
		d, err = d.BeginAttempt(now, retries, rapid.Float64Range(0, 1).Draw(t, "jitter"))
	case "fail":
		if d.State == Queued {
			d = d.AttemptFailed("no answer")
		}
	case "consign":
		return d.Consign(now)
	case "fetch":
		d = d.Fetch(now)
	case "accept":
		return d.Answer(AnswerAccepted, "", now)
	case "refuse":
		return d.Answer(AnswerRefused, "sai", now)
	case "expire":
		return d.Expire(now)
	case "hold":
		d, err = d.Hold("xem lại")
	case "release":
		d, err = d.Release(now)
	case "retry":
		d, err = d.Retry(now)
	case "cancel":
		return d.Cancel("nhầm", now)
	case "withdraw":
		return d.Withdraw(now)
	case "disown":
		after, event := d.Disown("đã thu hồi", now)
		if event == RevocationEstablished && after.SenderRevoked.IsZero() || event != "" && after.State == Failed && !after.FetchedAt.IsZero() && d.State != Failed {
			t.Fatalf("disowned as %+v with %s", after, event)
		}
		if event == RevocationEstablished {
			event = "" // it moves nothing on
		}
		return after, event, nil
	case "note":
		d, _ = d.Note(BusinessStatus{Code: rapid.SampledFrom([]string{"01", "03", "06"}).Draw(t, "code"), At: now})
	}
	return d, "", err
}

func keepsItsPromises(t *rapid.T, before, after Delivery, event Event) {
	ended := []Event{ContentHandover, ConsignmentRejection, ContentConsignmentFailure, ContentHandoverFailure, AcceptanceRejectionExpiry}
	switch {
	case before.State.Final() && after.State != before.State:
		t.Fatalf("left the final state %s for %s", before.State, after.State)
	case before.State.Final() && event != "":
		t.Fatalf("event %s in the final state %s", event, before.State)
	case after.State.Final() && !before.State.Final() && !slices.Contains(ended, event):
		t.Fatalf("%s to %s with event %q", before.State, after.State, event)
	case !after.State.Final() && (event != "") != (before.State == Queued && after.State == Consigned):
		t.Fatalf("%s to %s with event %q", before.State, after.State, event)
	case after.State.Final() != after.DueAt().IsZero() || after.DueAt().After(after.Deadline):
		t.Fatalf("%s is due at %v, deadline %v", after.State, after.DueAt(), after.Deadline)
	case after.State.Final() == after.SettledAt.IsZero():
		t.Fatalf("%s was settled at %v", after.State, after.SettledAt)
	case after.State == Consigned && after.ConsignedAt.IsZero(), after.State == Queued && !after.ConsignedAt.IsZero():
		t.Fatalf("%s, consigned at %v", after.State, after.ConsignedAt)
	case after.Attempts < before.Attempts || (before.FetchedAt != after.FetchedAt && !before.FetchedAt.IsZero()):
		t.Fatalf("forgot: %+v, %+v", before, after)
	case after.State == Withdrawn && !after.FetchedAt.IsZero() && before.State != Withdrawn:
		t.Fatal("withdrawn after it was fetched")
	}
}
