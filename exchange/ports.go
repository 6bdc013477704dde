package exchange

import (
	"context"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/signing"
)

// A Ledger is the record of everything but the packages' bytes. It is the
// truth: what it does not hold did not happen.
//
// A write is durable once it returns, and all of it or nothing is kept. A write
// whose context ends may still take hold. Reads see whole writes only. Entries
// that are not there are a NotFoundError. Lists are paged: they return at most
// limit entries after the cursor, and the cursor to go on from, empty at the end.
type Ledger interface {
	// Accept keeps a new package with everything its acceptance writes. If the
	// same sender submitted the same Content under the same kind and document
	// before, nothing is written and the first acceptance's receipt is
	// returned with true. If the package is Exclusive and its sender used the
	// DocumentID for other content of an exclusive kind, it is a
	// DuplicateError and nothing is written. Sender, Kind, DocumentID and
	// Content of the package decide.
	//
	// Change.Receipts[0] is the acceptance's receipt.
	Accept(ctx context.Context, p Package, c Change) (Receipt, bool, error)
	// Update keeps a change. An entry whose Version is not the one the ledger
	// holds (0 for a new one) is a ConflictError and nothing is written; a
	// kept entry's Version is one higher. Agencies' codes, aliases and
	// certificates belong to one agency only: else a CodeTakenError or a
	// CertificateTakenError. The Leaf of each of the change's receipts is set.
	Update(ctx context.Context, c Change) error

	// FirstReceipt is the acceptance's receipt of the package that p would be
	// a resubmission of; a NotFoundError if there is none.
	FirstReceipt(ctx context.Context, p Package) (Receipt, error)
	Package(ctx context.Context, id PackageID) (Package, error)
	// HoldsContent reports whether a package has the bytes with this digest.
	HoldsContent(ctx context.Context, d Digest) (bool, error)
	// Erasure tells of the erasure of a package's bytes; a NotFoundError if they
	// were not erased.
	Erasure(ctx context.Context, id PackageID) (Erasure, error)
	// Erasable lists packages accepted before a time whose bytes were not erased,
	// from the oldest to the newest.
	Erasable(ctx context.Context, before time.Time, cursor string, limit int) (list []Package, next string, err error)
	// Packages lists from the newest to the oldest.
	Packages(ctx context.Context, q PackageQuery) (list []Package, cursor string, err error)
	Delivery(ctx context.Context, id DeliveryID) (Delivery, error)
	// DeliveriesOf are a package's deliveries in the order of its recipients.
	DeliveriesOf(ctx context.Context, id PackageID) ([]Delivery, error)
	// Deliveries lists from the newest to the oldest.
	Deliveries(ctx context.Context, q DeliveryQuery) (list []Delivery, cursor string, err error)
	// Search finds packages as a Matcher matches them, from the last accepted to
	// the first, each once. A page may be short, and even empty, with a cursor to
	// go on from.
	Search(ctx context.Context, q Search) (list []Found, cursor string, err error)
	// Oldest lists the delivery that was accepted first of each recipient that
	// has any in the state: at most limit of them, those with the oldest. Where
	// very many are in the state, recipients may be missing that stand behind
	// them.
	Oldest(ctx context.Context, s State, limit int) ([]Delivery, error)
	// Inbox lists the agency's consigned deliveries: urgent ones first, and
	// the oldest first among equals.
	Inbox(ctx context.Context, agency, cursor string, limit int) (list []Delivery, next string, err error)
	// Due lists deliveries whose DueAt is not after at: at most limit of each
	// recipient, and those the longest due first. Recipients do not wait for one
	// another: however much is due of one, it does not keep back the others'.
	Due(ctx context.Context, at time.Time, limit int) ([]Delivery, error)
	Receipt(ctx context.Context, id ReceiptID) (Receipt, error)
	// Receipts are a package's receipts in the order of the log.
	Receipts(ctx context.Context, id PackageID) ([]Receipt, error)
	// Unstamped lists receipts whose TimeStamp is Pending, with their documents,
	// from the oldest to the newest.
	Unstamped(ctx context.Context, cursor string, limit int) (list []Receipt, next string, err error)
	// UnstampedCount is how many there are.
	UnstampedCount(ctx context.Context) (int64, error)
	// TimeStamp is the token that was kept for a receipt; a NotFoundError if
	// there is none.
	TimeStamp(ctx context.Context, id ReceiptID) ([]byte, error)
	// Orphans lists status packages that are parked, the oldest first, and
	// OrphanCount counts them.
	Orphans(ctx context.Context, cursor string, limit int) (list []Package, next string, err error)
	OrphanCount(ctx context.Context) (int64, error)
	// Actions lists what people did from the newest to the oldest, which is the
	// log from its end.
	Actions(ctx context.Context, cursor string, limit int) (list []Action, next string, err error)

	// Agency finds an agency by its code or by any alias, closed ones too.
	Agency(ctx context.Context, code string) (Agency, error)
	Agencies(ctx context.Context, cursor string, limit int) (list []Agency, next string, err error)
	// AgencyOfCertificate finds the agency that a signing certificate is
	// registered for.
	AgencyOfCertificate(ctx context.Context, d Digest) (Agency, error)
	// AgenciesBySubject finds the agencies with a subject rule whose Key is among
	// the attributes; a rule that matches a certificate has its Key there. Each
	// agency comes once.
	AgenciesBySubject(ctx context.Context, attributes []Attribute) ([]Agency, error)
	System(ctx context.Context, id string) (System, error)
	Systems(ctx context.Context) ([]System, error)
	// SystemOfCertificate finds the system that a client certificate is
	// registered for.
	SystemOfCertificate(ctx context.Context, d Digest) (System, error)
	User(ctx context.Context, id string) (User, error)
	Users(ctx context.Context) ([]User, error)

	// Recheck is a signature whose certificate's revocation is, or was, to be
	// found out later.
	Recheck(ctx context.Context, id string) (Recheck, error)
	// RechecksDue lists those that are open and whose Next is not after at: at
	// most limit, those the longest due first.
	RechecksDue(ctx context.Context, at time.Time, limit int) ([]Recheck, error)
	// RechecksOpen counts those that are open.
	RechecksOpen(ctx context.Context) (int64, error)

	// LogSize is the number of leaves that are durable.
	LogSize(ctx context.Context) (int64, error)
	// LogHashes reads stored hashes of the tree (tlog.StoredHashIndex).
	LogHashes(ctx context.Context) tlog.HashReader
	// LogEntries are the leaves from (included) to (excluded), as recorded.
	LogEntries(ctx context.Context, from, to int64) ([][]byte, error)
	// Counts tells how many deliveries are in each state.
	Counts(ctx context.Context) (map[State]int64, error)
	// Compact gives back what space of the ledger is no longer needed, while it is
	// in use.
	Compact(ctx context.Context) (Compacted, error)
	// Free is the number of bytes that the ledger can still grow by.
	Free(ctx context.Context) (int64, error)
	// Backup writes a consistent copy while the ledger is in use, and returns the
	// number of leaves of the log in it.
	Backup(ctx context.Context, w io.Writer) (leaves int64, err error)
}

