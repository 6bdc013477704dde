package exchange

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Listing is what a list of agencies, such as the national directory, tells of one
// of them. What is nil or empty is not told, and stays as it is.
type Listing struct {
	// Code is any code of the agency; a new one is kept under it.
	Code    string  `json:"code"`
	Name    string  `json:"name,omitempty"`
	Parent  *string `json:"parent,omitempty"` // "" for an agency that is under none
	Mail    *string `json:"mail,omitempty"`
	Phone   *string `json:"phone,omitempty"`
	Address *string `json:"address,omitempty"`
	// Aliases are further codes of it; those it has already stay.
	Aliases []string `json:"aliases,omitempty"`
	// Closed is when it ceased; an agency that is closed already stays so.
	Closed time.Time `json:"closed,omitzero"`
}

// DirectoryOrder says how a list becomes part of the directory.
type DirectoryOrder struct {
	// Source names the list on record, for people: its file and digest.
	Source string
	// DryRun changes nothing: the outcome is what would be changed.
	DryRun bool
	// Missing reports open agencies of the directory that the list does not have.
	Missing bool
	// Closings takes a list that closes very many agencies.
	Closings bool
}

// DirectoryOutcome is how a list differed from the directory.
type DirectoryOutcome struct {
	Counts DirectoryCounts `json:"counts"`
	// Changes and Findings are the first ones, mostShown of each.
	Changes  []DirectoryChange  `json:"changes"`
	Findings []DirectoryFinding `json:"findings"`
	// Kept reports that the directory has the changes.
	Kept bool `json:"kept"`
}

// DirectoryCounts are numbers of entries; one that changed in several ways counts
// in each of them.
type DirectoryCounts struct {
	Listed    int `json:"listed"`
	Added     int `json:"added"`
	Renamed   int `json:"renamed"`
	Moved     int `json:"moved"`
	Details   int `json:"details"` // of mail, phone or address
	Aliases   int `json:"aliases"`
	Closed    int `json:"closed"`
	Unchanged int `json:"unchanged"`
	LeftOut   int `json:"leftOut"` // findings say why
	Missing   int `json:"missing"`
}

// Changed reports whether any entry did.
func (c DirectoryCounts) Changed() bool {
	return c.Added+c.Renamed+c.Moved+c.Details+c.Aliases+c.Closed > 0
}

// String is for the record.
func (c DirectoryCounts) String() string {
	return fmt.Sprintf("%d listed, %d added, %d renamed, %d moved, %d with other details, %d with further codes, %d closed, %d left out",
		c.Listed, c.Added, c.Renamed, c.Moved, c.Details, c.Aliases, c.Closed, c.LeftOut)
}

