package exchange

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Search asks for packages; empty fields ask nothing.
type Search struct {
	// Text are words, each of which must be found in a package: as a word of its
	// subject, its type or its number and notation, or as a whole identifier of it:
	// of the package, a delivery, a receipt, the document, or a digest. What
	// stands together ("1250/STC-NS"), or in quotation marks, is found together.
	Text      string
	Sender    string // canonical code
	Recipient string // canonical code
	Kind      Kind
	// State asks for packages with a delivery in this state; to Recipient, if that
	// is given too.
	State State
	// From and To bound the time of acceptance: not before From, before To.
	From, To time.Time
	// All searches everything. Without it only what agencies in Of sent, or have
	// had in their inbox, is found.
	All bool
	Of  []string
	// Cursor goes on from an earlier page.
	Cursor string
	Limit  int
}

// Found is a package that was searched for, with those of its deliveries that
// were: at most FoundDeliveries of them.
type Found struct {
	Package    Package    `json:"package"`
	Deliveries []Delivery `json:"deliveries"`
	// More says that further deliveries of the package match.
	More bool `json:"more,omitempty"`
}

// FoundDeliveries is how many deliveries of one package a search shows.
const FoundDeliveries = 20

// SearchPage is a part of what was found, newest first. A page may be short, and
// even empty, with a cursor to go on from.
type SearchPage struct {
	Found  []Found `json:"found"`
	Cursor string  `json:"cursor"`
}

// Bounds of a search's text: what is longer is no question that a person asked.
const (
	longestSearch = 1000 // bytes
	mostWanted    = 32
)

// Search finds packages, newest first: any for people; for systems what their
// agencies sent, or have had in their inbox.
func (x *Exchange) Search(ctx context.Context, by Caller, q Search) (SearchPage, error) {
	if by.System == nil && !by.Watches() {
		return SearchPage{}, notPermitted.With(by, Words{"search packages", "tìm kiếm gói tin"})
	}
	if err := q.check(); err != nil {
		return SearchPage{}, err
	}
	if err := x.makeCanonical(ctx, &q.Sender, &q.Recipient); err != nil {
		return SearchPage{}, err
	}
	q.Limit, q.All, q.Of = limited(q.Limit), by.Watches(), nil
	if by.System != nil {
		q.Of = by.System.Agencies
	}
	list, cursor, err := x.c.Ledger.Search(ctx, q)
	if err != nil {
		return SearchPage{}, err
	}
	for i := range list {
		if p := &list[i].Package; !by.Watches() && !by.Speaks(p.Sender) {
			*p = forRecipient(*p)
		}
	}
	return SearchPage{Found: list, Cursor: cursor}, nil
}

func (q Search) check() error {
	switch {
	case q.State != "" && !slices.Contains(States, q.State):
		return InvalidError("there is no state %q; give one of: %s", "không có trạng thái %q; hãy dùng một trong: %s", q.State, listed(States))
	case q.Kind != "" && !slices.Contains(Kinds, q.Kind):
		return unknownKind.With(shortened(string(q.Kind)), listed(Kinds))
	case !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To):
		return emptyPeriod.With(q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	case len(q.Text) > longestSearch || len(wantedOf(q.Text)) > mostWanted:
		return searchTooLong.With(mostWanted, longestSearch)
	}
	return nil
}

// SearchBegin reads where a period begins: a day here ("2026-11-20"), which begins
// at midnight, or a moment (RFC 3339). Empty is no bound.
func SearchBegin(text string) (time.Time, error) { return searchTime(text, 0) }

// SearchEnd reads where a period ends: a day that it has to its end, or a moment
// that it does not have itself.
func SearchEnd(text string) (time.Time, error) { return searchTime(text, 1) }

func searchTime(text string, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, Vietnam); err == nil {
		return at.AddDate(0, 0, days), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, badTime.With(shortened(text))
	}
	return at, nil
}

// A Matcher holds packages and deliveries against a search. It is the meaning of
// a search; an index only spares reading what cannot match.
type Matcher struct {
	Search
	Wanted []Wanted
}

