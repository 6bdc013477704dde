package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Report is what went through the hub in a time: packages that were accepted in it,
// with what became of them until now.
type Report struct {
	From time.Time `json:"from"` // included
	To   time.Time `json:"to"`   // excluded
	At   time.Time `json:"at"`   // when it was made

	Total    ReportRow   `json:"total"`
	Agencies []ReportRow `json:"agencies"` // by code
	// Rejections are submissions that were refused, by code.
	Rejections map[Code]int64 `json:"rejections"`
	// Refusals are deliveries that recipients refused, the newest first: at most
	// 1000.
	Refusals []ReportRefusal `json:"refusals"`
	// Alerts are those that stand when it is made and are not acknowledged.
	Alerts map[AlertKind]int `json:"alerts"`
}

// ReportRow are the figures of one agency, or of all. Documents are packages of any
// kind but status.
type ReportRow struct {
	Agency string `json:"agency,omitempty"`
	Name   string `json:"name,omitempty"`

	// Of what it sent.
	Documents      int64 `json:"documents"`
	Signed         int64 `json:"signed"`         // documents whose package is digitally signed
	PDFSigned      int64 `json:"pdfSigned"`      // documents with a PDF file inside that has valid signatures, and no changes after them
	SentLate       int64 `json:"sentLate"`       // after the morning of the next working day
	Recalls        int64 `json:"recalls"`        // packages that recall a document
	SentDeliveries int64 `json:"sentDeliveries"` // of documents
	StatusesSent   int64 `json:"statusesSent"`

	// Of documents that it received; of all, of those that there were.
	Received     int64            `json:"received"`
	ByState      map[State]int64  `json:"byState"`
	ByStatus     map[string]int64 `json:"byStatus"`     // current status of the national standard; "": none
	NotInTheDay  int64            `json:"notInTheDay"`  // neither accepted nor refused by the end of the working day
	Refused      int64            `json:"refused"`      // by the recipient
	Withdrawn    int64            `json:"withdrawn"`    // recalled before it was fetched
	TakenBack    int64            `json:"takenBack"`    // recalled later, as the recipient agreed
	FailedByCode map[Code]int64   `json:"failedByCode"` // why deliveries failed
	ToFetched    Delays           `json:"toFetched"`
	ToAccepted   Delays           `json:"toAccepted"`

	// LastTraffic is when it last sent or was sent something before To; zero: never.
	LastTraffic time.Time `json:"lastTraffic,omitzero"`
	// SilentDays are the whole days from then to To, or to when the report was made;
	// -1: it never had any.
	SilentDays int `json:"silentDays"`

	fetched, accepted delays
}

// Delays are the times from acceptance by the hub, in seconds of the clock. The
// median is within 2 percent.
type Delays struct {
	Count  int64   `json:"count"`
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
}

// ReportRefusal is a delivery that its recipient refused.
type ReportRefusal struct {
	Delivery  DeliveryID `json:"delivery"`
	Document  string     `json:"document"`
	Sender    string     `json:"sender"`
	Recipient string     `json:"recipient"`
	Reason    string     `json:"reason"`
	At        time.Time  `json:"at"`
}

const (
	mostRefusals  = 1000
	longestReport = 400 * 24 * time.Hour
)

// reportPause is how many seconds who asks for a second report is asked to wait.
const reportPause = 10

// Report counts what was accepted in a time. It reads the ledger as it goes and keeps
// only figures; one is made at a time.
func (x *Exchange) Report(ctx context.Context, by Caller, from, to time.Time) (Report, error) {
	if !by.Watches() {
		return Report{}, notPermitted.With(by, Words{"see reports", "xem báo cáo"})
	}
	if from.IsZero() || to.IsZero() || !from.Before(to) || to.Sub(from) > longestReport {
		return Report{}, reportPeriod.With()
	}
	if !x.reporting.TryLock() {
		return Report{}, reportBusy.With(reportPause)
	}
	defer x.reporting.Unlock()
	r := reporter{Exchange: x, rows: map[string]*ReportRow{}, report: Report{From: from.UTC(), To: to.UTC(), At: x.now(), Total: newRow(""),
		Rejections: map[Code]int64{}, Refusals: []ReportRefusal{}, Alerts: x.AlertCounts()}}
	for _, step := range []func(context.Context) error{r.agencies, r.packages, r.rejections, r.silence} {
		if err := step(ctx); err != nil {
			return Report{}, err
		}
	}
	return r.done(), nil
}

// reporter is one report on its way.
type reporter struct {
	*Exchange
	report Report
	rows   map[string]*ReportRow // by agency
}

func newRow(code string) ReportRow {
	row := ReportRow{Agency: code, ByState: map[State]int64{}, ByStatus: map[string]int64{}, FailedByCode: map[Code]int64{}}
	for _, s := range States {
		row.ByState[s] = 0
	}
	return row
}

