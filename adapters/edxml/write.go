package edxml

import (
	"archive/zip"
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"tram/exchange"
)

// Write writes a package, unsigned: sign it with the Signature in edXMLHeader.
// The same document gives the same bytes. What is wrong with the document's
// fields is found before anything is written; after another error what was
// written is of no use.
func Write(w io.Writer, d Document) error {
	d, err := d.complete()
	if err != nil {
		return err
	}
	m := &markup{}
	m.b = append(m.b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<edXML xmlns=\""+Namespace+"\">\n"...)
	m.depth++
	m.envelope(d)
	if m.err != nil {
		return m.err
	}
	out := bufio.NewWriter(w)
	_, _ = out.Write(m.b) // bufio keeps the error for Flush
	if err := writeAttachments(out, d.Attachments); err != nil {
		return err
	}
	_, _ = out.WriteString("</edXML>\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the package: %w", err)
	}
	return nil
}

func blank(s string) bool { return trim(s) == "" }

func (m *markup) envelope(d Document) {
	m.in(prefix+"edXMLEnvelope", ` xmlns:edXML="`+Namespace+`"`, func() {
		m.group("edXMLHeader", func() {
			if d.Kind == exchange.KindStatus {
				m.status(d)
				return
			}
			m.message(d)
			m.trace(d)
		})
		if d.Kind != exchange.KindStatus {
			m.manifest(d.Attachments)
		}
	})
}

// message writes the fields in the standard's order (1.1 to 1.14).
func (m *markup) message(d Document) {
	m.group("MessageHeader", func() {
		m.organ("From", d.From)
		for _, to := range d.To {
			m.organ("To", to)
		}
		m.group("Code", func() {
			m.field("CodeNumber", d.Number)
			m.field("CodeNotation", d.Notation)
		})
		m.group("PromulgationInfo", func() {
			m.field("Place", d.Place)
			m.date("PromulgationDate", d.Date)
		})
		m.group("DocumentType", func() {
			m.number("Type", d.Type)
			m.field("TypeName", d.TypeName)
			if d.TypeDetail > 0 {
				m.number("TypeDetail", d.TypeDetail)
			}
		})
		m.field("Subject", d.Subject)
		m.field("Content", d.Content)
		m.group("SignerInfo", func() {
			m.field("Competence", d.Signer.Competence)
			m.field("Position", d.Signer.Position)
			m.field("FullName", d.Signer.FullName)
		})
		m.date("DueDate", d.DueDate)
		if len(d.ToPlaces) > 0 {
			m.group("ToPlaces", func() {
				for _, line := range d.ToPlaces {
					m.field("Place", line)
				}
			})
		}
		m.group("OtherInfo", func() { m.number("Priority", d.Priority) })
		for _, a := range d.Answers {
			m.responseFor(a.From, a.Notation, a.ID, a.Date)
		}
		if d.Steering > 0 {
			m.number("SteeringType", d.Steering)
		}
		m.field("DocumentId", d.ID)
	})
}

func (m *markup) organ(name string, o Organ) {
	m.group(name, func() {
		m.field("OrganId", o.Code)
		m.field("OrganizationInCharge", o.InCharge)
		m.field("OrganName", o.Name)
		m.field("OrganAdd", o.Address)
		m.field("Email", o.Email)
		m.field("Telephone", o.Telephone)
		m.field("Fax", o.Fax)
		m.field("Website", o.Website)
	})
}

// trace writes where the package has been so far, and what it is for (2.1, 2.2).
func (m *markup) trace(d Document) {
	attributes := ` id="` + d.trace() + `" version="1.0" mustUnderstand="1" actor="http://schemas.xmlsoap.org/soap/actor/next"`
	m.in(prefix+"TraceHeaderList", attributes, func() {
		m.group("TraceHeader", func() {
			m.field("OrganId", d.From.Code)
			m.time("Timestamp", d.Sent)
		})
		m.group("Bussiness", func() { m.business(d) })
	})
}

func (m *markup) business(d Document) {
	m.number("BussinessDocType", docType(d.Kind))
	m.field("BussinessDocReason", d.Reason)
	if d.Kind == exchange.KindUpdate {
		m.changes(d)
	}
	if d.Kind == exchange.KindUpdate || d.Kind == exchange.KindRecall {
		m.field("DocumentId", d.Target)
	}
	m.staff(d.Staff)
	m.number("Paper", 0)
	if d.Kind != exchange.KindReplace {
		return
	}
	m.group("ReplacementInfoList", func() {
		for _, r := range d.Replaced {
			m.group("ReplacementInfo", func() {
				m.field("DocumentId", r.ID)
				if len(r.To) == 0 {
					return
				}
				m.group("OrganIdList", func() {
					for _, code := range r.To {
						m.field("OrganId", code)
					}
				})
			})
		}
	})
}

func docType(k exchange.Kind) int {
	switch k {
	case exchange.KindRecall:
		return 1
	case exchange.KindUpdate:
		return 2
	case exchange.KindReplace:
		return 3
	}
	return 0
}

