package edxml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tram/exchange"
	"tram/schemas"
)

func bytesOf(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

var kinds = []exchange.Kind{exchange.KindNew, exchange.KindRecall, exchange.KindUpdate, exchange.KindReplace, exchange.KindStatus}

// document is a document of a kind with every field filled in.
func document(kind exchange.Kind) Document {
	d := Document{
		Kind:   kind,
		From:   Organ{Code: "H12.07", InCharge: "H12", Name: "Sở Tài chính", Address: "Số 3", Email: "a@example.vn", Telephone: "0290", Fax: "1", Website: "http://example.vn"},
		To:     []Organ{{Code: "H12.12", Name: "Sở Y tế"}, {Code: "000.00.40.H12"}},
		Number: "1250", Notation: "STC-NS", Place: "Cà Mau", Date: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		Type: 2, TypeDetail: 18, TypeName: "Công văn", Subject: "V/v \"phân bổ\" <kinh phí> & quý IV", Content: "như trên",
		Signer:  Signer{"KT. GIÁM ĐỐC", "Phó Giám đốc", "Nguyễn Văn A"},
		DueDate: time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC), ToPlaces: []string{"Như trên", "Lưu: VT"}, Priority: 2, Steering: 1,
		Answers: []Answered{{From: "H12.12", ID: "H12.12,2026/11/18,88/SYT-KH", Notation: "88/SYT-KH", Date: time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)}, {From: "000.00.40.H12", Notation: "7"}},
		Sent:    time.Date(2026, 11, 20, 2, 20, 31, 0, time.UTC), Staff: Staff{"Văn phòng", "Trần Thị B", "0900000000", "b@example.vn"},
		Reason: "Sai số liệu", Corrected: true,
		Attachments: []Attachment{
			{Name: "CV.pdf", Description: "Văn bản chính", Open: bytesOf([]byte("%PDF-1.4\n"))},
			{Name: "Phụ lục.csv", ContentID: "b", Open: bytesOf([]byte(csv))},
			{Name: "a.zip", Open: bytesOf([]byte("PK"))},
		},
	}
	switch kind {
	case exchange.KindRecall:
		d.Target, d.Attachments = "H12.07,2026/11/19,1/STC", nil
	case exchange.KindUpdate:
		d.Target, d.Added, d.Removed = "H12.07,2026/11/19,1/STC", []string{"H12.12"}, []string{"H12.41"}
	case exchange.KindReplace:
		d.Replaced = []Replaced{{"a", []string{"H12.12"}}, {"b", nil}}
	case exchange.KindStatus:
		d.Status = Status{Code: "03", To: "H12.07", ID: "x", Notation: "1/STC", Date: d.Date, Description: "Đã tiếp nhận"}
		d.Attachments, d.To = nil, nil
	}
	return d
}

