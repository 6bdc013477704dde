package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tram/adapters/edxml"
	"tram/exchange"
)

// composition are the flags of compose.
type composition struct {
	out, from, staff, department                   string
	to, attach, replaces, replacesFor, add, remove []string
	toPlaces, answers                              []string
	steering                                       int
	id, number, notation, place, date, due         string
	typeName, subject, content, reason, target     string
	signer, position, competence                   string
	typ, detail, priority                          int
	corrected, sign                                bool
	statusCode, statusTo, statusDate, description  string
}

func (p *program) compose() *cobra.Command {
	const example = `  agency compose --to H12.12 --number 1250 --notation STC-NS --subject "V/v phân bổ kinh phí" --attach CV_1250.pdf -o 1250.edxml`
	c := p.composing(exchange.KindNew, "compose", "Compose a package (edXML) from fields and files", example)
	c.Long = `compose writes a package: the XML document that carries an official document, or word
about one, from agency to agency. Sign it with "agency sign", or at once with --sign.
Alone it is for a new document; the commands below are for the rest.

Dates are written 2026-11-20. Recipients and senders are codes, with a name after
"=" if you like: --to "H12.12=Sở Y tế".`
	c.AddCommand(
		p.composing(exchange.KindNew, "new", "A new document, as compose alone does", example),
		p.composing(exchange.KindRecall, "recall", "Take a document back", `  agency compose recall --to H12.12 --number 1250 --notation STC-NS --subject "Thu hồi" --target "H12.07,2026/11/20,1250/STC-NS" --reason "Sai số liệu" -o recall.edxml`),
		p.composing(exchange.KindUpdate, "update", "Correct a document's information, or add and remove recipients", `  agency compose update --to H12.12 --number 1250 --notation STC-NS --subject "V/v phân bổ kinh phí quý IV" --target "H12.07,2026/11/20,1250/STC-NS" --corrected --reason "Sửa trích yếu" -o update.edxml`),
		p.composing(exchange.KindReplace, "replace", "A new document in the place of others", `  agency compose replace --to H12.12 --number 1260 --notation STC-NS --subject "V/v phân bổ kinh phí" --replaces "H12.07,2026/11/20,1250/STC-NS" --reason "Sai số liệu" --attach CV_1260.pdf -o 1260.edxml`),
		p.composing(exchange.KindStatus, "status", "Say what became of a document received (codes 01 to 06, 15, 16; 13 takes back one's own)", `  agency compose status --code 03 --for H12.07 --document "H12.07,2026/11/20,1250/STC-NS" --notation 1250/STC-NS --document-date 2026-11-20 -o 03.edxml`),
	)
	return c
}

func (p *program) composing(kind exchange.Kind, use, short, example string) *cobra.Command {
	var o composition
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.runCompose(kind, o) },
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error { return complete(c, kind) }
	f := c.Flags()
	f.StringVarP(&o.out, "output", "o", "", "`file` to write (needed)")
	f.StringVar(&o.from, "from", "", "the sender: `code[=name]`; the settings' agency without it")
	f.StringVar(&o.staff, "staff", "", "who can be asked")
	f.StringVar(&o.department, "department", "", "the department of who can be asked")
	f.BoolVar(&o.sign, "sign", false, "sign it at once")
	if kind == exchange.KindStatus {
		o.statusFlags(f)
		return c
	}
	o.documentFlags(f)
	switch kind {
	case exchange.KindRecall, exchange.KindUpdate:
		f.StringVar(&o.target, "target", "", "identifier of the document it is about (needed)")
	case exchange.KindReplace:
		f.StringArrayVar(&o.replaces, "replaces", nil, "identifier of a document that is replaced; repeat for more (needed)")
		f.StringArrayVar(&o.replacesFor, "replaces-for", nil, "code of an agency that it is replaced for; repeat for more; without it, for all")
	}
	if kind != exchange.KindNew {
		f.StringVar(&o.reason, "reason", "", "why (needed)")
	}
	if kind == exchange.KindUpdate {
		f.BoolVar(&o.corrected, "corrected", false, "the document's own information changes")
		f.StringArrayVar(&o.add, "add", nil, "code of a recipient that is added; repeat for more")
		f.StringArrayVar(&o.remove, "remove", nil, "code of a recipient that is removed; repeat for more")
	}
	return c
}