// agencies gives each a row: those without traffic are what is looked for.
func (r *reporter) agencies(ctx context.Context) error {
	return r.EachAgency(ctx, func(a Agency) error {
		if over(a.Closed, r.report.From) {
			return nil
		}
		r.row(a.Code).Name = a.Name
		return nil
	})
}

func (r *reporter) row(code string) *ReportRow {
	row := r.rows[code]
	if row == nil {
		made := newRow(code)
		row = &made
		r.rows[code] = row
	}
	return row
}

func (r *reporter) packages(ctx context.Context) error {
	q := Search{All: true, From: r.report.From, To: r.report.To, Limit: pageLimit}
	for {
		found, cursor, err := r.c.Ledger.Search(ctx, q)
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := r.pkg(ctx, f.Package); err != nil {
				return err
			}
		}
		if q.Cursor = cursor; cursor == "" {
			return nil
		}
	}
}

// pkg counts a package for its sender, and its deliveries for their recipients.
func (r *reporter) pkg(ctx context.Context, p Package) error {
	sender := r.row(p.Sender)
	sender.used(p.AcceptedAt)
	list, err := r.c.Ledger.DeliveriesOf(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, d := range list {
		r.row(d.Recipient).used(d.AcceptedAt)
	}
	_, late := r.c.Calendar.sentLate(p)
	for _, row := range []*ReportRow{sender, &r.report.Total} {
		row.sent(p, late, len(list))
	}
	if p.Kind == KindStatus {
		return nil
	}
	for _, d := range list {
		tardy := r.c.Calendar.notInTheDay(d, r.report.At)
		for _, row := range []*ReportRow{r.row(d.Recipient), &r.report.Total} {
			row.received(d, tardy)
		}
		if d.State == Rejected && len(r.report.Refusals) < mostRefusals {
			r.report.Refusals = append(r.report.Refusals, ReportRefusal{d.ID, p.DocumentID, d.Sender, d.Recipient, d.Detail, d.SettledAt})
		}
	}
	return nil
}

func (row *ReportRow) used(at time.Time) {
	if at.After(row.LastTraffic) {
		row.LastTraffic = at
	}
}

func (row *ReportRow) sent(p Package, late bool, deliveries int) {
	if p.Kind == KindStatus {
		row.StatusesSent++
		return
	}
	row.Documents++
	row.SentDeliveries += int64(deliveries)
	for _, c := range []struct {
		is   bool
		tell *int64
	}{{p.Signature != nil, &row.Signed}, {p.pdfSigned(), &row.PDFSigned}, {late, &row.SentLate}, {p.Kind == KindRecall, &row.Recalls}} {
		if c.is {
			*c.tell++
		}
	}
}

func (row *ReportRow) received(d Delivery, tardy bool) {
	row.Received++
	row.ByState[d.State]++
	row.ByStatus[d.CurrentStatus()]++
	for _, c := range []struct {
		is   bool
		tell *int64
	}{{tardy, &row.NotInTheDay}, {d.State == Rejected, &row.Refused}, {d.State == Withdrawn, &row.Withdrawn}, {d.TakenBack(), &row.TakenBack}} {
		if c.is {
			*c.tell++
		}
	}
	if d.State == Failed {
		row.FailedByCode[d.Reason]++
	}
	if !d.FetchedAt.IsZero() {
		row.fetched.add(d.FetchedAt.Sub(d.AcceptedAt))
	}
	if at := d.acceptedAt(); !at.IsZero() {
		row.accepted.add(at.Sub(d.AcceptedAt))
	}
}

// acceptedAt is when the recipient accepted the document, on the hub's record or by
// a status; zero if it did not.
func (d Delivery) acceptedAt() time.Time {
	at := time.Time{}
	if d.State == HandedOver {
		at = d.SettledAt
	}
	for _, s := range d.Statuses {
		if o, answers := statusOutcome(s.Code); answers && o == AnswerAccepted && (at.IsZero() || s.At.Before(at)) {
			at = s.At
		}
	}
	return at
}

// notInTheDay reports whether the recipient neither accepted nor refused the
// document by the end of the working day that it came on.
func (c *Calendar) notInTheDay(d Delivery, now time.Time) bool {
	if d.ConsignedAt.IsZero() {
		return false
	}
	end, at := c.EndOfDay(d.ConsignedAt), d.acceptedAt()
	for _, s := range d.Statuses {
		if s.Code == StatusRefused && (at.IsZero() || s.At.Before(at)) {
			at = s.At
		}
	}
	if d.State.Final() && (at.IsZero() || d.SettledAt.Before(at)) {
		at = d.SettledAt // refused, or it need not be answered any more
	}
	if at.IsZero() {
		at = now
	}
	return at.After(end)
}

// leavesAtOnce is how many leaves of the log are read in one go.
const leavesAtOnce = 1000

// rejections counts refused submissions: they have a leaf of the log and a receipt,
// and nothing else.
func (r *reporter) rejections(ctx context.Context) error {
	size, err := r.c.Ledger.LogSize(ctx)
	if err != nil {
		return err
	}
	first, err := r.firstLeaf(ctx, size)
	if err != nil {
		return err
	}
	mark := []byte(`"` + SubmissionRejection + `"`)
	for ; first < size; first += leavesAtOnce {
		leaves, err := r.c.Ledger.LogEntries(ctx, first, min(first+leavesAtOnce, size))
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if over, err := r.rejection(ctx, leaf, bytes.Contains(leaf, mark), i == len(leaves)-1); over || err != nil {
				return err
			}
		}
	}
	return nil
}