// Change is what one event writes: all of it, in one transaction. Each receipt
// and each action becomes a leaf of the log, receipts first, in this order.
type Change struct {
	Deliveries []Delivery
	Rechecks   []Recheck
	Receipts   []Receipt
	Agencies   []Agency
	Systems    []System
	Users      []User
	Actions    []Action
	// TimeStamps are tokens for receipts that the ledger has and whose TimeStamp
	// is Pending, else it is a ConflictError; it becomes Kept. They are no leaves.
	TimeStamps []StampedReceipt
	// Erasures are of packages that the ledger has and whose bytes were not erased
	// before, else it is a ConflictError. The ledger no longer holds their content
	// then. They are no leaves: the action that they name is one.
	Erasures []Erasure
	// Purges are of packages that the ledger has and that were not purged before,
	// else it is a ConflictError. The ledger has them from then on as Package.Purge
	// makes them, and does not find them any more by what they had before. It is an
	// erasure too, where there was none.
	Purges []Erasure
	// Parked is the accepted package, if it is a status on no document that is
	// known. Matched are packages that are no longer parked; it is a ConflictError
	// if they are not parked.
	Parked  []PackageID
	Matched []PackageID
}

// Compacted is what a ledger took before it was compacted, and what it takes
// since, in bytes.
type Compacted struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// PackageQuery selects packages; empty fields select all.
type PackageQuery struct {
	Sender     string // canonical code
	DocumentID string // needs Sender
	Cursor     string
	Limit      int
}

// DeliveryQuery selects deliveries; empty fields select all.
type DeliveryQuery struct {
	State     State
	Recipient string // canonical code
	Sender    string // canonical code
	Cursor    string
	Limit     int
}

// A Vault keeps packages' bytes under their digest.
type Vault interface {
	// Create begins to take bytes in. Nothing is visible before Keep.
	Create(ctx context.Context) (Draft, error)
	// Open reads what was kept; a NotFoundError if it was not.
	Open(ctx context.Context, d Digest) (Content, error)
	// Sweep removes drafts left over from a crash, and bytes kept more than
	// age ago that used reports nobody refers to; never those of a draft that
	// is not discarded yet, nor was when the sweep began.
	Sweep(ctx context.Context, age time.Duration, used func(Digest) (bool, error)) error
	// Remove removes bytes that nobody refers to any longer, at once; what is not
	// there is no error.
	Remove(ctx context.Context, d Digest) error
	// Backup copies what is kept and not yet there into a directory, and tells
	// how much of it is there.
	Backup(ctx context.Context, dir string) (Copied, error)
	// Free is the number of bytes that can still be kept.
	Free(ctx context.Context) (int64, error)
}

