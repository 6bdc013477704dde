package exchange

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SubjectRule takes a certificate for an agency's own by what its subject says.
// Every attribute must be in the subject.
type SubjectRule struct {
	// Subject are the attributes. Values are compared character for character,
	// as the certificate has them: letters are not folded, white space is not
	// trimmed, and composed and decomposed forms of a letter are two.
	Subject []Attribute `json:"subject"`
	// Issuer restricts the rule to one authority, the one that issued the
	// certificate: the SHA-256 of its certificate, or its subject as
	// certificates are shown here ("CN=…,O=…,C=VN", RFC 2253). Empty: any that
	// the hub trusts.
	Issuer string `json:"issuer,omitempty"`
	// From and Until bound the rule; zero means open.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Attribute is an attribute of a subject: its type by short name, such as O, or
// by its identifier with dots.
type Attribute struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (a Attribute) String() string { return a.Type + "=" + a.Value }

// attributeTypes are the types with short names (RFC 4519, RFC 4514, ETSI EN 319
// 412-1), those that tell agencies apart best first: by the first one that it has
// is a rule found. It is never written.
var attributeTypes = []attributeKind{
	{"organizationIdentifier", asn1.ObjectIdentifier{2, 5, 4, 97}},
	{"SERIALNUMBER", asn1.ObjectIdentifier{2, 5, 4, 5}},
	{"UID", asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}},
	{"CN", asn1.ObjectIdentifier{2, 5, 4, 3}},
	{"OU", asn1.ObjectIdentifier{2, 5, 4, 11}},
	{"O", asn1.ObjectIdentifier{2, 5, 4, 10}},
	{"emailAddress", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}},
	{"TITLE", asn1.ObjectIdentifier{2, 5, 4, 12}},
	{"STREET", asn1.ObjectIdentifier{2, 5, 4, 9}},
	{"POSTALCODE", asn1.ObjectIdentifier{2, 5, 4, 17}},
	{"L", asn1.ObjectIdentifier{2, 5, 4, 7}},
	{"ST", asn1.ObjectIdentifier{2, 5, 4, 8}},
	{"C", asn1.ObjectIdentifier{2, 5, 4, 6}},
}

type attributeKind struct {
	name string
	oid  asn1.ObjectIdentifier
}

// telling is how many of attributeTypes tell one agency from another: a rule
// needs one of them.
const telling = 6

// attributeType is the name that a type goes by here; false if it is neither a
// known name nor an identifier.
func attributeType(s string) (string, bool) {
	for _, t := range attributeTypes {
		if strings.EqualFold(t.name, s) || t.oid.String() == s {
			return t.name, true
		}
	}
	parts := strings.Split(s, ".")
	for _, part := range parts {
		if n, err := strconv.Atoi(part); err != nil || strconv.Itoa(n) != part || n < 0 {
			return s, false
		}
	}
	return s, len(parts) > 2
}

// String writes the attributes as ParseSubject reads them.
func (r SubjectRule) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `;`, `\;`)
	parts := make([]string, len(r.Subject))
	for i, a := range r.Subject {
		parts[i] = escape.Replace(a.String())
	}
	return strings.Join(parts, ";")
}

// SubjectOf are the attributes of a subject that are text, as rules name them.
func SubjectOf(name pkix.Name) []Attribute {
	var list []Attribute
	for _, a := range name.Names {
		if value, ok := a.Value.(string); ok {
			kind, _ := attributeType(a.Type.String())
			list = append(list, Attribute{kind, value})
		}
	}
	return list
}

// ParseSubject reads attributes as they are written on a command line:
// TYPE=VALUE, with semicolons between them; a backslash before a semicolon or a
// backslash makes it part of a value.
func ParseSubject(text string) ([]Attribute, error) {
	var list []Attribute
	for _, part := range splitEscaped(text, ';') {
		kind, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, InvalidError("%q is no attribute such as O=Sở Tài chính; write TYPE=VALUE, with semicolons between several",
				"%q không phải thuộc tính dạng O=Sở Tài chính; hãy ghi LOẠI=GIÁ TRỊ, cách nhau bằng dấu chấm phẩy", shortened(part))
		}
		list = append(list, Attribute{strings.TrimSpace(kind), value})
	}
	return list, nil
}

func splitEscaped(text string, at byte) []string {
	var parts []string
	var part []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == at || text[i+1] == '\\'):
			i++
			part = append(part, text[i])
		case text[i] == at:
			parts, part = append(parts, string(part)), nil
		default:
			part = append(part, text[i])
		}
	}
	return append(parts, string(part))
}

// Matches reports whether the certificate that a chain begins with, leaf first,
// is one that the rule takes at the time.
func (r SubjectRule) Matches(chain []*x509.Certificate, at time.Time) bool {
	if len(r.Subject) == 0 || len(chain) == 0 || !inForce(r.From, r.Until, at) {
		return false
	}
	has := SubjectOf(chain[0].Subject)
	for _, a := range r.Subject {
		if !slices.Contains(has, a) {
			return false
		}
	}
	if r.Issuer == "" {
		return true
	}
	issuer := chain[min(1, len(chain)-1)] // a root that signs for itself issued itself
	return r.Issuer == DigestOf(issuer.Raw).String() || r.Issuer == issuer.Subject.String()
}