// Wanted is one part of a search's text.
type Wanted struct {
	// Literal is the part in lower case: an identifier, perhaps.
	Literal string
	Words   []Word
}

// NewMatcher takes a search apart.
func NewMatcher(s Search) Matcher { return Matcher{s, wantedOf(s.Text)} }

// wantedOf splits a text at white space, but not within quotation marks.
func wantedOf(text string) []Wanted {
	var list []Wanted
	add := func(part string) {
		if words := wordsOf(part); len(words) > 0 {
			list = append(list, Wanted{strings.ToLower(part), words})
		}
	}
	text = strings.NewReplacer("“", `"`, "”", `"`).Replace(text)
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			add(part)
			continue
		}
		for _, field := range strings.Fields(part) {
			add(field)
		}
	}
	return list
}

// Matches reports whether the search asks for the package, as far as the package
// tells. isReceiptOf reports whether an identifier is that of one of the package's
// receipts.
func (m Matcher) Matches(p *Package, isReceiptOf func(id string, p PackageID) bool) bool {
	if m.Sender != "" && p.Sender != m.Sender || m.Kind != "" && p.Kind != m.Kind || m.Recipient != "" && !p.goesTo(m.Recipient) {
		return false
	}
	if !m.From.IsZero() && p.AcceptedAt.Before(m.From) || !m.To.IsZero() && !p.AcceptedAt.Before(m.To) {
		return false
	}
	if len(m.Wanted) == 0 {
		return true
	}
	texts := searchTexts(p)
	for _, w := range m.Wanted {
		if !w.identifies(p) && !isReceiptOf(w.Literal, p.ID) && !slices.ContainsFunc(texts, w.within) {
			return false
		}
	}
	return true
}

func (p *Package) goesTo(agency string) bool {
	return slices.ContainsFunc(p.Recipients, func(r Recipient) bool { return r.Code == agency })
}

// NeedsDelivery reports whether a package that matches must have a delivery that
// is shown, too.
func (m Matcher) NeedsDelivery(p *Package) bool {
	return m.State != "" || !m.All && !slices.Contains(m.Of, p.Sender)
}

// MayShow is Shows as far as the place in the package tells.
func (m Matcher) MayShow(p *Package, index int) bool {
	recipient := p.Recipients[index-1].Code
	if m.Recipient != "" && recipient != m.Recipient {
		return false
	}
	if !m.All && !slices.Contains(m.Of, p.Sender) && !slices.Contains(m.Of, recipient) {
		return false
	}
	for _, w := range m.Wanted { // who asks for one delivery is shown that one
		if id := DeliveryID(w.Literal); id.Package() == p.ID && w.Literal != string(p.ID) && id != NewDeliveryID(p.ID, index) {
			return false
		}
	}
	return true
}

// Shows reports whether a delivery of a package that matches is one of those that
// the search asks for.
func (m Matcher) Shows(p *Package, d *Delivery) bool {
	onTheWay := !m.All && !slices.Contains(m.Of, p.Sender) && d.ConsignedAt.IsZero() // not the recipient's to see yet
	return !onTheWay && (m.State == "" || d.State == m.State) && m.MayShow(p, d.Index)
}

// identifies reports whether the part is an identifier of the package.
func (w Wanted) identifies(p *Package) bool {
	return w.Literal == string(p.ID) || w.isDeliveryOf(p) || slices.Contains(identifiers(p), w.Literal)
}

func (w Wanted) isDeliveryOf(p *Package) bool {
	digits, ok := strings.CutPrefix(w.Literal, string(p.ID)+".")
	n, err := strconv.Atoi(digits)
	return ok && err == nil && 1 <= n && n <= len(p.Recipients) && strconv.Itoa(n) == digits
}

