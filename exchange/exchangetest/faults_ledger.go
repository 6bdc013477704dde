package exchangetest

import (
	"context"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// Ledger wraps a ledger.
func (f *Faults) Ledger(l exchange.Ledger) exchange.Ledger { return &faultyLedger{f, l} }

type faultyLedger struct {
	f *Faults
	l exchange.Ledger
}

var _ exchange.Ledger = (*faultyLedger)(nil)

// pair carries two results through call1.
type pair[A, B any] struct {
	a A
	b B
}

func call2[A, B any](f *Faults, name string, work func() (A, B, error)) (A, B, error) {
	p, err := call1(f, name, func() (pair[A, B], error) {
		a, b, err := work()
		return pair[A, B]{a, b}, err
	})
	return p.a, p.b, err
}

func (l *faultyLedger) Accept(ctx context.Context, p exchange.Package, c exchange.Change) (exchange.Receipt, bool, error) {
	return call2(l.f, "Ledger.Accept", func() (exchange.Receipt, bool, error) { return l.l.Accept(ctx, p, c) })
}

func (l *faultyLedger) Update(ctx context.Context, c exchange.Change) error {
	return call(l.f, "Ledger.Update", func() error { return l.l.Update(ctx, c) })
}

func (l *faultyLedger) FirstReceipt(ctx context.Context, p exchange.Package) (exchange.Receipt, error) {
	return call1(l.f, "Ledger.FirstReceipt", func() (exchange.Receipt, error) { return l.l.FirstReceipt(ctx, p) })
}

func (l *faultyLedger) Package(ctx context.Context, id exchange.PackageID) (exchange.Package, error) {
	return call1(l.f, "Ledger.Package", func() (exchange.Package, error) { return l.l.Package(ctx, id) })
}

func (l *faultyLedger) HoldsContent(ctx context.Context, d exchange.Digest) (bool, error) {
	return call1(l.f, "Ledger.HoldsContent", func() (bool, error) { return l.l.HoldsContent(ctx, d) })
}

func (l *faultyLedger) Packages(ctx context.Context, q exchange.PackageQuery) ([]exchange.Package, string, error) {
	return call2(l.f, "Ledger.Packages", func() ([]exchange.Package, string, error) { return l.l.Packages(ctx, q) })
}

func (l *faultyLedger) Delivery(ctx context.Context, id exchange.DeliveryID) (exchange.Delivery, error) {
	return call1(l.f, "Ledger.Delivery", func() (exchange.Delivery, error) { return l.l.Delivery(ctx, id) })
}

func (l *faultyLedger) DeliveriesOf(ctx context.Context, id exchange.PackageID) ([]exchange.Delivery, error) {
	return call1(l.f, "Ledger.DeliveriesOf", func() ([]exchange.Delivery, error) { return l.l.DeliveriesOf(ctx, id) })
}

func (l *faultyLedger) Deliveries(ctx context.Context, q exchange.DeliveryQuery) ([]exchange.Delivery, string, error) {
	return call2(l.f, "Ledger.Deliveries", func() ([]exchange.Delivery, string, error) { return l.l.Deliveries(ctx, q) })
}

func (l *faultyLedger) Search(ctx context.Context, q exchange.Search) ([]exchange.Found, string, error) {
	return call2(l.f, "Ledger.Search", func() ([]exchange.Found, string, error) { return l.l.Search(ctx, q) })
}

func (l *faultyLedger) Oldest(ctx context.Context, s exchange.State, limit int) ([]exchange.Delivery, error) {
	return call1(l.f, "Ledger.Oldest", func() ([]exchange.Delivery, error) { return l.l.Oldest(ctx, s, limit) })
}

func (l *faultyLedger) Inbox(ctx context.Context, agency, cursor string, limit int) ([]exchange.Delivery, string, error) {
	return call2(l.f, "Ledger.Inbox", func() ([]exchange.Delivery, string, error) { return l.l.Inbox(ctx, agency, cursor, limit) })
}

func (l *faultyLedger) Due(ctx context.Context, at time.Time, limit int) ([]exchange.Delivery, error) {
	return call1(l.f, "Ledger.Due", func() ([]exchange.Delivery, error) { return l.l.Due(ctx, at, limit) })
}

func (l *faultyLedger) Receipt(ctx context.Context, id exchange.ReceiptID) (exchange.Receipt, error) {
	return call1(l.f, "Ledger.Receipt", func() (exchange.Receipt, error) { return l.l.Receipt(ctx, id) })
}

func (l *faultyLedger) Receipts(ctx context.Context, id exchange.PackageID) ([]exchange.Receipt, error) {
	return call1(l.f, "Ledger.Receipts", func() ([]exchange.Receipt, error) { return l.l.Receipts(ctx, id) })
}

func (l *faultyLedger) Unstamped(ctx context.Context, cursor string, limit int) ([]exchange.Receipt, string, error) {
	return call2(l.f, "Ledger.Unstamped", func() ([]exchange.Receipt, string, error) { return l.l.Unstamped(ctx, cursor, limit) })
}

func (l *faultyLedger) UnstampedCount(ctx context.Context) (int64, error) {
	return call1(l.f, "Ledger.UnstampedCount", func() (int64, error) { return l.l.UnstampedCount(ctx) })
}

func (l *faultyLedger) Orphans(ctx context.Context, cursor string, limit int) ([]exchange.Package, string, error) {
	return call2(l.f, "Ledger.Orphans", func() ([]exchange.Package, string, error) { return l.l.Orphans(ctx, cursor, limit) })
}

func (l *faultyLedger) OrphanCount(ctx context.Context) (int64, error) {
	return call1(l.f, "Ledger.OrphanCount", func() (int64, error) { return l.l.OrphanCount(ctx) })
}

func (l *faultyLedger) TimeStamp(ctx context.Context, id exchange.ReceiptID) ([]byte, error) {
	return call1(l.f, "Ledger.TimeStamp", func() ([]byte, error) { return l.l.TimeStamp(ctx, id) })
}

func (l *faultyLedger) Actions(ctx context.Context, cursor string, limit int) ([]exchange.Action, string, error) {
	return call2(l.f, "Ledger.Actions", func() ([]exchange.Action, string, error) { return l.l.Actions(ctx, cursor, limit) })
}

func (l *faultyLedger) Agency(ctx context.Context, code string) (exchange.Agency, error) {
	return call1(l.f, "Ledger.Agency", func() (exchange.Agency, error) { return l.l.Agency(ctx, code) })
}

func (l *faultyLedger) Agencies(ctx context.Context, cursor string, limit int) ([]exchange.Agency, string, error) {
	return call2(l.f, "Ledger.Agencies", func() ([]exchange.Agency, string, error) { return l.l.Agencies(ctx, cursor, limit) })
}

func (l *faultyLedger) AgencyOfCertificate(ctx context.Context, d exchange.Digest) (exchange.Agency, error) {
	return call1(l.f, "Ledger.AgencyOfCertificate", func() (exchange.Agency, error) { return l.l.AgencyOfCertificate(ctx, d) })
}

func (l *faultyLedger) AgenciesBySubject(ctx context.Context, attributes []exchange.Attribute) ([]exchange.Agency, error) {
	return call1(l.f, "Ledger.AgenciesBySubject", func() ([]exchange.Agency, error) { return l.l.AgenciesBySubject(ctx, attributes) })
}

func (l *faultyLedger) Recheck(ctx context.Context, id string) (exchange.Recheck, error) {
	return call1(l.f, "Ledger.Recheck", func() (exchange.Recheck, error) { return l.l.Recheck(ctx, id) })
}

func (l *faultyLedger) RechecksDue(ctx context.Context, at time.Time, limit int) ([]exchange.Recheck, error) {
	return call1(l.f, "Ledger.RechecksDue", func() ([]exchange.Recheck, error) { return l.l.RechecksDue(ctx, at, limit) })
}

func (l *faultyLedger) RechecksOpen(ctx context.Context) (int64, error) {
	return call1(l.f, "Ledger.RechecksOpen", func() (int64, error) { return l.l.RechecksOpen(ctx) })
}

func (l *faultyLedger) System(ctx context.Context, id string) (exchange.System, error) {
	return call1(l.f, "Ledger.System", func() (exchange.System, error) { return l.l.System(ctx, id) })
}

func (l *faultyLedger) Systems(ctx context.Context) ([]exchange.System, error) {
	return call1(l.f, "Ledger.Systems", func() ([]exchange.System, error) { return l.l.Systems(ctx) })
}

func (l *faultyLedger) SystemOfCertificate(ctx context.Context, d exchange.Digest) (exchange.System, error) {
	return call1(l.f, "Ledger.SystemOfCertificate", func() (exchange.System, error) { return l.l.SystemOfCertificate(ctx, d) })
}

func (l *faultyLedger) User(ctx context.Context, id string) (exchange.User, error) {
	return call1(l.f, "Ledger.User", func() (exchange.User, error) { return l.l.User(ctx, id) })
}

func (l *faultyLedger) Users(ctx context.Context) ([]exchange.User, error) {
	return call1(l.f, "Ledger.Users", func() ([]exchange.User, error) { return l.l.Users(ctx) })
}

func (l *faultyLedger) LogSize(ctx context.Context) (int64, error) {
	return call1(l.f, "Ledger.LogSize", func() (int64, error) { return l.l.LogSize(ctx) })
}

func (l *faultyLedger) LogHashes(ctx context.Context) tlog.HashReader {
	hashes := l.l.LogHashes(ctx)
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return call1(l.f, "Ledger.LogHashes", func() ([]tlog.Hash, error) { return hashes.ReadHashes(indexes) })
	})
}