// Key is the attribute that a ledger finds the rule by: of those it has, the one
// that tells agencies apart best.
func (r SubjectRule) Key() Attribute {
	for _, t := range attributeTypes {
		if i := r.indexOf(t); i >= 0 {
			return r.Subject[i]
		}
	}
	if len(r.Subject) == 0 {
		return Attribute{}
	}
	return r.Subject[0]
}

func (r SubjectRule) indexOf(t attributeKind) int {
	return slices.IndexFunc(r.Subject, func(a Attribute) bool { return a.Type == t.name })
}

// collides reports whether certificates that one of the rules takes are taken by
// the other as well: all attributes of one are in the other, of the same issuer,
// at the same time. Two that differ in part may still both fit one certificate;
// that shows when it comes.
func (r SubjectRule) collides(o SubjectRule) bool {
	within := func(a, b SubjectRule) bool {
		return !slices.ContainsFunc(a.Subject, func(x Attribute) bool { return !slices.Contains(b.Subject, x) })
	}
	if !within(r, o) && !within(o, r) {
		return false
	}
	if r.Issuer != "" && o.Issuer != "" && r.Issuer != o.Issuer {
		return false
	}
	before := func(a, b SubjectRule) bool { return !a.Until.IsZero() && !a.Until.After(b.From) }
	return !before(r, o) && !before(o, r)
}

// mostRules and mostAttributes bound what one agency may have to be looked at.
const (
	mostRules      = 20
	mostAttributes = 10
	mostValue      = 256 // characters
)

func checkSubjectRules(a *Agency) error {
	if len(a.SubjectRules) > mostRules {
		return InvalidError("the agency has %d subject rules; give at most %d", "cơ quan có %d quy tắc chủ thể; hãy ghi tối đa %d quy tắc", len(a.SubjectRules), mostRules)
	}
	for i := range a.SubjectRules {
		r := &a.SubjectRules[i]
		r.Subject = slices.Clone(r.Subject) // what is completed is not the caller's
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

// check holds a rule to what it needs, and names its types as they are named
// here.
func (r *SubjectRule) check() error {
	if n := len(r.Subject); n == 0 || n > mostAttributes {
		return InvalidError("a subject rule has %d attributes; give 1 to %d", "quy tắc chủ thể có %d thuộc tính; hãy ghi từ 1 đến %d thuộc tính", n, mostAttributes)
	}
	for i, a := range r.Subject {
		kind, ok := attributeType(a.Type)
		if !ok {
			return InvalidError("%q is no type of attribute; give a short name such as O, CN or SERIALNUMBER, or an identifier such as 2.5.4.97",
				"%q không phải loại thuộc tính; hãy ghi tên ngắn như O, CN, SERIALNUMBER, hoặc mã định danh như 2.5.4.97", shortened(a.Type))
		}
		if a.Value == "" || utf8.RuneCountInString(a.Value) > mostValue || !utf8.ValidString(a.Value) || strings.ContainsFunc(a.Value, unicode.IsControl) {
			return InvalidError("the value of %s is empty, longer than %d characters or holds a control character; write it as the certificate has it",
				"giá trị của %s để trống, dài quá %d ký tự hoặc chứa ký tự điều khiển; hãy ghi đúng như trong chứng thư số", kind, mostValue)
		}
		r.Subject[i].Type = kind
	}
	if !slices.ContainsFunc(attributeTypes[:telling], func(t attributeKind) bool { return r.indexOf(t) >= 0 }) {
		return InvalidError("a subject rule names nothing that tells one agency from another; add organizationIdentifier, SERIALNUMBER, UID, CN, OU or O",
			"quy tắc chủ thể không có thuộc tính nào phân biệt được các cơ quan; hãy thêm organizationIdentifier, SERIALNUMBER, UID, CN, OU hoặc O")
	}
	if utf8.RuneCountInString(r.Issuer) > 4*mostValue || !utf8.ValidString(r.Issuer) {
		return InvalidError("the issuer of a subject rule is too long or not UTF-8; give the SHA-256 of its certificate, or its subject",
			"tổ chức cấp trong quy tắc chủ thể quá dài hoặc không phải UTF-8; hãy ghi SHA-256 của chứng thư số đó, hoặc tên chủ thể của nó")
	}
	return checkTerm(r.From, r.Until)
}

// checkTerm refuses a time that ends before it begins.
func checkTerm(from, until time.Time) error {
	if !until.IsZero() && !until.After(from) {
		return InvalidError("until %s is not after from %s; correct one of the two", "thời điểm kết thúc %s không sau thời điểm bắt đầu %s; hãy sửa lại một trong hai",
			until.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	return nil
}