// rejection counts a leaf that is one. over: the time is over, as the last leaf of a
// piece shows; leaves of one moment may be a little out of order.
func (r *reporter) rejection(ctx context.Context, leaf []byte, marked, last bool) (over bool, err error) {
	if !marked && !last {
		return false, nil
	}
	var e LogEntry
	if err := json.Unmarshal(leaf, &e); err != nil {
		return false, err
	}
	if marked && e.Event == string(SubmissionRejection) && !e.Time.Before(r.report.From) && e.Time.Before(r.report.To) {
		receipt, err := r.c.Ledger.Receipt(ctx, ReceiptID(e.ID))
		if err != nil {
			return false, err
		}
		r.report.Rejections[receipt.Reason]++
	}
	return last && e.Time.After(r.report.To.Add(time.Minute)), nil
}

// firstLeaf is a leaf a little before the first of the time.
func (r *reporter) firstLeaf(ctx context.Context, size int64) (int64, error) {
	low, high := int64(0), size
	for low < high {
		mid := low + (high-low)/2
		leaves, err := r.c.Ledger.LogEntries(ctx, mid, mid+1)
		if err != nil {
			return 0, err
		}
		var e LogEntry
		if err := json.Unmarshal(leaves[0], &e); err != nil {
			return 0, err
		}
		if e.Time.Before(r.report.From.Add(-time.Minute)) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// silence finds when agencies had traffic that had none in the time.
func (r *reporter) silence(ctx context.Context) error {
	end := r.report.To
	if r.report.At.Before(end) {
		end = r.report.At
	}
	for code, row := range r.rows {
		if row.LastTraffic.IsZero() {
			if err := r.before(ctx, code, row); err != nil {
				return err
			}
		}
		row.SilentDays = -1
		if !row.LastTraffic.IsZero() {
			row.SilentDays = max(0, int(end.Sub(row.LastTraffic)/(24*time.Hour)))
		}
		if row.LastTraffic.After(r.report.Total.LastTraffic) {
			r.report.Total.LastTraffic = row.LastTraffic
		}
	}
	r.report.Total.SilentDays = -1
	if last := r.report.Total.LastTraffic; !last.IsZero() {
		r.report.Total.SilentDays = max(0, int(end.Sub(last)/(24*time.Hour)))
	}
	return nil
}

// before is an agency's last traffic before the time.
func (r *reporter) before(ctx context.Context, code string, row *ReportRow) error {
	for _, q := range []Search{{Sender: code}, {Recipient: code}} {
		q.All, q.To, q.Limit = true, r.report.From, 1
		for {
			found, cursor, err := r.c.Ledger.Search(ctx, q)
			if err != nil {
				return err
			}
			if len(found) > 0 {
				row.used(found[0].Package.AcceptedAt)
			}
			if q.Cursor = cursor; len(found) > 0 || cursor == "" {
				break
			}
		}
	}
	return nil
}

func (r *reporter) done() Report {
	for _, row := range r.rows {
		row.ToFetched, row.ToAccepted = row.fetched.summary(), row.accepted.summary()
		r.report.Agencies = append(r.report.Agencies, *row)
	}
	slices.SortFunc(r.report.Agencies, func(a, b ReportRow) int { return strings.Compare(a.Agency, b.Agency) })
	total := &r.report.Total
	total.ToFetched, total.ToAccepted = total.fetched.summary(), total.accepted.summary()
	return r.report
}

// delays counts times by their size: each class is 4 percent wider than the one
// below, so that a few hundred hold any, and the middle of one is within 2 percent.
type delays struct {
	classes map[int]int64
	count   int64
	worst   time.Duration
}

const classWidth = 1.04

func (d *delays) add(t time.Duration) {
	if d.classes == nil {
		d.classes = map[int]int64{}
	}
	t = max(t, 0)
	class := -1 // less than a millisecond
	if t >= time.Millisecond {
		class = int(math.Log(float64(t)/float64(time.Millisecond)) / math.Log(classWidth))
	}
	d.classes[class]++
	d.count++
	d.worst = max(d.worst, t)
}

// summary has the lower median.
func (d *delays) summary() Delays {
	s := Delays{Count: d.count, Worst: d.worst.Seconds()}
	seen := int64(0)
	for _, class := range slices.Sorted(maps.Keys(d.classes)) {
		if seen += d.classes[class]; 2*seen < d.count {
			continue
		}
		if class >= 0 {
			s.Median = min(math.Pow(classWidth, float64(class)+.5)/1000, s.Worst)
		}
		break
	}
	return s
}