// DirectoryChange is one difference between a list and the directory.
type DirectoryChange struct {
	Code   string `json:"code"`
	Kind   string `json:"kind"` // added, renamed, moved, details, alias, closed, missing
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// DirectoryFinding is what is odd about an entry of a list.
type DirectoryFinding struct {
	Entry   int    `json:"entry"` // its place in the list, from 1
	Code    string `json:"code"`
	Rule    string `json:"rule"`
	En      string `json:"en"`
	Vi      string `json:"vi"`
	LeftOut bool   `json:"leftOut"` // the entry; else it is a warning
}

const (
	// mostShown is how many changes and findings an outcome lists: nobody reads more,
	// and the counts are of all.
	mostShown = 2000
	// directoryPage is how many entries enter the ledger in one transaction.
	directoryPage = 500
	// fewClosings may be closed by any list; beyond that, one in twenty listed.
	fewClosings = 20

	directoryActor = "hub directory"
)

// ImportDirectory brings the directory in line with a list. Only what the list
// tells is changed, never certificates, policies, modes or webhooks, and agencies
// that it does not have are left alone. What was done is put on record with the
// first of several transactions; an import that broke off goes on when it is made
// again, and one that changes nothing leaves no record.
func (x *Exchange) ImportDirectory(ctx context.Context, by Caller, list []Listing, o DirectoryOrder) (DirectoryOutcome, error) {
	if !by.Administers() {
		return DirectoryOutcome{}, notPermitted.With(by, deeds["import-directory"])
	}
	return x.importDirectory(ctx, by.String(), list, o)
}

// SynchronizeDirectory is ImportDirectory of the hub's own accord.
func (x *Exchange) SynchronizeDirectory(ctx context.Context, list []Listing, o DirectoryOrder) (DirectoryOutcome, error) {
	return x.importDirectory(ctx, directoryActor, list, o)
}

func (x *Exchange) importDirectory(ctx context.Context, actor string, list []Listing, o DirectoryOrder) (DirectoryOutcome, error) {
	planned, err := x.compareDirectory(ctx, list, nil)
	if err != nil {
		return DirectoryOutcome{}, err
	}
	outcome := planned.outcome
	if o.Missing {
		if err := x.missingFrom(ctx, planned); err != nil {
			return DirectoryOutcome{}, err
		}
		outcome = planned.outcome
	}
	if n := outcome.Counts.Closed; n > max(fewClosings, len(list)/20) && !o.Closings && !o.DryRun {
		return DirectoryOutcome{}, manyClosings.With(n, len(list))
	}
	if o.DryRun || !outcome.Counts.Changed() {
		return outcome, nil
	}
	action, err := x.actionOf(actor, "import-directory", "directory", strings.TrimSpace(o.Source+": "+outcome.Counts.String()), list)
	if err != nil {
		return DirectoryOutcome{}, err
	}
	record := []Action{action}
	_, err = x.compareDirectory(ctx, list, func(agencies []Agency) error {
		change := Change{Agencies: agencies, Actions: record}
		record = nil
		return x.c.Ledger.Update(ctx, change)
	})
	outcome.Kept = err == nil
	return outcome, err
}

// compareDirectory compares a list with the directory, and hands what changes to
// keep, if there is one, in pages. The list is compared before anything is kept, and
// again while it is: that costs less than to hold all entries twice.
func (x *Exchange) compareDirectory(ctx context.Context, list []Listing, keep func([]Agency) error) (*comparison, error) {
	c := &comparison{x: x, claimed: make(map[string]string, len(list)), aliased: map[string]string{}, parents: map[string]string{}}
	c.outcome.Changes, c.outcome.Findings = []DirectoryChange{}, []DirectoryFinding{}
	c.outcome.Counts.Listed = len(list)
	for _, entry := range list {
		for _, alias := range entry.Aliases {
			c.aliased[alias] = entry.Code
		}
	}
	var page []Agency
	for i, entry := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, changed, err := c.entry(ctx, i+1, entry)
		if err != nil {
			return nil, err
		}
		if !changed || keep == nil {
			continue
		}
		if page = append(page, a); len(page) == directoryPage {
			if err := keep(page); err != nil {
				return nil, err
			}
			page = nil // the ledger may hold on to it
		}
	}
	if len(page) > 0 {
		return c, keep(page)
	}
	return c, nil
}

// comparison is of a list with the directory, entry by entry.
type comparison struct {
	x       *Exchange
	outcome DirectoryOutcome
	claimed map[string]string // codes of the list so far, to the agency they are kept under
	aliased map[string]string // aliases anywhere in the list, to the code they stand with
	parents map[string]string // as they were found; many entries name the same
}

// owner is the agency that has a code, by the list so far or by the directory; its
// Code is empty if there is none, and the rest when the list made it.
func (c *comparison) owner(ctx context.Context, code string) (Agency, error) {
	if kept, ok := c.claimed[code]; ok {
		return Agency{Code: kept}, nil
	}
	a, err := c.x.c.Ledger.Agency(ctx, code)
	if CodeOf(err) == NotFound {
		return Agency{}, nil
	}
	return a, err
}