// complete names all flags that are needed and not given, at once.
func complete(c *cobra.Command, kind exchange.Kind) error {
	var missing []string
	for _, name := range needed(kind) {
		if !c.Flags().Changed(name) {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		return usagef("%s needs %s; see %q", c.Name(), strings.Join(missing, ", "), c.CommandPath()+" --help")
	}
	return nil
}

// needed are the flags without which there is no package of the kind.
func needed(kind exchange.Kind) []string {
	switch kind {
	case exchange.KindStatus:
		return []string{"output", "code", "for"}
	case exchange.KindRecall, exchange.KindUpdate:
		return []string{"output", "to", "number", "subject", "target", "reason"}
	case exchange.KindReplace:
		return []string{"output", "to", "number", "subject", "replaces", "reason"}
	}
	return []string{"output", "to", "number", "subject"}
}

func (o *composition) statusFlags(f *pflag.FlagSet) {
	f.StringVar(&o.statusCode, "code", "", "two digits: 01 arrived, 02 refused, 03 accepted, 04 assigned, 05 in work, 06 done, 13 taken back, 15 agreed, 16 not agreed (needed)")
	f.StringVar(&o.statusTo, "for", "", "code of the agency that sent the document (needed)")
	f.StringVar(&o.id, "document", "", "the document's identifier")
	f.StringVar(&o.notation, "notation", "", "the document's number and notation, such as 1250/STC-NS")
	f.StringVar(&o.statusDate, "document-date", "", "the document's date")
	f.StringVar(&o.description, "description", "", "in words; needed for 02 and 16")
}

func (o *composition) documentFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.to, "to", nil, "a recipient: `code[=name]`; repeat for more (needed)")
	f.StringVar(&o.number, "number", "", "the document's number, such as 1250 (needed)")
	f.StringVar(&o.notation, "notation", "", "the document's notation, such as STC-NS")
	f.StringVar(&o.date, "date", "", "the document's date; today without it")
	f.StringVar(&o.place, "place", "", "where the document was made out")
	f.StringVar(&o.typeName, "type-name", "Công văn", "kind of document, in words")
	f.IntVar(&o.typ, "type", 2, "list of the kind: 1 legal, 2 administrative")
	f.IntVar(&o.detail, "type-detail", 0, "number of the kind in its list, such as 18 for Công văn")
	f.StringVar(&o.subject, "subject", "", "what it is about (needed)")
	f.StringVar(&o.content, "content", "", "short content")
	f.StringVar(&o.signer, "signer", "", "who signed the document: the full name")
	f.StringVar(&o.position, "signer-position", "", "the signer's position")
	f.StringVar(&o.competence, "signer-competence", "", `by what right, such as "KT. GIÁM ĐỐC"`)
	f.StringArrayVar(&o.toPlaces, "to-place", nil, "a line of the printed distribution list; repeat for more")
	f.StringArrayVar(&o.answers, "answers", nil, "a document that this one answers: `code=identifier` of its sender and itself; repeat for more")
	f.IntVar(&o.steering, "steering", 0, "1 does not steer, 2 steers, 3 reports on steering; 0 says nothing")
	f.StringVar(&o.due, "due", "", "date of an answer that is asked for")
	f.IntVar(&o.priority, "priority", 0, "0 normal, 1 urgent, 2 very urgent, 3 express, 4 express by the hour")
	f.StringVar(&o.id, "document-id", "", "the document's identifier; made of sender, date, number and notation without it")
	f.StringArrayVar(&o.attach, "attach", nil, "a `file[=description]` to go with it; repeat for more")
}

