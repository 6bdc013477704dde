package exchange

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// secretOverlap is how long a replaced secret is still taken, so that a
// rotation breaks no client.
const secretOverlap = 7 * 24 * time.Hour

// AuthenticateSystem finds the system that proves itself by a secret.
func (x *Exchange) AuthenticateSystem(ctx context.Context, id, secret string) (Caller, error) {
	s, err := x.c.Ledger.System(ctx, id)
	if err != nil && CodeOf(err) != NotFound {
		return Caller{}, err
	}
	if !x.proves(s.Secrets, secret) {
		return Caller{}, badCredentials.With()
	}
	return x.systemCaller(ctx, s)
}

// SystemOfCertificate finds the system that proves itself by a TLS client
// certificate with this digest.
func (x *Exchange) SystemOfCertificate(ctx context.Context, d Digest) (Caller, error) {
	s, err := x.c.Ledger.SystemOfCertificate(ctx, d)
	if CodeOf(err) == NotFound {
		return Caller{}, badCredentials.With()
	}
	if err != nil {
		return Caller{}, err
	}
	return x.systemCaller(ctx, s)
}

func (x *Exchange) systemCaller(ctx context.Context, s System) (Caller, error) {
	if s.Disabled {
		return Caller{}, disabled.With(s.ID)
	}
	speaking, err := x.speaking(ctx, s)
	return Caller{System: &speaking}, err
}

// AuthenticateUser finds the person who proves themself by a secret.
func (x *Exchange) AuthenticateUser(ctx context.Context, id, secret string) (Caller, error) {
	u, err := x.c.Ledger.User(ctx, id)
	if err != nil && CodeOf(err) != NotFound {
		return Caller{}, err
	}
	if !x.proves(u.Secrets, secret) {
		return Caller{}, badCredentials.With()
	}
	if u.Disabled {
		return Caller{}, disabled.With(u.ID)
	}
	return Caller{User: &u}, nil
}

// proves compares without telling by its time how near a guess came. Secrets
// are 256 random bits, so a plain digest keeps them: there is nothing to guess.
func (x *Exchange) proves(secrets []Secret, presented string) bool {
	d, now, proved := DigestOf([]byte(presented)), x.now(), 0
	for _, s := range secrets {
		if !over(s.Until, now) {
			proved |= subtle.ConstantTimeCompare(d[:], s.SHA256[:])
		}
	}
	return proved == 1
}

// NewSecret makes a secret from 256 random bits, and what the registry keeps of
// it.
func NewSecret(random io.Reader) (string, Secret, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", Secret{}, err
	}
	text := base64.RawURLEncoding.EncodeToString(b[:])
	return text, Secret{SHA256: DigestOf([]byte(text))}, nil
}

// rotate adds a secret and lets the former ones end after the overlap.
func rotate[S any](secrets []S, fresh S, end func(*S) *time.Time, now time.Time) []S {
	kept := []S{fresh}
	for _, s := range secrets {
		until := end(&s)
		if until.IsZero() {
			*until = now.Add(secretOverlap)
		}
		if !over(*until, now) && len(kept) < 3 {
			kept = append(kept, s)
		}
	}
	return kept
}

// Agency is an entry of the directory, found by any of its codes.
func (x *Exchange) Agency(ctx context.Context, code string) (Agency, error) {
	return x.c.Ledger.Agency(ctx, code)
}

// Agencies lists the directory.
func (x *Exchange) Agencies(ctx context.Context, cursor string, limit int) ([]Agency, string, error) {
	return x.c.Ledger.Agencies(ctx, cursor, limited(limit))
}

// codeShape takes old codes (QCVN 102:2016, "000.00.07.H12") and new ones
// (Decision 20/2020/QĐ-TTg, "H12.07").
var codeShape = regexp.MustCompile(`^[0-9A-Z]+(\.[0-9A-Z]+)*$`)

// maxCode is how many characters a code has at most (Decision 20/2020/QĐ-TTg).
const maxCode = 35