func (c *comparison) entry(ctx context.Context, n int, l Listing) (Agency, bool, error) {
	if err := checkCode(l.Code); err != nil {
		c.leaveOut(n, l.Code, badListing.With(shortened(l.Code)))
		return Agency{}, false, nil
	}
	if kept, ok := c.claimed[l.Code]; ok {
		c.leaveOut(n, l.Code, listedTwice.With(l.Code, kept))
		return Agency{}, false, nil
	}
	a, err := c.owner(ctx, l.Code)
	if err != nil {
		return Agency{}, false, err
	}
	if _, ok := c.claimed[a.Code]; ok {
		c.leaveOut(n, l.Code, listedTwice.With(l.Code, a.Code))
		return Agency{}, false, nil
	}
	known := a.Code != ""
	if !known {
		if fits, err := c.newcomer(ctx, n, l); !fits || err != nil {
			return Agency{}, false, err
		}
		a = Agency{Code: l.Code}
	}
	c.claimed[l.Code], c.claimed[a.Code] = a.Code, a.Code
	if !RegularCode(l.Code) {
		c.warn(n, l.Code, irregularCode.With(l.Code))
	}
	changed, err := c.apply(ctx, n, l, &a, known)
	if err == nil && !changed {
		c.outcome.Counts.Unchanged++
	}
	return a, changed, err
}

// newcomer decides whether an entry becomes an agency. One that has ceased is not
// told about only to be closed; and one that is probably there under its other code
// would split the agency in two.
func (c *comparison) newcomer(ctx context.Context, n int, l Listing) (bool, error) {
	if !l.Closed.IsZero() {
		c.outcome.Counts.Unchanged++
		return false, nil
	}
	if strings.TrimSpace(l.Name) == "" {
		c.leaveOut(n, l.Code, namelessListing.With(l.Code))
		return false, nil
	}
	other := OtherForm(l.Code)
	if other == "" {
		return true, nil
	}
	twin, err := c.owner(ctx, other)
	if err != nil || twin.Code == "" {
		return true, err
	}
	c.leaveOut(n, l.Code, twinListing.With(l.Code, other, twin.Code))
	return false, nil
}

// apply puts what is told into the entry, and counts what is new about it.
func (c *comparison) apply(ctx context.Context, n int, l Listing, a *Agency, known bool) (changed bool, err error) {
	differs := func(count *int, kind, before, after string) {
		changed = true
		if known {
			*count++
			c.change(DirectoryChange{a.Code, kind, before, after})
		}
	}
	counts := &c.outcome.Counts
	if !known {
		counts.Added++
		c.change(DirectoryChange{Code: a.Code, Kind: "added", After: l.Name})
		changed = true
	}
	if l.Name != "" && l.Name != a.Name {
		differs(&counts.Renamed, "renamed", a.Name, l.Name)
		a.Name = l.Name
	}
	if l.Parent != nil {
		parent, err := c.parent(ctx, *l.Parent)
		if err != nil {
			return false, err
		}
		if parent == a.Code {
			c.warn(n, l.Code, ownParent.With(l.Code))
			parent = a.Parent
		}
		if parent != a.Parent {
			differs(&counts.Moved, "moved", a.Parent, parent)
			a.Parent = parent
		}
	}
	var before, after []string
	for _, f := range []struct {
		told *string
		kept *string
	}{{l.Mail, &a.Mail}, {l.Phone, &a.Phone}, {l.Address, &a.Address}} {
		if f.told != nil && *f.told != *f.kept {
			before, after = append(before, *f.kept), append(after, *f.told)
			*f.kept = *f.told
		}
	}
	if len(after) > 0 {
		differs(&counts.Details, "details", strings.Join(before, ", "), strings.Join(after, ", "))
	}
	added, err := c.aliases(ctx, n, l, a)
	if err != nil {
		return false, err
	}
	if len(added) > 0 {
		differs(&counts.Aliases, "alias", "", strings.Join(added, ", "))
	}
	if !l.Closed.IsZero() && a.Closed.IsZero() {
		differs(&counts.Closed, "closed", "", l.Closed.Format(time.RFC3339))
		a.Closed = l.Closed
	}
	return changed, nil
}

// parent is the code that the agency in charge is kept under.
func (c *comparison) parent(ctx context.Context, code string) (string, error) {
	if code == "" {
		return "", nil
	}
	if known, ok := c.parents[code]; ok {
		return known, nil
	}
	a, err := c.owner(ctx, code)
	if err != nil {
		return "", err
	}
	c.parents[code] = cmp.Or(a.Code, c.aliased[code], code)
	return c.parents[code], nil
}