func (p *program) runCompose(kind exchange.Kind, o composition) error {
	d, err := o.document(kind, cmp.Or(o.from, p.settings.Agency), time.Now())
	if err != nil {
		return err
	}
	name := o.out
	if o.sign { // the unsigned package is only a stage
		stage, err := os.MkdirTemp(filepath.Dir(o.out), ".compose-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(stage) // nothing in it is needed
		name = filepath.Join(stage, "unsigned.edxml")
	}
	if err := writing(name, false, 0o644, func(w io.Writer) error { return edxml.Write(w, d) }); err != nil {
		return fmt.Errorf("composing: %w", err)
	}
	if !o.sign {
		return p.show(map[string]any{"file": o.out, "signed": false}, func(w io.Writer) {
			fmt.Fprintf(w, "%s, not signed yet\n", o.out)
		})
	}
	return p.signFile(name, o.out, false)
}

func (o composition) document(kind exchange.Kind, from string, now time.Time) (edxml.Document, error) {
	if from == "" {
		return edxml.Document{}, usagef("who sends it? give --from, or agency in the settings")
	}
	d := edxml.Document{Kind: kind, From: organ(from), ID: o.id, Number: o.number, Notation: o.notation, Place: o.place,
		Type: o.typ, TypeDetail: o.detail, TypeName: o.typeName, Subject: o.subject, Content: cmp.Or(o.content, o.subject),
		Signer:   edxml.Signer{Competence: o.competence, Position: o.position, FullName: o.signer},
		Priority: o.priority, Sent: now, Staff: edxml.Staff{Department: o.department, Name: o.staff},
		Reason: o.reason, Target: o.target, Corrected: o.corrected, Added: o.add, Removed: o.remove,
		ToPlaces: o.toPlaces, Steering: o.steering}
	for _, to := range o.to {
		d.To = append(d.To, organ(to))
	}
	for _, id := range o.replaces {
		d.Replaced = append(d.Replaced, edxml.Replaced{ID: id, To: o.replacesFor})
	}
	for _, a := range o.answers {
		from, id, ok := strings.Cut(a, "=")
		if !ok {
			return d, usagef("--answers must be a code and an identifier, such as \"H12.07=H12.07,2026/11/20,1250/STC-NS\", not %q", a)
		}
		d.Answers = append(d.Answers, edxml.Answered{From: from, ID: id})
	}
	for _, a := range o.attach {
		d.Attachments = append(d.Attachments, attachment(a))
	}
	var err error
	if d.DueDate, err = day("--due", o.due); err != nil {
		return d, err
	}
	if kind == exchange.KindStatus {
		return o.status(d)
	}
	if d.Date, err = day("--date", o.date); err != nil {
		return d, err
	}
	if d.Date.IsZero() {
		d.Date = now.In(exchange.Vietnam)
	}
	return d, nil
}

func (o composition) status(d edxml.Document) (edxml.Document, error) {
	date, err := day("--document-date", o.statusDate)
	if err != nil {
		return d, err
	}
	d.ID, d.Notation = "", ""
	d.Status = edxml.Status{Code: o.statusCode, To: o.statusTo, ID: o.id, Notation: o.notation, Date: date, Description: o.description}
	return d, nil
}

// organ reads "code" or "code=name".
func organ(s string) edxml.Organ {
	code, name, _ := strings.Cut(s, "=")
	return edxml.Organ{Code: strings.TrimSpace(code), Name: strings.TrimSpace(name)}
}

// attachment reads "file" or "file=description"; a file whose name has a "=" in
// it is a file.
func attachment(s string) edxml.Attachment {
	file, description := s, ""
	if _, err := os.Stat(s); err != nil {
		file, description, _ = strings.Cut(s, "=")
	}
	return edxml.Attachment{Name: filepath.Base(file), Description: description,
		Open: func() (io.ReadCloser, error) { return os.Open(file) }}
}

// day reads a date; nothing is no date.
func day(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, "2006/01/02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s must be a date such as 2026-11-20, not %q", flag, s)
}