// identifiers are those that other packages may have too: of its document and of
// those it is about, its digest and its attachments'.
func identifiers(p *Package) []string {
	list := append([]string{p.DocumentID, p.Digest.String()}, p.Targets...)
	if p.Status != nil {
		list = append(list, p.Status.DocumentID)
	}
	for _, a := range p.Attachments {
		list = append(list, a.Digest.String())
	}
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// searchTexts are the texts of a package that words are looked for in.
func searchTexts(p *Package) [][]Word {
	texts := [][]Word{wordsOf(p.Subject), wordsOf(p.TypeName), wordsOf(p.Number + "/" + p.Notation)}
	if p.Status != nil {
		texts = append(texts, wordsOf(p.Status.Notation), wordsOf(p.Status.Description))
	}
	return texts
}

// within reports whether the words stand in a text, together and in this order.
func (w Wanted) within(text []Word) bool {
	for i := 0; i+len(w.Words) <= len(text); i++ {
		if slices.EqualFunc(w.Words, text[i:i+len(w.Words)], Word.matches) {
			return true
		}
	}
	return false
}

// A SearchTerm is something that packages are found by. Kinds and values are kept
// in indexes: what they mean stays.
type SearchTerm struct {
	Kind  byte
	Value string
}

const (
	termWord       = 'w' // without diacritics
	termExact      = 'x' // with them
	termPair       = 'p' // two words that stand together, one of which has a digit
	termIdentifier = 'i'
	termSender     = 's'
	termRecipient  = 'r'
	termKind       = 'k'
)

// SearchTerms are all terms that an index may find a package by: a Matcher that
// matches it has, in each of its Clauses, one list whose terms are all here, or a
// literal that the ledger itself finds it by. A term may come twice.
func SearchTerms(p *Package) []SearchTerm {
	terms := append(make([]SearchTerm, 0, 64), SearchTerm{termSender, p.Sender}, SearchTerm{termKind, string(p.Kind)})
	for _, r := range p.Recipients {
		terms = append(terms, SearchTerm{termRecipient, r.Code})
	}
	for _, id := range identifiers(p) {
		terms = append(terms, SearchTerm{termIdentifier, id})
	}
	for _, text := range searchTexts(p) {
		for _, w := range text {
			terms = append(terms, SearchTerm{termWord, w.Plain})
			if w.Exact != w.Plain {
				terms = append(terms, SearchTerm{termExact, w.Exact})
			}
		}
		terms = appendPairs(terms, text)
	}
	return terms
}

// appendPairs adds what tells "1250/UBND-VP" from all that has the number 1250 and,
// elsewhere, these common letters.
func appendPairs(terms []SearchTerm, text []Word) []SearchTerm {
	for i := 1; i < len(text); i++ {
		if a, b := text[i-1].Plain, text[i].Plain; hasDigit(a) || hasDigit(b) {
			terms = append(terms, SearchTerm{termPair, a + " " + b})
		}
	}
	return terms
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// A Clause is what must hold of a package: all terms of one of the lists, or, if
// there is a literal, that it is the identifier of the package, of a delivery or of
// a receipt of it.
type Clause struct {
	Literal string
	Any     [][]SearchTerm
}

// Clauses are what must hold, as far as terms tell it.
func (m Matcher) Clauses() []Clause {
	var list []Clause
	for _, term := range []SearchTerm{{termSender, m.Sender}, {termRecipient, m.Recipient}, {termKind, string(m.Kind)}} {
		if term.Value != "" {
			list = append(list, Clause{Any: [][]SearchTerm{{term}}})
		}
	}
	for _, w := range m.Wanted {
		words := appendPairs(nil, w.Words) // few packages have one: the rest need not be looked up
		for _, word := range w.Words {
			words = append(words, word.term())
		}
		list = append(list, Clause{w.Literal, [][]SearchTerm{words, {{termIdentifier, w.Literal}}}})
	}
	if !m.All {
		var own Clause
		for _, code := range m.Of {
			own.Any = append(own.Any, []SearchTerm{{termSender, code}}, []SearchTerm{{termRecipient, code}})
		}
		list = append(list, own)
	}
	return list
}
