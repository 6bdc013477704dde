package edxml

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"tram/exchange"
)

// Document is a package to be written. Fields that the standard has optional
// may be empty.
type Document struct {
	// Kind is new when empty.
	Kind exchange.Kind
	From Organ
	// To are the recipients; a status has none.
	To []Organ
	// ID identifies the document among the sender's. When empty it is made of
	// sender, date, number and notation, the form that others take apart.
	ID string
	// Number and Notation, for example "1250" and "STC-NS".
	Number, Notation string
	Place            string
	Date             time.Time // of promulgation
	// Type, TypeDetail and TypeName, for example 2, 18 and "Công văn". Readers
	// go by the name.
	Type, TypeDetail int
	TypeName         string
	Subject, Content string
	Signer           Signer
	DueDate          time.Time
	// ToPlaces are the lines of the printed distribution list; nobody routes by
	// them.
	ToPlaces []string
	Priority int // 0 to 4
	// Answers are the documents that this one answers.
	Answers []Answered
	// Steering is whether the document steers others: 1 no, 2 yes, 3 it reports on
	// that; 0 says nothing.
	Steering int
	// Sent is when the package is made.
	Sent  time.Time
	Staff Staff
	// Reason is why a document is recalled, updated or replaced.
	Reason string
	// Target is the document that is recalled or updated.
	Target string
	// Replaced are the documents that a replacement replaces.
	Replaced []Replaced
	// Corrected tells that an update changes the document's own information.
	Corrected bool
	// Added and Removed are recipients that an update adds and removes.
	Added, Removed []string
	// Status is what a status package says; the fields about a document of
	// one's own do not count then.
	Status      Status
	Attachments []Attachment
}

// Organ is an agency as documents name it.
type Organ struct {
	Code, InCharge, Name, Address, Email, Telephone, Fax, Website string
}

// Signer is who signed the document on paper.
type Signer struct{ Competence, Position, FullName string }

// Staff is who can be asked about a package.
type Staff struct{ Department, Name, Mobile, Email string }

// Replaced is a document that is replaced, and for whom; nobody named means the
// recipients of the new one.
type Replaced struct {
	ID string
	To []string
}

// Answered is a document that another one answers.
type Answered struct {
	From         string // code of the agency that sent it
	ID, Notation string // as in Status
	Date         time.Time
}

// Status is what an agency says about a document that it received, or, with
// code 13, about its own that it takes back.
type Status struct {
	Code string // two digits
	// To is the agency that sent the document.
	To string
	// ID, Notation ("1250/STC-NS") and Date are the document's.
	ID, Notation string
	Date         time.Time
	Description  string
}

// Attachment is a file to go with a document.
type Attachment struct {
	// Name is the file's name, without a path.
	Name string
	// ContentType of a file that is sent as it is; by its name when empty.
	ContentType string
	Description string
	// ContentID is unique in the package; made when empty.
	ContentID string
	// Open opens the file's bytes. It is called once.
	Open func() (io.ReadCloser, error)
}

// complete fills in what can be derived and checks the rest by the rules of
// reading, so that what is written will be taken.
func (d Document) complete() (Document, error) {
	if d.Kind == "" {
		d.Kind = exchange.KindNew
	}
	if d.Type == 0 {
		d.Type = 2 // administrative documents: what readers take a missing one for
	}
	if d.ID == "" && d.Kind != exchange.KindStatus {
		d.ID = fmt.Sprintf("%s,%s,%s", d.From.Code, d.Date.Format(dateForm), d.notation())
	}
	if err := d.check(); err != nil {
		return d, err
	}
	return d, d.nameAttachments()
}

// notation is "1250/STC-NS".
func (d Document) notation() string {
	if d.Notation == "" {
		return d.Number
	}
	return d.Number + "/" + d.Notation
}

// nameAttachments gives every attachment an identifier and a type.
func (d *Document) nameAttachments() error {
	files := make([]Attachment, len(d.Attachments))
	used := map[string]bool{}
	for i, a := range d.Attachments {
		a.Name, a.ContentID = trim(a.Name), trim(a.ContentID)
		if !plainName(a.Name) {
			return ruleName.With(excerpt(a.Name))
		}
		if a.ContentID == "" {
			a.ContentID = fmt.Sprintf("%s-%04d", d.trace()[:8], i+1)
		}
		if used[a.ContentID] || a.ContentID != contentID(a.ContentID) {
			return fmt.Errorf("attachment %q: the ContentID %q is used already, or begins with \"cid:\"", a.Name, a.ContentID)
		}
		used[a.ContentID] = true
		var err error
		if a.ContentType, err = wireType(a); err != nil {
			return err
		}
		files[i] = a
	}
	d.Attachments = files
	return nil
}

