package exchange

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// InboxPage is a part of an agency's inbox.
type InboxPage struct {
	Items  []InboxItem `json:"items"`
	Cursor string      `json:"cursor,omitempty"`
}

// InboxItem is a delivery with the package it brings.
type InboxItem struct {
	Delivery Delivery `json:"delivery"`
	Package  Package  `json:"package"`
}

// pageLimit is the most a list returns at once, and what it returns when no
// limit is asked for.
const pageLimit = 200

func limited(n int) int {
	if n <= 0 || n > pageLimit {
		return pageLimit
	}
	return n
}

// Inbox lists what waits for the agency's answer, urgent deliveries first. If
// nothing does, it waits up to wait for something to come.
func (x *Exchange) Inbox(ctx context.Context, by Caller, agency, cursor string, limit int, wait time.Duration) (InboxPage, error) {
	if agency == "" {
		var err error
		if agency, err = x.onlyAgency(ctx, by); err != nil {
			return InboxPage{}, err
		}
	}
	if agency == "" {
		return InboxPage{}, InvalidError("this system speaks for several agencies; say whose inbox, for example agency=H12.07",
			"hệ thống này đại diện cho nhiều cơ quan; hãy ghi rõ hộp thư đến của cơ quan nào, ví dụ agency=H12.07")
	}
	a, err := x.c.Ledger.Agency(ctx, agency)
	if err != nil {
		return InboxPage{}, err
	}
	if !by.Speaks(a.Code) {
		return InboxPage{}, notPermitted.With(by, ofAgency("read the inbox", "xem hộp thư đến", a.Code))
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for {
		rings := x.bells.of(a.Code) // taken before looking, so that nothing slips between
		page, err := x.inboxesPage(ctx, by, a, cursor, limited(limit))
		if err != nil || len(page.Items) > 0 || wait <= 0 {
			return page, err
		}
		select {
		case <-rings:
		case <-patience.C:
			return page, nil
		case <-ctx.Done():
			return page, nil
		}
	}
}

// onlyAgency is the agency that a system speaks for, if it is one: those that were
// merged into it do not count.
func (x *Exchange) onlyAgency(ctx context.Context, by Caller) (string, error) {
	if by.System == nil || len(by.System.Agencies) == 0 {
		return "", nil
	}
	var merged []string
	for _, code := range by.System.Agencies {
		a, err := x.c.Ledger.Agency(ctx, code)
		if err != nil {
			return "", err
		}
		merged = append(merged, a.Merged...)
	}
	only := slices.DeleteFunc(slices.Clone(by.System.Agencies), func(code string) bool { return slices.Contains(merged, code) })
	if len(only) != 1 {
		return "", nil
	}
	return only[0], nil
}

// inboxesPage is a page of the agency's inbox, and then of those of the agencies
// that were merged into it.
func (x *Exchange) inboxesPage(ctx context.Context, by Caller, a Agency, cursor string, limit int) (InboxPage, error) {
	if len(a.Merged) == 0 {
		return x.inboxPage(ctx, a.Code, cursor, limit)
	}
	codes := append([]string{a.Code}, a.Merged...)
	first, rest, _ := strings.Cut(cursor, ":")
	i, err := strconv.Atoi(cmp.Or(first, "0"))
	if err != nil || i < 0 || i > len(codes) {
		return InboxPage{}, NotFoundError("inbox", shortened(cursor))
	}
	page := InboxPage{Items: []InboxItem{}}
	for ; i < len(codes) && len(page.Items) == 0; i, rest = i+1, "" {
		if !by.Speaks(codes[i]) {
			continue
		}
		if page, err = x.inboxPage(ctx, codes[i], rest, limit); err != nil {
			return InboxPage{}, err
		}
		switch {
		case page.Cursor != "":
			page.Cursor = strconv.Itoa(i) + ":" + page.Cursor
		case len(page.Items) > 0 && i+1 < len(codes):
			page.Cursor = strconv.Itoa(i+1) + ":"
		}
	}
	return page, nil
}

func (x *Exchange) inboxPage(ctx context.Context, agency, cursor string, limit int) (InboxPage, error) {
	list, next, err := x.c.Ledger.Inbox(ctx, agency, cursor, limit)
	if err != nil {
		return InboxPage{}, err
	}
	page := InboxPage{Items: make([]InboxItem, 0, len(list)), Cursor: next}
	for _, d := range list {
		p, err := x.c.Ledger.Package(ctx, d.Package)
		if err != nil {
			return InboxPage{}, err
		}
		page.Items = append(page.Items, InboxItem{Delivery: d.forRecipient(), Package: forRecipient(p)})
	}
	return page, nil
}

// forRecipient leaves out what is not the recipient's business: who submitted.
func forRecipient(p Package) Package {
	p.System = ""
	return p
}

// bells wake those who wait for their agency's inbox.
type bells struct {
	mu sync.Mutex
	on map[string]chan struct{}
}

// of is closed when something comes for the agency.
func (b *bells) of(agency string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on == nil {
		b.on = make(map[string]chan struct{})
	}
	if b.on[agency] == nil {
		b.on[agency] = make(chan struct{})
	}
	return b.on[agency]
}

func (b *bells) ring(agency string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.on[agency]; c != nil {
		close(c)
		delete(b.on, agency)
	}
}
