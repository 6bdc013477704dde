package exchange

import (
	"context"
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
	if agency == "" && by.System != nil && len(by.System.Agencies) == 1 {
		agency = by.System.Agencies[0]
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
		page, err := x.inboxPage(ctx, a.Code, cursor, limited(limit))
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