// Copied is how much of a vault a backup has, and how much of that is new.
type Copied struct {
	Contents int64 `json:"contents"`
	Bytes    int64 `json:"bytes"`
	New      int64 `json:"new"`
	NewBytes int64 `json:"newBytes"`
}

// A Draft is a package on its way into the vault.
type Draft interface {
	io.Writer
	// Digest is that of the bytes written so far.
	Digest() Digest
	// Again reads the bytes written so far, from the first one. It may be used
	// until the draft is written to, kept or discarded.
	Again() (io.ReadCloser, error)
	// Keep makes the bytes durable under their digest. Keeping what is there
	// already is no error.
	Keep() (Digest, error)
	// Discard ends the draft, and drops it unless it was kept. Until then no
	// sweep removes what Keep kept: its package may be on its way into the ledger.
	Discard()
}

// Content reads a kept package from any place.
type Content interface {
	io.ReadSeekCloser
}

// Job is what a queue carries: which delivery, and what fairness needs.
type Job struct {
	Delivery  DeliveryID
	Recipient string
	Urgent    bool
}

// A Queue tells workers which deliveries to attempt now. It may lose or repeat
// a job: the ledger decides. Recipients do not wait for one another, and urgent
// jobs go before others of the same recipient.
type Queue interface {
	// Publish hands jobs over. It does not wait for them to be done.
	Publish(ctx context.Context, jobs ...Job) error
	// Consume hands each job to deliver, several at a time, until ctx ends; it
	// returns when all calls have returned. A job is not given to two calls at
	// once. What deliver returns is for the queue's own bookkeeping: the sweep
	// repeats what is due.
	Consume(ctx context.Context, deliver func(context.Context, DeliveryID) error) error
}

// A Courier announces a delivery to an agency that asked for it (mode Push). A
// nil error means that the agency's system took notice. It is not called for
// agencies that pull.
type Courier interface {
	Send(ctx context.Context, to Agency, d Delivery, p Package) error
}

// A TimeStamper gets time-stamps from an authority (RFC 3161).
type TimeStamper interface {
	// Stamp returns a token over data that holds: checked whole, against the
	// authority's roots. It asks once; whoever calls it asks again later. Several
	// calls may be under way at once.
	Stamp(ctx context.Context, data []byte) (token []byte, err error)
}

// An Archive makes backups of the ledger and the vault, while they are in use.
type Archive interface {
	// Write makes one and returns when all of it is durable. What was not
	// finished cannot be taken for a backup. checkpoint signs the log as it was
	// when it had so many leaves; keys are those who verify it with.
	Write(ctx context.Context, o BackupOrder, keys Keys, checkpoint func(leaves int64) ([]byte, error)) (Backup, error)
}

// A Format knows one kind of package.
type Format interface {
	// Decoder starts on one document.
	Decoder() Decoder
	// Validate reads a document, each time that it opens it, and tells every rule
	// that it breaks; first the one that reading it would be refused by. sha1 lets
	// its signature rest on SHA-1. The error is of opening or reading.
	Validate(open func() (io.ReadCloser, error), sha1 bool) (Validation, error)
	// Rules describes every rule that Validate can find broken.
	Rules() []RuleHelp
	// Samples are correct packages, one of each kind, not signed.
	Samples() ([]Sample, error)
	// Contents reads a document that was accepted, and writes what attachments hold,
	// decoded but not unpacked, to what begin returns for each, from the first, 0, to
	// the last: their order in Package.Attachments. It is closed at the end of its
	// attachment, not if the reading ends before. again is as in signing.Options.
	Contents(open, again func() (io.ReadCloser, error), begin func(n int) io.WriteCloser) error
	// Files reads a document that was accepted, and writes its attachments as their
	// Digest and Size are, decoded and unpacked, to what begin returns for each; nil
	// passes one over. list is Package.Attachments. Signatures are not verified again.
	Files(open func() (io.ReadCloser, error), list []Attachment, begin func(n int) io.WriteCloser) error
}

// A Decoder takes attachments while a document is being read, and understands
// the document afterwards.
type Decoder interface {
	// Options are what signing.Read needs for documents of this format.
	Options() signing.Options
	// Decode makes a package of a document that was read with Options. Codes
	// are as written, in the As fields; the exchange resolves them. The errors
	// are refusals with their places.
	Decode(doc *signing.Document) (Package, error)
}