// changes writes what an update changes (2.2.3).
func (m *markup) changes(d Document) {
	m.group("BussinessDocumentInfo", func() {
		m.flag("DocumentInfo", d.Corrected)
		receivers := len(d.Added)+len(d.Removed) > 0
		m.flag("DocumentReceiver", receivers)
		if !receivers {
			return
		}
		m.group("ReceiverList", func() {
			for _, code := range d.Added {
				m.receiver(code, true)
			}
			for _, code := range d.Removed {
				m.receiver(code, false)
			}
		})
	})
}

func (m *markup) receiver(code string, added bool) {
	m.group("Receiver", func() {
		m.field("OrganId", code)
		m.flag("ReceiverType", added)
	})
}

func (m *markup) staff(s Staff) {
	if s == (Staff{}) {
		return
	}
	m.group("StaffInfo", func() {
		m.field("Department", s.Department)
		m.field("Staff", s.Name)
		m.field("Mobile", s.Mobile)
		m.field("Email", s.Email)
	})
}

// status writes a status message; its element is MessageHeader too.
func (m *markup) status(d Document) {
	s := d.Status
	m.group("MessageHeader", func() {
		m.organ("From", d.From)
		m.responseFor(s.To, s.Notation, s.ID, s.Date)
		m.staff(d.Staff)
		m.field("StatusCode", s.Code)
		m.field("Description", s.Description)
		m.time("Timestamp", d.Sent)
	})
}

// responseFor names the document that a status or a document answers (1.12).
func (m *markup) responseFor(from, notation, id string, date time.Time) {
	m.group("ResponseFor", func() {
		m.field("OrganId", from)
		m.field("Code", notation)
		m.field("DocumentId", id)
		m.date("PromulgationDate", date)
	})
}

func (m *markup) manifest(files []Attachment) {
	m.group("edXMLBody", func() {
		m.in(prefix+"edXMLManifest", ` version="1.0"`, func() {
			for _, a := range files {
				m.group("Reference", func() {
					m.field("ContentId", "cid:"+a.ContentID)
					m.field("ContentType", a.ContentType)
					m.field("Description", a.Description)
					m.field("AttachmentName", a.Name)
				})
			}
		})
	})
}

// wireType is an attachment's ContentType, which decides whether receivers
// unwrap it. The published SDKs send these kinds of files as they are and wrap
// every other into a ZIP.
func wireType(a Attachment) (string, error) {
	kind := ""
	switch strings.ToLower(path.Ext(a.Name)) {
	case ".pdf":
		kind = "application/pdf"
	case ".doc":
		kind = "application/doc"
	case ".docx":
		kind = "application/docx"
	default: // ".zip" is sent as it is, whatever else is wrapped
		return "application/zip", nil
	}
	if isZip(strings.TrimSpace(a.ContentType)) {
		return "", fmt.Errorf("attachment %q: the ContentType application/zip would make receivers unwrap it; leave it empty", a.Name)
	}
	if !blank(a.ContentType) {
		kind = a.ContentType
	}
	return kind, nil
}

func writeAttachments(w *bufio.Writer, files []Attachment) error {
	if len(files) == 0 {
		return nil
	}
	_, _ = w.WriteString("  <AttachmentEncoded>\n")
	for _, a := range files {
		if err := writeAttachment(w, a); err != nil {
			return fmt.Errorf("writing attachment %q: %w", a.Name, err)
		}
	}
	_, _ = w.WriteString("  </AttachmentEncoded>\n")
	return nil
}

// writeAttachment streams one file. Its fields stand before the content, so
// that a reader knows what is coming.
func writeAttachment(w *bufio.Writer, a Attachment) error {
	m := &markup{depth: 3}
	m.leaf("ContentType", a.ContentType)
	m.leaf("ContentId", a.ContentID)
	m.leaf("Description", a.Description)
	m.leaf("AttachmentName", a.Name)
	if m.err != nil {
		return m.err
	}
	_, _ = fmt.Fprintf(w, "    <Attachment>\n%s      <ContentTransferEncoded>", m.b)
	if err := encode(w, a); err != nil {
		return err
	}
	_, err := w.WriteString("</ContentTransferEncoded>\n    </Attachment>\n")
	return err
}

// encode streams a file's content.
func encode(w io.Writer, a Attachment) error {
	in, err := a.Open()
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	if !wrapped(a.ContentType, a.Name) {
		n, err := io.Copy(encoder, in)
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the file is empty")
		}
		return encoder.Close()
	}
	if err := wrap(encoder, a.Name, in); err != nil {
		return err
	}
	return encoder.Close()
}

// wrap writes a ZIP with the file as its one entry. The entry's time is fixed,
// so that the same file gives the same bytes.
func wrap(w io.Writer, name string, in io.Reader) error {
	z := zip.NewWriter(w)
	entry, err := z.CreateHeader(&zip.FileHeader{
		Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		return err
	}
	if _, err := io.Copy(entry, in); err != nil {
		return err
	}
	return z.Close()
}