func checkCode(code string) error {
	if len(code) > maxCode || !codeShape.MatchString(code) {
		return InvalidError("%q is not an agency code; give at most 35 characters, groups of 0-9 and A-Z with dots between them, such as H12.07",
			"%q không phải mã định danh cơ quan; hãy ghi mã dài tối đa 35 ký tự, gồm các nhóm 0-9 và A-Z cách nhau bằng dấu chấm, ví dụ H12.07", shortened(code))
	}
	return nil
}

// PutAgency keeps an entry of the directory. Version is the one that was read, 0
// for a new agency.
func (x *Exchange) PutAgency(ctx context.Context, by Caller, a Agency) (Agency, error) {
	if err := checkAgency(&a); err != nil {
		return Agency{}, err
	}
	if err := x.checkMerger(ctx, a); err != nil {
		return Agency{}, err
	}
	if err := x.checkCollisions(ctx, a); err != nil {
		return Agency{}, err
	}
	kept := a
	kept.Version++
	return kept, x.register(ctx, by, "put-agency", a.Code, kept, func(c *Change) { c.Agencies = []Agency{a} })
}

// checkAgency holds an entry to its rules and completes what follows from it.
func checkAgency(a *Agency) error {
	if a.Name == "" {
		return InvalidError("the agency has no name; give one", "cơ quan chưa có tên; hãy ghi tên cơ quan (name)")
	}
	if err := checkCode(a.Code); err != nil {
		return err
	}
	for _, alias := range a.Aliases {
		if err := checkCode(alias.Code); err != nil {
			return err
		}
	}
	if !slices.Contains([]SignaturePolicy{"", Required, IfPresent}, a.Policy) {
		return InvalidError("policy is %q; give required or if-present", "policy là %q; hãy ghi required hoặc if-present", shortened(string(a.Policy)))
	}
	if !slices.Contains([]DeliveryMode{"", Pull, Push, Relayed}, a.Mode) {
		return InvalidError("mode is %q; give pull, push or relay", "mode là %q; hãy ghi pull, push hoặc relay", shortened(string(a.Mode)))
	}
	if u, err := url.Parse(a.Webhook); a.Mode == Push && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
		return InvalidError("mode is push, which needs an http or https URL to announce to; give one in webhook, or set mode to pull",
			"mode là push thì phải có URL http hoặc https để gửi thông báo; hãy ghi URL vào webhook, hoặc đặt mode là pull")
	}
	if (a.Mode == Relayed) != (a.Upstream != "") {
		return InvalidError("mode relay and upstream go together; give the name of the axis that the agency lives at, or neither",
			"mode relay phải đi cùng upstream; hãy ghi tên trục nơi cơ quan kết nối, hoặc bỏ cả hai")
	}
	a.Certificates = slices.Clone(a.Certificates) // what is completed is not the caller's
	for i := range a.Certificates {
		if err := completeCertificate(&a.Certificates[i]); err != nil {
			return err
		}
		if err := checkTerm(a.Certificates[i].From, a.Certificates[i].Until); err != nil {
			return err
		}
	}
	return checkSubjectRules(a)
}

// checkMerger holds an agency's successor, and those before it, to the directory.
func (x *Exchange) checkMerger(ctx context.Context, a Agency) error {
	if a.Successor != "" && a.Closed.IsZero() {
		return InvalidError("an agency with a successor needs the time when it ceased; give closed",
			"cơ quan đã có cơ quan kế thừa thì phải có thời điểm ngừng hoạt động; hãy ghi closed")
	}
	codes := a.Merged
	if a.Successor != "" {
		codes = append([]string{a.Successor}, codes...)
	}
	for _, code := range codes {
		other, err := x.c.Ledger.Agency(ctx, code)
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		if err != nil || other.Code != code || code == a.Code {
			return InvalidError("%q cannot be merged with agency %q; give the current code of another agency of the directory",
				"không thể ghi sáp nhập %q với cơ quan %q; hãy ghi mã hiện hành của một cơ quan khác trong danh bạ", shortened(code), a.Code)
		}
	}
	return nil
}

