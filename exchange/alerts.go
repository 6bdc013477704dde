package exchange

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// AlertKind is something that people should look into.
type AlertKind string

// The kinds. The times are those of Decision 28/2018, articles 6 and 9, and of
// Decree 30/2020, articles 18 and 21, or what keeps them in reach.
const (
	AlertNoArrival  AlertKind = "no-arrival"           // nothing heard of the recipient's software for an hour of working time
	AlertNoAnswer   AlertKind = "no-answer-by-day-end" // neither accepted nor refused by the end of the working day
	AlertSentLate   AlertKind = "sent-late"            // sent after the morning of the working day that follows its date
	AlertUrgent     AlertKind = "urgent-not-fetched"   // urgent, and not fetched within a quarter of an hour
	AlertUnanswered AlertKind = "request-unanswered"   // a recall or an update without 15 or 16 for a working day
	AlertTrouble    AlertKind = "trouble"              // the recipient's software could not take it in
	AlertOrphan     AlertKind = "orphan-status"        // a status whose document has not come for an hour
	AlertQuarantine AlertKind = "quarantine"           // held for malware, or for want of a scan
)

// AlertKinds are all kinds.
var AlertKinds = []AlertKind{AlertNoArrival, AlertNoAnswer, AlertSentLate, AlertUrgent, AlertUnanswered, AlertTrouble, AlertOrphan, AlertQuarantine}

// Words say what is the matter and what to do next.
func (k AlertKind) Words() Words { return alertWords[k] }

// alertWords is never written.
var alertWords = map[AlertKind]Words{
	AlertNoArrival: {"the recipient's software has not come for it for an hour of working time; ask the agency whether its software runs and connects",
		"phần mềm của cơ quan nhận chưa đến lấy sau một giờ làm việc; hãy hỏi cơ quan xem phần mềm có chạy và kết nối không"},
	AlertNoAnswer: {"neither accepted nor refused by the end of the working day; remind the agency (Decree 30/2020, article 21)",
		"chưa tiếp nhận hay từ chối khi hết ngày làm việc; hãy nhắc cơ quan nhận (Nghị định 30/2020, Điều 21)"},
	AlertSentLate: {"sent later than the morning of the working day after its date; tell the sender (Decision 28/2018, article 6)",
		"gửi muộn hơn buổi sáng ngày làm việc tiếp theo ngày ban hành; hãy báo cơ quan gửi (Quyết định 28/2018, Điều 6)"},
	AlertUrgent: {"urgent and not fetched within 15 minutes; call the agency",
		"văn bản khẩn chưa được lấy sau 15 phút; hãy gọi điện cho cơ quan nhận"},
	AlertUnanswered: {"a recall or an update was not answered (15, 16) for a working day; remind the agency",
		"yêu cầu thu hồi hoặc cập nhật chưa được trả lời (15, 16) sau một ngày làm việc; hãy nhắc cơ quan nhận"},
	AlertTrouble: {"the recipient's software said that it could not take it in; ask the agency to fetch it again, or have it sent anew",
		"phần mềm của cơ quan nhận báo không xử lý được gói tin; hãy đề nghị cơ quan lấy lại, hoặc đề nghị gửi lại"},
	AlertOrphan: {"a status on a document that the hub did not bring; tell its sender which identifier is wrong",
		"trạng thái của một văn bản mà trục không chuyển; hãy báo cơ quan gửi trạng thái kiểm tra mã định danh"},
	AlertQuarantine: {"held for malware, waiting for its scan, or longer than the scanner takes; hub release or hub cancel, and see that the scanner runs",
		"đang bị giữ vì mã độc, chờ quét hoặc quá dài để quét; dùng hub release hoặc hub cancel, và kiểm tra bộ quét có chạy không"},
}