func written(t interface{ Fatal(...any) }, d Document) []byte {
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// expected is the package that reading a written document must give.
func expected(d Document, contents [][]byte) exchange.Package {
	p := exchange.Package{Kind: d.Kind, SenderAs: d.From.Code}
	if d.Kind == exchange.KindStatus {
		p.Status = &exchange.StatusMessage{Code: d.Status.Code, ToAs: d.Status.To, DocumentID: trim(d.Status.ID), Notation: trim(d.Status.Notation),
			Description: trim(d.Status.Description), Timestamp: d.Sent.UTC().Add(7 * time.Hour).Format("2006/01/02 15:04:05")}
		if !d.Status.Date.IsZero() {
			p.Status.Date = d.Status.Date.Format("2006/01/02")
		}
		return p
	}
	p.DocumentID, p.Number, p.Notation = trim(d.ID), trim(d.Number), trim(d.Notation)
	p.PromulgationDate, p.TypeName, p.Subject, p.Priority = d.Date.Format("2006/01/02"), trim(d.TypeName), trim(d.Subject), d.Priority
	for _, to := range d.To {
		p.Recipients = append(p.Recipients, exchange.Recipient{As: to.Code, Name: trim(to.Name)})
	}
	switch d.Kind {
	case exchange.KindUpdate:
		p.Added, p.Removed = d.Added, d.Removed
		fallthrough
	case exchange.KindRecall:
		p.Targets = []string{trim(d.Target)}
	case exchange.KindReplace:
		for _, r := range d.Replaced {
			p.Targets = append(p.Targets, trim(r.ID))
			replaced := exchange.Replaced{DocumentID: trim(r.ID)}
			for _, code := range r.To {
				if !slices.Contains(replaced.For, code) {
					replaced.For = append(replaced.For, code)
				}
			}
			p.Replaced = append(p.Replaced, replaced)
		}
	}
	for i, a := range d.Attachments {
		p.Attachments = append(p.Attachments, exchange.Attachment{Name: a.Name, ContentID: a.ContentID,
			Size: int64(len(contents[i])), Digest: exchange.DigestOf(contents[i])})
	}
	return p
}

// draw makes any document that Write should take.
func draw(t *rapid.T) (Document, [][]byte) {
	text := rapid.StringOfN(rapid.OneOf(rapid.RuneFrom([]rune("abcĐđẵ \n\r\t<>&\"']]>")), rapid.RuneFrom([]rune("ếA1/-,"))), 1, 30, -1)
	some := text.Filter(func(s string) bool { return !blank(s) })
	word := rapid.StringMatching(`[A-Za-zĐđ0-9/,\-]{1,40}`)
	code := rapid.OneOf(rapid.StringMatching(`[A-Z][0-9]{2}(\.[0-9A-Z]{1,4}){0,4}`), rapid.StringMatching(`[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}`))
	codes := rapid.SliceOfNDistinct(code, 0, 4, rapid.ID)
	day := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, "second"), 0).UTC()
	})
	d := Document{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
		From: Organ{Code: code.Draw(t, "from"), Name: text.Draw(t, "from name")},
		ID:   word.Draw(t, "id"), Number: some.Draw(t, "number"), Notation: text.Draw(t, "notation"), Date: day.Draw(t, "date"),
		TypeName: some.Draw(t, "type"), Subject: some.Draw(t, "subject"), Priority: rapid.IntRange(0, 4).Draw(t, "priority"),
		Sent: day.Draw(t, "sent"), Reason: some.Draw(t, "reason"), Target: word.Draw(t, "target"),
		ToPlaces: rapid.SliceOfN(text, 0, 2).Draw(t, "places"),
	}
	for _, c := range rapid.SliceOfN(code, 1, 4).Draw(t, "to") {
		d.To = append(d.To, Organ{Code: c, Name: text.Draw(t, "to name")})
	}
	d.Added = codes.Draw(t, "added")
	d.Removed = slices.DeleteFunc(codes.Draw(t, "removed"), func(c string) bool { return slices.Contains(d.Added, c) })
	for _, id := range rapid.SliceOfNDistinct(word, 1, 3, rapid.ID).Draw(t, "replaced") {
		d.Replaced = append(d.Replaced, Replaced{ID: id, To: codes.Draw(t, "for")})
	}
	d.Status = Status{Code: rapid.SampledFrom([]string{"01", "03", "05", "13", "15"}).Draw(t, "status"), To: code.Draw(t, "status to"),
		ID: word.Draw(t, "status id"), Notation: word.Draw(t, "status notation"), Date: day.Draw(t, "status date"), Description: text.Draw(t, "description")}
	if d.Kind == exchange.KindStatus {
		return d, nil
	}
	return d, drawFiles(t, &d)
}