// checkCollisions refuses subject rules that take the same certificates as
// another agency's. Of two that are put at once both may be kept: what they both
// take is refused as ambiguous then.
func (x *Exchange) checkCollisions(ctx context.Context, a Agency) error {
	if len(a.SubjectRules) == 0 {
		return nil
	}
	return x.EachAgency(ctx, func(o Agency) error {
		for _, theirs := range o.SubjectRules {
			i := slices.IndexFunc(a.SubjectRules, theirs.collides)
			if i >= 0 && o.Code != a.Code {
				return ruleTaken.With(a.SubjectRules[i].String(), o.Code)
			}
		}
		return nil
	})
}

// EachAgency goes through the directory.
func (x *Exchange) EachAgency(ctx context.Context, do func(Agency) error) error {
	for cursor := ""; ; {
		list, next, err := x.c.Ledger.Agencies(ctx, cursor, pageLimit)
		if err != nil {
			return err
		}
		for _, a := range list {
			if err := do(a); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func completeCertificate(c *Certificate) error {
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return unreadable(err)
	}
	c.SHA256, c.Subject = DigestOf(c.DER), parsed.Subject.String()
	return nil
}

func unreadable(err error) error {
	refused := InvalidError("a certificate cannot be read (%q); give it whole, as its issuer delivered it",
		"không đọc được chứng thư số (%q); hãy gửi nguyên vẹn chứng thư số như tổ chức chứng thực đã cấp", shortened(err.Error()))
	refused.Err = err
	return refused
}

// Systems lists the systems that connect.
func (x *Exchange) Systems(ctx context.Context, by Caller) ([]System, error) {
	if !by.Watches() {
		return nil, notPermitted.With(by, Words{"list systems", "xem danh sách hệ thống"})
	}
	return x.c.Ledger.Systems(ctx)
}

// System is one of them.
func (x *Exchange) System(ctx context.Context, by Caller, id string) (System, error) {
	if !by.Watches() {
		return System{}, notPermitted.With(by, Words{"see systems", "xem thông tin hệ thống"})
	}
	return x.c.Ledger.System(ctx, id)
}

// PutSystem keeps a system. Its secrets are kept as they are: IssueSystemSecret
// changes them.
func (x *Exchange) PutSystem(ctx context.Context, by Caller, s System) (System, error) {
	if err := checkIdentifier(s.ID); err != nil {
		return System{}, err
	}
	for _, code := range s.Agencies {
		a, err := x.c.Ledger.Agency(ctx, code)
		if err == nil && a.Mode == Relayed {
			return System{}, InvalidError("agency %q lives at the axis %q, and no system of this hub speaks for it; set its mode to pull or push first",
				"cơ quan %q kết nối qua trục %q nên không hệ thống nào của trục này được gửi thay; hãy đổi mode sang pull hoặc push trước", a.Code, a.Upstream)
		}
		if err != nil || a.Code != code {
			return System{}, InvalidError("no agency has the code %q as its current one; register the agency first, or give its current code",
				"không có cơ quan nào đang dùng mã %q; hãy đăng ký cơ quan trước, hoặc ghi mã hiện hành của cơ quan", shortened(code))
		}
	}
	before, err := x.c.Ledger.System(ctx, s.ID)
	if err != nil && CodeOf(err) != NotFound {
		return System{}, err
	}
	s.Secrets, s.Shared = before.Secrets, before.Shared
	kept := s
	kept.Version++
	return kept, x.register(ctx, by, "put-system", s.ID, kept, func(c *Change) { c.Systems = []System{s} })
}

// IssueSystemSecret makes a new secret for a system. It is shown this once.
func (x *Exchange) IssueSystemSecret(ctx context.Context, by Caller, id string) (string, error) {
	return x.issueToSystem(ctx, by, id, func(s *System) (string, error) {
		text, secret, err := NewSecret(x.c.Random)
		s.Secrets = rotate(s.Secrets, secret, (*Secret).end, x.now())
		return text, err
	})
}

// issueToSystem keeps a system with the secret that add adds to it.
func (x *Exchange) issueToSystem(ctx context.Context, by Caller, id string, add func(*System) (string, error)) (string, error) {
	if !by.Administers() {
		return "", notPermitted.With(by, deeds["issue-system-secret"])
	}
	s, err := x.c.Ledger.System(ctx, id)
	if err != nil {
		return "", err
	}
	text, err := add(&s)
	if err != nil {
		return "", err
	}
	kept := s
	kept.Version++
	if err := x.register(ctx, by, "issue-system-secret", id, kept, func(c *Change) { c.Systems = []System{s} }); err != nil {
		return "", err
	}
	return text, nil
}

// Users lists the people who operate, administer or audit the hub.
func (x *Exchange) Users(ctx context.Context, by Caller) ([]User, error) {
	if !by.Administers() {
		return nil, notPermitted.With(by, Words{"list users", "xem danh sách người dùng"})
	}
	return x.c.Ledger.Users(ctx)
}

// PutUser keeps a person. Secrets are kept as they are: IssueUserSecret changes
// them.
func (x *Exchange) PutUser(ctx context.Context, by Caller, u User) (User, error) {
	if err := checkIdentifier(u.ID); err != nil {
		return User{}, err
	}
	if !slices.Contains([]Role{Operator, Auditor, Administrator}, u.Role) {
		return User{}, InvalidError("role is %q; give operator, auditor or administrator", "role là %q; hãy ghi operator, auditor hoặc administrator", shortened(string(u.Role)))
	}
	before, err := x.c.Ledger.User(ctx, u.ID)
	if err != nil && CodeOf(err) != NotFound {
		return User{}, err
	}
	u.Secrets = before.Secrets
	kept := u
	kept.Version++
	return kept, x.register(ctx, by, "put-user", u.ID, kept, func(c *Change) { c.Users = []User{u} })
}

// IssueUserSecret makes a new secret for a person. It is shown this once.
func (x *Exchange) IssueUserSecret(ctx context.Context, by Caller, id string) (string, error) {
	if !by.Administers() {
		return "", notPermitted.With(by, deeds["issue-user-secret"])
	}
	u, err := x.c.Ledger.User(ctx, id)
	if err != nil {
		return "", err
	}
	text, secret, err := NewSecret(x.c.Random)
	if err != nil {
		return "", err
	}
	u.Secrets = rotate(u.Secrets, secret, (*Secret).end, x.now())
	kept := u
	kept.Version++
	if err := x.register(ctx, by, "issue-user-secret", id, kept, func(c *Change) { c.Users = []User{u} }); err != nil {
		return "", err
	}
	return text, nil
}

var identifierShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkIdentifier(id string) error {
	if !identifierShape.MatchString(id) {
		return InvalidError("%q cannot be an identifier; give 1 to 64 letters A-Z a-z, digits, dots, dashes or underscores, beginning with a letter or a digit",
			"%q không dùng làm định danh được; hãy dùng 1 đến 64 chữ cái không dấu, chữ số, dấu chấm, gạch ngang hoặc gạch dưới, bắt đầu bằng chữ cái hoặc chữ số", shortened(id))
	}
	return nil
}

// register keeps a change of the registry with the leaf that records it: entry is
// the one that changes, as it becomes.
func (x *Exchange) register(ctx context.Context, by Caller, verb, object string, entry any, fill func(*Change)) error {
	if !by.Administers() {
		return notPermitted.With(by, deeds[verb])
	}
	action, err := x.action(by, verb, object, "", entry)
	if err != nil {
		return err
	}
	change := Change{Actions: []Action{action}}
	fill(&change)
	return x.c.Ledger.Update(ctx, change)
}