func (l *faultyLedger) LogEntries(ctx context.Context, from, to int64) ([][]byte, error) {
	return call1(l.f, "Ledger.LogEntries", func() ([][]byte, error) { return l.l.LogEntries(ctx, from, to) })
}

func (l *faultyLedger) Counts(ctx context.Context) (map[exchange.State]int64, error) {
	return call1(l.f, "Ledger.Counts", func() (map[exchange.State]int64, error) { return l.l.Counts(ctx) })
}

func (l *faultyLedger) Compact(ctx context.Context) (exchange.Compacted, error) {
	return call1(l.f, "Ledger.Compact", func() (exchange.Compacted, error) { return l.l.Compact(ctx) })
}

func (l *faultyLedger) Erasure(ctx context.Context, id exchange.PackageID) (exchange.Erasure, error) {
	return call1(l.f, "Ledger.Erasure", func() (exchange.Erasure, error) { return l.l.Erasure(ctx, id) })
}

func (l *faultyLedger) Erasable(ctx context.Context, before time.Time, cursor string, limit int) ([]exchange.Package, string, error) {
	return call2(l.f, "Ledger.Erasable", func() ([]exchange.Package, string, error) { return l.l.Erasable(ctx, before, cursor, limit) })
}

func (l *faultyLedger) Free(ctx context.Context) (int64, error) {
	return call1(l.f, "Ledger.Free", func() (int64, error) { return l.l.Free(ctx) })
}

func (l *faultyLedger) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return call1(l.f, "Ledger.Backup", func() (int64, error) { return l.l.Backup(ctx, w) })
}