// aliases adds those codes to the entry that are nobody's.
func (c *comparison) aliases(ctx context.Context, n int, l Listing, a *Agency) (added []string, err error) {
	for _, code := range l.Aliases {
		if code == a.Code || a.canonical(code) == a.Code {
			continue
		}
		if err := checkCode(code); err != nil {
			c.warn(n, l.Code, badListing.With(shortened(code)))
			continue
		}
		owner, err := c.owner(ctx, code)
		if err != nil {
			return nil, err
		}
		if owner.Code != "" && owner.Code != a.Code {
			c.warn(n, l.Code, aliasTaken.With(code, l.Code, owner.Code))
			continue
		}
		c.claimed[code] = a.Code
		a.Aliases = append(slices.Clone(a.Aliases), Alias{Code: code}) // the ledger's entry is shared
		added = append(added, code)
	}
	return added, nil
}

func (c *comparison) change(d DirectoryChange) {
	if len(c.outcome.Changes) < mostShown {
		c.outcome.Changes = append(c.outcome.Changes, d)
	}
}

func (c *comparison) leaveOut(n int, code string, why *Error) {
	c.outcome.Counts.LeftOut++
	c.find(n, code, why, true)
}

func (c *comparison) warn(n int, code string, why *Error) { c.find(n, code, why, false) }

func (c *comparison) find(n int, code string, why *Error, out bool) {
	if len(c.outcome.Findings) < mostShown {
		c.outcome.Findings = append(c.outcome.Findings, DirectoryFinding{n, shortened(code), why.Rule.Name, why.Text("en"), why.Text("vi"), out})
	}
}

// missingFrom reports the open agencies that no entry of the list is about.
func (x *Exchange) missingFrom(ctx context.Context, c *comparison) error {
	return x.EachAgency(ctx, func(a Agency) error {
		if _, ok := c.claimed[a.Code]; !ok && a.Closed.IsZero() {
			c.outcome.Counts.Missing++
			c.change(DirectoryChange{Code: a.Code, Kind: "missing", Before: a.Name})
		}
		return nil
	})
}

var (
	badListing = Rule{"listing-code", Malformed,
		"%q is not an agency code; correct it in the list",
		"%q không phải mã định danh cơ quan; hãy sửa trong danh sách"}
	irregularCode = Rule{"listing-irregular", Malformed,
		"%q has neither the form of H12.07 nor that of 000.00.07.H12; compare it with the decision that gave it",
		"mã %q không theo dạng H12.07 hay 000.00.07.H12; hãy đối chiếu với quyết định cấp mã"}
	listedTwice = Rule{"listing-twice", Conflict,
		"%q is of agency %q, which an earlier entry of the list is about; keep one of the two",
		"mã %q thuộc cơ quan %q đã có ở mục trước của danh sách; hãy giữ lại một mục"}
	namelessListing = Rule{"listing-name", Malformed,
		"%q is new and has no name; give one in the list",
		"cơ quan mới %q chưa có tên; hãy ghi tên trong danh sách"}
	twinListing = Rule{"listing-twin", Conflict,
		"%q is probably the other code of %q, which is agency %q; if it is, give that agency the alias, else register it with \"hub agency put\"",
		"mã %q có thể là dạng khác của mã %q, thuộc cơ quan %q; nếu đúng, hãy thêm mã này làm mã khác của cơ quan đó, nếu không, hãy đăng ký bằng lệnh \"hub agency put\""}
	ownParent = Rule{"listing-parent", Conflict,
		"%q is listed under itself; correct the agency in charge",
		"cơ quan %q được ghi là trực thuộc chính mình; hãy sửa cơ quan cấp trên"}
	aliasTaken = Rule{"listing-alias", Conflict,
		"%q cannot be a further code of %q: it is a code of agency %q; correct the list, or that agency's entry first",
		"mã %q không thể là mã khác của %q vì đang thuộc cơ quan %q; hãy sửa danh sách, hoặc sửa mục của cơ quan kia trước"}
	manyClosings = Rule{"directory-closings", Conflict,
		"the list would close %d agencies of %d listed, and nothing was changed; look at the difference, and take it with --closings if it is right",
		"danh sách sẽ đóng %d cơ quan trong %d cơ quan được liệt kê nên chưa thay đổi gì; hãy xem phần khác biệt, nếu đúng thì thực hiện lại với --closings"}
)