// Alert is one thing to look into. It is found again by itself after a restart,
// and goes when its cause does.
type Alert struct {
	// ID is the kind, a dot, and the delivery, the package or (no-arrival) the
	// recipient: the same each time that it is found.
	ID   string    `json:"id"`
	Kind AlertKind `json:"kind"`
	// Since is when it became due, by the calendar.
	Since     time.Time  `json:"since"`
	Package   PackageID  `json:"package,omitempty"`
	Delivery  DeliveryID `json:"delivery,omitempty"` // of no-arrival: the one waited for the longest
	Sender    string     `json:"sender,omitempty"`
	Recipient string     `json:"recipient,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	// Acknowledged is who looks into it, and why it may stand.
	Acknowledged *AlertAnswer `json:"acknowledged,omitempty"`
}

// AlertAnswer is an operator's word on an alert.
type AlertAnswer struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

const (
	alertsEvery = time.Minute
	// acknowledgeAlert is the verb of the action.
	acknowledgeAlert = "acknowledge-alert"

	arrivalTime   = time.Hour        // of working time
	urgentTime    = 15 * time.Minute // of any time
	orphanTime    = time.Hour
	scanTime      = 15 * time.Minute
	lateShown     = 7 * 24 * time.Hour  // how long sent-late stands, which nothing mends
	alertsGoBack  = 30 * 24 * time.Hour // how old a request or an answer to an alert is that counts
	alertsLook    = 20_000              // deliveries, and packages, that one sweep looks at
	mostAlerts    = 2_000               // of a kind; more say nothing new
	packagesAgain = 2 * time.Minute     // packages this much older than the last sweep may have come after it
)

// watch is what is known of alerts. All of it is found again after a restart.
type watch struct {
	sweeping sync.Mutex // one sweep at a time; what follows is a sweep's own
	progress progress
	waiting  map[DeliveryID]bool // they have to answer a request

	mu       sync.RWMutex
	ready    bool
	open     map[string]Alert
	answered map[string]AlertAnswer // by alert; the last
}

// progress is how far sweeps have come.
type progress struct {
	state  int    // which of openStates is looked through
	cursor string // how far
	// until: packages accepted before were looked at, or are behind.
	until time.Time
	// behind: there are older packages to be looked at, from the cursor back on.
	behind bool
	back   string
}

// AlertQuery selects alerts; empty fields select all.
type AlertQuery struct {
	Kind   AlertKind
	Agency string // sender or recipient, canonical
	// Open leaves out those that are acknowledged.
	Open  bool
	Limit int
}

// AlertPage are alerts, the oldest first.
type AlertPage struct {
	Alerts []Alert `json:"alerts"`
	// More says that further ones match.
	More bool `json:"more"`
	// Counts are those not acknowledged, of each kind; at most 2000 of a kind are
	// kept.
	Counts map[AlertKind]int `json:"counts"`
}

// Alerts lists what people should look into.
func (x *Exchange) Alerts(ctx context.Context, by Caller, q AlertQuery) (AlertPage, error) {
	if !by.Watches() {
		return AlertPage{}, notPermitted.With(by, Words{"see alerts", "xem cảnh báo"})
	}
	if q.Kind != "" && !slices.Contains(AlertKinds, q.Kind) {
		return AlertPage{}, InvalidError("there is no kind of alert %q; give one of: %q", "không có loại cảnh báo %q; hãy dùng một trong: %q",
			shortened(string(q.Kind)), listed(AlertKinds))
	}
	if err := x.makeCanonical(ctx, &q.Agency); err != nil {
		return AlertPage{}, err
	}
	page := AlertPage{Counts: x.AlertCounts()}
	for _, a := range x.alertsNow() {
		if q.Kind != "" && a.Kind != q.Kind || q.Agency != "" && a.Sender != q.Agency && a.Recipient != q.Agency || q.Open && a.Acknowledged != nil {
			continue
		}
		page.Alerts = append(page.Alerts, a)
	}
	slices.SortFunc(page.Alerts, func(a, b Alert) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	if limit := limited(q.Limit); len(page.Alerts) > limit {
		page.Alerts, page.More = page.Alerts[:limit], true
	}
	return page, nil
}

// AlertCounts counts alerts that are not acknowledged, of each kind.
func (x *Exchange) AlertCounts() map[AlertKind]int {
	counts := map[AlertKind]int{}
	for _, k := range AlertKinds {
		counts[k] = 0
	}
	for _, a := range x.alertsNow() {
		if a.Acknowledged == nil {
			counts[a.Kind]++
		}
	}
	return counts
}

func (x *Exchange) alertsNow() []Alert {
	w := &x.watch
	w.mu.RLock()
	defer w.mu.RUnlock()
	all := make([]Alert, 0, len(w.open))
	for _, a := range w.open {
		all = append(all, w.withAnswer(a))
	}
	return all
}

// withAnswer adds what was said of the alert since it is due. What was said before
// was about an earlier cause.
func (w *watch) withAnswer(a Alert) Alert {
	if answer, ok := w.answered[a.ID]; ok && !answer.At.Before(a.Since) {
		a.Acknowledged = &answer
	}
	return a
}

// AcknowledgeAlert notes that somebody looks into an alert. It stands until its
// cause is gone, and no longer counts as open.
func (x *Exchange) AcknowledgeAlert(ctx context.Context, by Caller, id, reason string) (Alert, error) {
	if !by.Operates() {
		return Alert{}, notPermitted.With(by, deeds[acknowledgeAlert])
	}
	if err := needsReason(reason); err != nil {
		return Alert{}, err
	}
	w := &x.watch
	w.mu.RLock()
	a, ok := w.open[id]
	w.mu.RUnlock()
	if !ok {
		return Alert{}, NotFoundError("alert", id)
	}
	action, err := x.action(by, acknowledgeAlert, id, reason, nil)
	if err != nil {
		return Alert{}, err
	}
	if err := x.c.Ledger.Update(ctx, Change{Actions: []Action{action}}); err != nil {
		return Alert{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered[id] = answerOf(action)
	return w.withAnswer(a), nil
}

func answerOf(a Action) AlertAnswer { return AlertAnswer{By: a.Actor, Reason: a.Reason, At: a.Time} }

// SweepAlerts finds what is due, and drops what is no longer so. It looks at what is
// open, at a bounded number of deliveries and packages; the next sweep goes on.
func (x *Exchange) SweepAlerts(ctx context.Context) error {
	w := &x.watch
	w.sweeping.Lock()
	defer w.sweeping.Unlock()
	s := alertSweep{Exchange: x, now: x.now(), kinds: map[PackageID]Kind{}, found: map[string]Alert{}, counts: map[AlertKind]int{}}
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.progress = w.progress
	for _, look := range []func(context.Context) error{s.again, s.packages, s.requests, s.deliveries, s.orphans} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	s.end(ctx)
	return nil
}

// alertSweep is one sweep. What it finds takes the place of what was known.
type alertSweep struct {
	*Exchange
	progress
	now    time.Time
	kinds  map[PackageID]Kind
	found  map[string]Alert
	counts map[AlertKind]int
}

// begin reads, once, what operators said of alerts.
func (s *alertSweep) begin(ctx context.Context) error {
	w := &s.watch
	if w.ready {
		return nil
	}
	answered := map[string]AlertAnswer{}
	for cursor := ""; ; {
		list, next, err := s.c.Ledger.Actions(ctx, cursor, pageLimit)
		if err != nil {
			return err
		}
		for _, a := range list {
			if _, known := answered[a.Object]; a.Verb == acknowledgeAlert && !known {
				answered[a.Object] = answerOf(a)
			}
		}
		if cursor = next; cursor == "" || len(list) > 0 && list[len(list)-1].Time.Before(s.now.Add(-alertsGoBack)) {
			break
		}
	}
	w.progress, w.waiting = progress{until: s.now.Add(-packagesAgain), behind: true}, map[DeliveryID]bool{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready, w.answered, w.open = true, answered, map[string]Alert{}
	return nil
}

// add notes an alert. Of no-arrival, which is one for an agency, the oldest counts.
func (s *alertSweep) add(list ...Alert) {
	for _, a := range list {
		other, known := s.found[a.ID]
		switch {
		case !known && s.counts[a.Kind] >= mostAlerts:
			continue
		case !known:
			s.counts[a.Kind]++
		case !a.Since.Before(other.Since):
			continue
		}
		s.found[a.ID] = a
	}
}

// again looks at the cause of every alert that is known.
func (s *alertSweep) again(ctx context.Context) error {
	s.watch.mu.RLock()
	known := slices.Collect(maps.Values(s.watch.open))
	s.watch.mu.RUnlock()
	for _, a := range known {
		switch {
		case a.Kind == AlertOrphan: // looked for anew
		case a.Kind == AlertSentLate:
			if s.now.Before(a.Since.Add(lateShown)) {
				s.add(a)
			}
		default:
			d, err := s.c.Ledger.Delivery(ctx, a.Delivery)
			if err != nil {
				return err
			}
			if err := s.delivery(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// packages looks at packages that came since the last sweep, and at some older ones
// that were not looked at since the hub began.
func (s *alertSweep) packages(ctx context.Context) (err error) {
	if s.behind {
		if s.back, err = s.walk(ctx, s.back, s.now.Add(-alertsGoBack), alertsLook); err != nil {
			return err
		}
		s.behind = s.back != ""
	}
	if _, err := s.walk(ctx, "", s.until, math.MaxInt); err != nil {
		return err
	}
	s.until = s.now.Add(-packagesAgain)
	return nil
}

// walk goes from the newest to the oldest; the cursor is where it stopped before it
// came to from.
func (s *alertSweep) walk(ctx context.Context, cursor string, from time.Time, left int) (string, error) {
	for left > 0 {
		list, next, err := s.c.Ledger.Packages(ctx, PackageQuery{Cursor: cursor, Limit: pageLimit})
		if err != nil {
			return "", err
		}
		for _, p := range list {
			if p.AcceptedAt.Before(from) {
				return "", nil
			}
			if err := s.pkg(ctx, p); err != nil {
				return "", err
			}
		}
		left -= len(list)
		if cursor = next; cursor == "" {
			return "", nil
		}
	}
	return cursor, nil
}

// pkg finds a document that was sent late, and what waits for an answer to a request.
func (s *alertSweep) pkg(ctx context.Context, p Package) error {
	if a, late := s.c.Calendar.sentLate(p); late && s.now.Before(a.Since.Add(lateShown)) {
		s.add(a)
	}
	about := []string(nil)
	switch {
	case p.Kind == KindRecall || p.Kind == KindUpdate:
		about = p.Targets
	case p.Status != nil && p.Status.Code == StatusRecall:
		sent, err := s.meant(ctx, p.Sender, *p.Status)
		s.await(sent)
		return err
	}
	for _, document := range about {
		sent, err := s.deliveriesOfDocument(ctx, p.Sender, document)
		if err != nil {
			return err
		}
		s.await(sent)
	}
	return nil
}

func (s *alertSweep) await(sent []Delivery) {
	for _, d := range sent {
		if !d.WaitingSince().IsZero() && len(s.watch.waiting) < alertsLook {
			s.watch.waiting[d.ID] = true
		}
	}
}

// requests looks at what waits for an answer.
func (s *alertSweep) requests(ctx context.Context) error {
	for id := range s.watch.waiting {
		d, err := s.c.Ledger.Delivery(ctx, id)
		if err != nil {
			return err
		}
		if d.WaitingSince().IsZero() {
			delete(s.watch.waiting, id)
			continue
		}
		if err := s.delivery(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// openStates are looked through one after the other.
var openStates = []State{Consigned, Held, Queued}

// deliveries looks at open deliveries, going on where the last sweep stopped. It ends
// when it has gone round.
func (s *alertSweep) deliveries(ctx context.Context) error {
	for left, rounds := alertsLook, 0; left > 0 && rounds <= len(openStates); left-- {
		list, next, err := s.c.Ledger.Deliveries(ctx, DeliveryQuery{State: openStates[s.state], Cursor: s.cursor, Limit: pageLimit})
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := s.delivery(ctx, d); err != nil {
				return err
			}
		}
		left -= len(list)
		if s.cursor = next; next == "" {
			s.state = (s.state + 1) % len(openStates)
			rounds++
		}
	}
	return nil
}

func (s *alertSweep) orphans(ctx context.Context) error {
	for cursor := ""; s.counts[AlertOrphan] < mostAlerts; {
		list, next, err := s.c.Ledger.Orphans(ctx, cursor, pageLimit)
		if err != nil {
			return err
		}
		for _, p := range list {
			due := p.AcceptedAt.Add(orphanTime)
			if s.now.Before(due) {
				return nil // those that follow came later
			}
			s.add(Alert{ID: string(AlertOrphan) + "." + string(p.ID), Kind: AlertOrphan, Since: due, Package: p.ID, Sender: p.Sender,
				Recipient: p.Status.To, Detail: p.Status.Code + " " + p.Status.DocumentID + " " + p.Status.Notation})
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
	return nil
}

// delivery finds what is due of one.
func (s *alertSweep) delivery(ctx context.Context, d Delivery) error {
	for _, a := range s.c.Calendar.alerts(d) {
		if s.now.Before(a.Since) {
			continue
		}
		if a.Kind == AlertNoAnswer { // statuses are for software; nobody accepts them
			kind, known := s.kinds[d.Package]
			if !known {
				p, err := s.c.Ledger.Package(ctx, d.Package)
				if err != nil {
					return err
				}
				kind, s.kinds[d.Package] = p.Kind, p.Kind
			}
			if kind == KindStatus {
				continue
			}
		}
		s.add(a)
	}
	return nil
}

// end puts what was found in the place of what was known, and tells the log of what
// is new.
func (s *alertSweep) end(ctx context.Context) {
	w := &s.watch
	w.progress = s.progress
	w.mu.Lock()
	before := w.open
	w.open = s.found
	w.mu.Unlock()
	for id, a := range s.found {
		w.mu.RLock()
		a = w.withAnswer(a)
		w.mu.RUnlock()
		if _, known := before[id]; known || a.Acknowledged != nil {
			continue
		}
		s.c.Log.WarnContext(ctx, "alert", "id", id, "kind", a.Kind, "since", a.Since, "sender", a.Sender, "recipient", a.Recipient, "detail", a.Detail)
	}
}

// alerts are those that a delivery as it stands raises, each at its time.
func (c *Calendar) alerts(d Delivery) (list []Alert) {
	add := func(kind AlertKind, object string, since time.Time, detail string) {
		list = append(list, Alert{ID: string(kind) + "." + object, Kind: kind, Since: since.UTC(), Package: d.Package, Delivery: d.ID,
			Sender: d.Sender, Recipient: d.Recipient, Detail: detail})
	}
	id := string(d.ID)
	arrived := !d.FetchedAt.IsZero() || len(d.Statuses) > 0
	if d.State == Consigned && !arrived {
		add(AlertNoArrival, d.Recipient, c.Add(d.ConsignedAt, arrivalTime), "")
	}
	if d.State == Consigned && !d.answered() {
		add(AlertNoAnswer, id, c.EndOfDay(d.ConsignedAt), "")
	}
	if (d.State == Consigned || d.State == Queued) && d.Urgent() && !arrived {
		add(AlertUrgent, id, d.AcceptedAt.Add(urgentTime), "")
	}
	if since := d.WaitingSince(); !since.IsZero() && !d.gaveUp() {
		add(AlertUnanswered, id, c.Add(since, c.DayLength()), "")
	}
	if !d.TroubleAt.IsZero() && !d.State.Final() {
		add(AlertTrouble, id, d.TroubleAt, d.Detail)
	}
	switch {
	case d.State != Held:
	case d.Quarantine == QuarantineMalware || d.Quarantine == QuarantineTooLong:
		add(AlertQuarantine, id, d.AcceptedAt, d.Detail)
	case d.Quarantine == QuarantineScan:
		add(AlertQuarantine, id, d.AcceptedAt.Add(scanTime), d.Quarantine)
	}
	return list
}

// answered reports whether the recipient accepted or refused the document, on the
// hub's record or by a status.
func (d Delivery) answered() bool {
	return d.State == HandedOver || d.State == Rejected ||
		slices.ContainsFunc(d.Statuses, func(s BusinessStatus) bool { _, answers := statusOutcome(s.Code); return answers })
}

// sentLate finds a document that was sent after the morning of the working day that
// follows its date.
func (c *Calendar) sentLate(p Package) (Alert, bool) {
	if p.Kind != KindNew && p.Kind != KindReplace {
		return Alert{}, false
	}
	dated, err := time.ParseInLocation("2006/01/02", p.PromulgationDate, Vietnam)
	if err != nil || !p.AcceptedAt.After(c.NextNoon(dated)) {
		return Alert{}, false
	}
	return Alert{ID: string(AlertSentLate) + "." + string(p.ID), Kind: AlertSentLate, Since: p.AcceptedAt, Package: p.ID, Sender: p.Sender,
		Detail: p.PromulgationDate}, true
}