// trace identifies the package's making. It needs to be no secret, only another
// one for another package.
func (d Document) trace() string {
	sum := sha256.Sum256([]byte(d.From.Code + "\n" + d.ID + "\n" + string(d.Kind) + "\n" + d.Sent.UTC().Format(time.RFC3339Nano)))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// check refuses what reading would refuse.
func (d Document) check() error {
	codes := []string{d.From.Code}
	if d.Kind == exchange.KindStatus {
		codes = append(codes, d.Status.To)
	}
	for _, to := range d.To {
		codes = append(codes, to.Code)
	}
	codes = append(append(codes, d.Added...), d.Removed...)
	for _, a := range d.Answers {
		codes = append(codes, a.From)
	}
	for _, r := range d.Replaced {
		codes = append(codes, r.To...)
	}
	for _, code := range codes {
		if err := checkCode(code); err != nil {
			return err
		}
	}
	if err := d.checkLengths(); err != nil {
		return err
	}
	if d.Kind == exchange.KindStatus {
		return d.checkStatus()
	}
	return d.checkDocument()
}

// checkLengths refuses texts longer than a reader takes.
func (d Document) checkLengths() error {
	type field struct {
		name, text string
		most       int
	}
	fields := []field{
		{"CodeNumber", d.Number, maxField}, {"CodeNotation", d.Notation, maxField}, {"TypeName", d.TypeName, maxField},
		{"Subject", d.Subject, maxField}, {"BussinessDocReason", d.Reason, maxField},
		{"ResponseFor/Code", d.Status.Notation, maxField}, {"Description", d.Status.Description, maxField},
	}
	for _, to := range d.To {
		fields = append(fields, field{"OrganName", to.Name, maxBrief})
	}
	for _, a := range d.Attachments {
		fields = append(fields, field{"ContentType", a.ContentType, maxBrief}, field{"ContentId", a.ContentID, maxBrief})
	}
	for _, f := range fields {
		if n := utf8.RuneCountInString(trim(f.text)); n > f.most {
			return ruleFieldLength.With(f.name, n, f.most)
		}
	}
	return nil
}

func (d Document) checkStatus() error {
	r := &reading{}
	r.statusCode(d.Status.Code, nil)
	switch {
	case r.refused != nil:
		return r.refused
	case len(r.warnings) > 0 || d.Status.Code == "":
		return ruleStatusCode.With(excerpt(d.Status.Code))
	case d.Status.ID == "" && d.Status.Notation == "":
		return ruleMissing.With("ResponseFor/DocumentId", exampleID)
	case d.Sent.IsZero():
		return ruleMissing.With("Timestamp", timeForm)
	case len(d.Attachments) > 0:
		return errors.New("a status has no attachments: send them with a document")
	}
	if err := checkID(d.Status.ID); err != nil {
		return err
	}
	return nil
}

// checkDocument refuses a document without what every reader needs.
func (d Document) checkDocument() error {
	for _, need := range []struct {
		missing       bool
		name, example string
	}{
		{len(d.To) == 0, "To", "<edXML:To>"},
		{blank(d.Number), "CodeNumber", exampleNumber},
		{d.Date.IsZero(), "PromulgationDate", exampleDate},
		{blank(d.TypeName), "TypeName", "Công văn"},
		{blank(d.Subject), "Subject", "V/v phân bổ kinh phí"},
		{d.Sent.IsZero(), "Timestamp", timeForm},
		{d.about() && blank(d.Reason), "BussinessDocReason", "Sai số liệu"},
	} {
		if need.missing {
			return ruleMissing.With(need.name, need.example)
		}
	}
	if d.Priority < 0 || d.Priority > 4 {
		return rulePriority.With(fmt.Sprint(d.Priority))
	}
	for _, a := range d.Answers {
		if blank(a.ID) && blank(a.Notation) {
			return ruleMissing.With("ResponseFor/DocumentId", exampleID)
		}
		if err := checkID(a.ID); err != nil {
			return err
		}
	}
	if err := checkID(d.ID); err != nil {
		return err
	}
	return d.checkTargets()
}

// about reports whether the package is about an earlier document.
func (d Document) about() bool { return d.Kind != exchange.KindNew }

func (d Document) checkTargets() error {
	targets := []string{d.Target}
	switch d.Kind {
	case exchange.KindNew:
		return nil
	case exchange.KindRecall, exchange.KindUpdate:
	case exchange.KindReplace:
		targets = nil
		for _, r := range d.Replaced {
			targets = append(targets, r.ID)
		}
	default:
		return ruleBusiness.With(string(d.Kind))
	}
	if len(targets) == 0 {
		return ruleMissing.With("ReplacementInfo", exampleID)
	}
	for _, id := range targets {
		if blank(id) {
			return ruleMissing.With("DocumentId", exampleID)
		}
		if err := checkID(id); err != nil {
			return err
		}
	}
	for _, code := range d.Added {
		if slices.Contains(d.Removed, code) {
			return ruleReceiverTwice.With(code)
		}
	}
	return nil
}
