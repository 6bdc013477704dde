package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// A paper is a description: a YAML or JSON file that says what a document is, with the
// words of compose; or a status; or an answer to a delivery.
type paper struct {
	Kind         string   `yaml:"kind"` // new without it; recall, update, replace, status
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	Number       string   `yaml:"number"`
	Notation     string   `yaml:"notation"`
	Date         string   `yaml:"date"`
	Place        string   `yaml:"place"`
	TypeName     string   `yaml:"type_name"`
	Type         int      `yaml:"type"`
	TypeDetail   int      `yaml:"type_detail"`
	Subject      string   `yaml:"subject"`
	Content      string   `yaml:"content"`
	Signer       string   `yaml:"signer"`
	Position     string   `yaml:"signer_position"`
	Competence   string   `yaml:"signer_competence"`
	Due          string   `yaml:"due"`
	Priority     int      `yaml:"priority"`
	DocumentID   string   `yaml:"document_id"`
	Attach       []string `yaml:"attach"` // names of files beside it
	Staff        string   `yaml:"staff"`
	Department   string   `yaml:"department"`
	Target       string   `yaml:"target"`   // of a recall or an update
	Replaces     []string `yaml:"replaces"` // of a replacement
	Reason       string   `yaml:"reason"`   // of those, or of a refusal
	Corrected    bool     `yaml:"corrected"`
	Add          []string `yaml:"add"`
	Remove       []string `yaml:"remove"`
	Delivery     string   `yaml:"delivery"`      // what a status or an answer is about
	Code         string   `yaml:"code"`          // of a status
	For          string   `yaml:"for"`           // who sent the document, without delivery
	Document     string   `yaml:"document"`      // its identifier, without delivery
	DocumentDate string   `yaml:"document_date"` // likewise
	Description  string   `yaml:"description"`   // of a status
	Answer       string   `yaml:"answer"`        // accept or refuse
}

func readDescription(file string) (paper, error) {
	var d paper
	b, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // Windows editors
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		said := yaml.FormatError(err, false, true)
		return d, lastingf("invalid-description", "%s cannot be read:\n%s\nCorrect it and drop it into the outbox again",
			"không đọc được bản mô tả %s:\n%s\nHãy sửa rồi thả lại vào outbox", filepath.Base(file), said)
	}
	for _, name := range d.Attach {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return d, lastingf("invalid-description", "attach names %q, which is not a file beside the description",
				"mục attach ghi %q, không phải tên tệp nằm cạnh bản mô tả", name)
		}
	}
	return d, nil
}

// kind is that of the package to make.
func (d paper) kind() exchange.Kind {
	if d.Code != "" {
		return exchange.KindStatus
	}
	return exchange.Kind(cmp.Or(d.Kind, string(exchange.KindNew)))
}

// composition is what compose is given by flags. files are beside the
// description.
func (d paper) composition(files []string) composition {
	return composition{from: d.From, to: d.To, number: d.Number, notation: d.Notation, date: d.Date, place: d.Place,
		typeName: cmp.Or(d.TypeName, "Công văn"), typ: cmp.Or(d.Type, 2), detail: d.TypeDetail, subject: d.Subject, content: d.Content,
		signer: d.Signer, position: d.Position, competence: d.Competence, due: d.Due, priority: d.Priority, id: d.DocumentID,
		attach: files, staff: d.Staff, department: d.Department, target: d.Target, replaces: d.Replaces, reason: d.Reason,
		corrected: d.Corrected, add: d.Add, remove: d.Remove, statusCode: d.Code, statusTo: d.For, statusDate: d.DocumentDate,
		description: d.Description}
}

// ofDelivery fills in what a status is about.
func (d *paper) ofDelivery(ctx context.Context, a *agent) error {
	if d.Delivery == "" {
		d.DocumentID = d.Document
		return nil
	}
	id, err := fileName(exchange.DeliveryID(d.Delivery))
	if err != nil {
		return err
	}
	item, err := a.hub.Delivery(ctx, exchange.DeliveryID(id))
	if err != nil {
		return err
	}
	p := item.Package
	d.For, d.DocumentID, d.DocumentDate = p.Sender, p.DocumentID, p.PromulgationDate
	if d.Notation = p.Number; p.Notation != "" {
		d.Notation += "/" + p.Notation
	}
	return nil
}

func isDescription(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func isPackage(name string) bool { return strings.EqualFold(filepath.Ext(name), ".edxml") }

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// compose writes an unsigned package of a description into a file.
func (a *agent) compose(ctx context.Context, d paper, attachments []string, file string) error {
	kind := d.kind()
	if kind == exchange.KindStatus {
		if err := d.ofDelivery(ctx, a); err != nil {
			return err
		}
		attachments = nil
	}
	doc, err := d.composition(attachments).document(kind, cmp.Or(d.From, a.p.settings.Agency), time.Now())
	if err != nil {
		return err
	}
	return writing(file, true, 0o640, func(w io.Writer) error { return edxml.Write(w, doc) })
}

// signed makes the package that will be submitted, whole and durable.
func (a *agent) signed(in, out string) error {
	doc, err := readPackage(in)
	if err != nil {
		return err
	}
	src, err := os.Open(in)
	if err != nil {
		return err
	}
	defer src.Close()
	err = writing(out, true, 0o640, func(w io.Writer) error {
		if doc.Signature != nil {
			_, err := io.Copy(w, src)
			return err
		}
		by := a.p.signs
		return signing.Sign(w, src, by.key, by.chain, edxml.SignaturePlace())
	})
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(out))
}

// readPackage holds a package to every rule that can be known here.
func readPackage(file string) (*signing.Document, error) {
	doc, _, err := decodePackage(file)
	return doc, err
}

func decodePackage(file string) (*signing.Document, exchange.Package, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, exchange.Package{}, err
	}
	defer in.Close()
	decoder := edxml.New(edxml.Options{}).Decoder()
	options := decoder.Options()
	options.SHA1 = true // whether that passes is the hub's to say
	doc, err := signing.Read(in, options)
	if err != nil {
		return nil, exchange.Package{}, err
	}
	pkg, err := decoder.Decode(doc)
	return doc, pkg, err
}