func drawFiles(t *rapid.T, d *Document) (contents [][]byte) {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-zĐạ][A-Za-zĐạ (),]{0,20}[A-Za-z]\.(pdf|PDF|doc|docx|zip|csv|xlsx|tar\.gz|x)`), 0, 3, strings.ToLower).Draw(t, "names")
	for i, name := range names {
		content := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "content")
		if n := rapid.SampledFrom([]int{1, 1, 1, 700}).Draw(t, "times"); n > 1 { // longer than every buffer
			content = bytes.Repeat(content, n)
		}
		contents = append(contents, content)
		d.Attachments = append(d.Attachments, Attachment{Name: name, ContentID: fmt.Sprintf("c%d", i), Open: bytesOf(content)})
	}
	return contents
}

func TestWhatIsWrittenIsReadBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, contents := draw(t)
		p, err := decode(New(Options{Types: TypesOff}), bytes.NewReader(written(t, d)))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Warnings) > 0 {
			t.Errorf("warnings %v on a package of our own", p.Warnings)
		}
		for i := range p.Attachments {
			p.Attachments[i].ContentType = ""
		}
		if diff := cmp.Diff(expected(d, contents), meaning(p), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-written +read)\n%s", diff)
		}
	})
}

func TestWrittenGolden(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			got := written(t, document(kind))
			if again := written(t, document(kind)); !bytes.Equal(got, again) {
				t.Error("the same document gave other bytes")
			}
			file := filepath.Join("testdata", "written-"+string(kind)+".edxml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-%s +got)\n%s", file, diff)
			}
		})
	}
}

func TestWrittenFitsTheSchema(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("xmllint is needed here:", err)
	}
	if err != nil {
		t.Skip("xmllint is not installed; install libxml2-utils to check against the schema")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, schemas.Files); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		file := filepath.Join(dir, string(kind)+".edxml")
		if err := os.WriteFile(file, written(t, document(kind)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(xmllint, "--nonet", "--noout", "--schema", filepath.Join(dir, "edxml.xsd"), file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}

func TestDocumentsNotWritten(t *testing.T) {
	broken := errors.New("the disk is broken")
	tests := []struct {
		name   string
		kind   exchange.Kind
		change func(*Document)
		want   string
	}{
		{"a sender without a code", exchange.KindNew, func(d *Document) { d.From.Code = "" }, "agency-code"},
		{"a recipient whose code is no code", exchange.KindNew, func(d *Document) { d.To[1].Code = "x" }, "agency-code"},
		{"an added recipient whose code is no code", exchange.KindUpdate, func(d *Document) { d.Added = []string{"x"} }, "agency-code"},
		{"a recipient of a replacement whose code is no code", exchange.KindReplace, func(d *Document) { d.Replaced[0].To = []string{"x"} }, "agency-code"},
		{"no recipient", exchange.KindNew, func(d *Document) { d.To = nil }, "To is missing"},
		{"no number", exchange.KindNew, func(d *Document) { d.Number = " " }, "CodeNumber is missing"},
		{"no date", exchange.KindNew, func(d *Document) { d.Date = time.Time{} }, "PromulgationDate is missing"},
		{"no name of the type", exchange.KindNew, func(d *Document) { d.TypeName = "" }, "TypeName is missing"},
		{"no subject", exchange.KindNew, func(d *Document) { d.Subject = "" }, "Subject is missing"},
		{"no time", exchange.KindNew, func(d *Document) { d.Sent = time.Time{} }, "Timestamp is missing"},
		{"a recall without a reason", exchange.KindRecall, func(d *Document) { d.Reason = "" }, "BussinessDocReason is missing"},
		{"a recall of nothing", exchange.KindRecall, func(d *Document) { d.Target = "" }, "DocumentId is missing"},
		{"a replacement of nothing", exchange.KindReplace, func(d *Document) { d.Replaced = nil }, "ReplacementInfo is missing"},
		{"a recipient both added and removed", exchange.KindUpdate, func(d *Document) { d.Removed = d.Added }, "receiver-added-and-removed"},
		{"a kind that is none", exchange.KindNew, func(d *Document) { d.Kind = "other" }, "business-type"},
		{"an answer to nothing", exchange.KindNew, func(d *Document) { d.Answers = []Answered{{From: "H12.12"}} }, "ResponseFor/DocumentId"},
		{"an answer to no agency", exchange.KindNew, func(d *Document) { d.Answers = []Answered{{From: "Sở", ID: "x"}} }, "agency code"},
		{"a priority of 5", exchange.KindNew, func(d *Document) { d.Priority = 5 }, "priority"},
		{"an identifier that is too long", exchange.KindNew, func(d *Document) { d.ID = strings.Repeat("x", 256) }, "document-id-length"},
		{"a target that is too long", exchange.KindRecall, func(d *Document) { d.Target = strings.Repeat("x", 256) }, "document-id-length"},
		{"a character that XML does not have", exchange.KindNew, func(d *Document) { d.Subject = "a\x00b" }, "Subject"},
		{"text that is not UTF-8", exchange.KindNew, func(d *Document) { d.Subject = "C\xe0 Mau" }, "Subject"},
		{"a status code that is none", exchange.KindStatus, func(d *Document) { d.Status.Code = "14" }, "status-code"},
		{"a status code of one digit", exchange.KindStatus, func(d *Document) { d.Status.Code = "1" }, "status-code"},
		{"a status to nobody", exchange.KindStatus, func(d *Document) { d.Status.To = "" }, "agency-code"},
		{"a status about nothing", exchange.KindStatus, func(d *Document) { d.Status.ID, d.Status.Notation = "", "" }, "DocumentId is missing"},
		{"a status without a time", exchange.KindStatus, func(d *Document) { d.Sent = time.Time{} }, "Timestamp is missing"},
		{"a status with a file", exchange.KindStatus, func(d *Document) { d.Attachments = []Attachment{{Name: "a.pdf"}} }, "no attachments"},
		{"a file with a path", exchange.KindNew, func(d *Document) { d.Attachments[1].Name = "../a.csv" }, "attachment-name"},
		{"two files of one identifier", exchange.KindNew, func(d *Document) { d.Attachments[0].ContentID = "b" }, "used already"},
		{"a subject as long as a document", exchange.KindNew, func(d *Document) { d.Subject = strings.Repeat("Đ", 4097) }, "Subject has 4097"},
		{"a recipient's name that is a text", exchange.KindNew, func(d *Document) { d.To[0].Name = strings.Repeat("Đ", 256) }, "OrganName has 256"},
		{"an identifier that begins with cid:", exchange.KindNew, func(d *Document) { d.Attachments[0].ContentID = "cid:x" }, "cid:"},
		{"a PDF called a ZIP", exchange.KindNew, func(d *Document) { d.Attachments[0].ContentType = "application/ZIP" }, "unwrap"},
		{"an empty PDF", exchange.KindNew, func(d *Document) { d.Attachments[0].Open = bytesOf(nil) }, "empty"},
		{"a file that cannot be read to its end", exchange.KindNew, func(d *Document) {
			d.Attachments[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
		}, "the disk is broken"},
		{"a wrapped file that cannot be read to its end", exchange.KindNew, func(d *Document) {
			d.Attachments[1].Open = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
		}, "the disk is broken"},
		{"a file that cannot be opened", exchange.KindNew, func(d *Document) {
			d.Attachments[1].Open = func() (io.ReadCloser, error) { return nil, broken }
		}, "the disk is broken"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := document(test.kind)
			test.change(&d)
			err := Write(io.Discard, d)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the line is broken") }

func TestWriteReportsABrokenWriter(t *testing.T) {
	if err := Write(brokenWriter{}, document(exchange.KindRecall)); err == nil || !strings.Contains(err.Error(), "the line is broken") {
		t.Errorf("error %v, want the writer's", err)
	}
}

func TestContentTypeOfAFileSentAsItIs(t *testing.T) {
	d := document(exchange.KindNew)
	d.Attachments[0].ContentType, d.Attachments[1].ContentType = "application/pdf; x=1", "text/csv"
	p, err := decode(New(Options{}), bytes.NewReader(written(t, d)))
	if err != nil {
		t.Fatal(err)
	}
	if one, two := p.Attachments[0].ContentType, p.Attachments[1].ContentType; one != "application/pdf; x=1" || two != "application/zip" {
		t.Errorf("content types %q and %q, want the one given and that of a wrapped file", one, two)
	}
}

func TestIdentifierIsMadeOfTheDocument(t *testing.T) {
	d := document(exchange.KindNew)
	p, err := decode(New(Options{}), bytes.NewReader(written(t, d)))
	if err != nil || p.DocumentID != "H12.07,2026/11/20,1250/STC-NS" {
		t.Errorf("identifier %q (%v), want the form that others take apart", p.DocumentID, err)
	}
}
