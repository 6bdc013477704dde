package audit

import (
	"time"

	"tram/exchange"
	"tram/signing"
)

// statement is what a receipt says, for programs.
type statement struct {
	ID         exchange.ReceiptID  `json:"id"`
	Event      exchange.Event      `json:"event"`
	Time       time.Time           `json:"time"`
	Hub        exchange.Hub        `json:"hub"`
	Sender     partyOut            `json:"sender"`
	Submitter  string              `json:"submitter,omitempty"`
	Recipients []partyOut          `json:"recipients"`
	Receiver   string              `json:"receiver,omitempty"`
	Submitted  time.Time           `json:"submitted,omitzero"`
	Package    exchange.PackageID  `json:"package,omitempty"`
	Delivery   exchange.DeliveryID `json:"delivery,omitempty"`
	Document   string              `json:"document,omitempty"`
	Reason     exchange.Code       `json:"reason,omitempty"`
	Detail     string              `json:"detail,omitempty"`
	Parts      []partOut           `json:"parts"`
	Basis      basisOut            `json:"basis"`
	// PDFs are what the hub found of signatures inside PDF files.
	PDFs []pdfOut `json:"pdfs,omitempty"`
}

// pdfOut is of one part: its place in Parts, from 1.
type pdfOut struct {
	Part       int                     `json:"part"`
	Count      int                     `json:"count"`
	State      signing.PDFState        `json:"state,omitempty"`
	Whole      bool                    `json:"whole"`
	Signatures []exchange.PDFSignature `json:"signatures"`
}

type partyOut struct {
	Code string `json:"code"`
	Name string `json:"name,omitempty"`
}

type partOut struct {
	Identifier  string          `json:"identifier"`
	ContentType string          `json:"contentType"`
	SHA256      exchange.Digest `json:"sha256"`
}

type basisOut struct {
	Method      string          `json:"method"`
	Algorithm   string          `json:"algorithm,omitempty"`
	Certificate exchange.Digest `json:"certificate,omitzero"`
	Subject     string          `json:"subject,omitempty"`
	Matched     string          `json:"matched,omitempty"`
	// Status is the status package that answered for the recipient.
	Status *statusOut `json:"status,omitempty"`
	// Revocation is what was known when the hub acted, Later what was found out.
	Revocation exchange.RevocationFinding `json:"revocation,omitzero"`
	Later      exchange.RevocationFinding `json:"laterRevocation,omitzero"`
}

// statusOut is a status package that settled a delivery.
type statusOut struct {
	Code    string             `json:"code"`
	Package exchange.PackageID `json:"package"`
	SHA256  exchange.Digest    `json:"sha256"`
	// CoversContent is false: a status names the document, not its digest.
	CoversContent bool `json:"coversContent"`
}

func statusOf(s exchange.StatusBasis) *statusOut {
	if s.Code == "" {
		return nil
	}
	return &statusOut{Code: s.Code, Package: s.Package, SHA256: s.Digest}
}

func says(e exchange.Evidence) *statement {
	s := &statement{ID: e.ID, Event: e.Event, Time: e.Time, Hub: e.Hub, Sender: partyOut{e.Sender.Code, e.Sender.Name},
		Submitter: e.Submitter, Recipients: []partyOut{}, Receiver: e.Receiver, Submitted: e.SubmitTime,
		Package: e.Package, Delivery: e.Delivery, Document: e.DocumentID, Reason: e.Reason, Detail: e.Detail,
		Parts: []partOut{}, Basis: basisOut{e.Basis.Method, e.Basis.Algorithm, e.Basis.Certificate, e.Basis.Subject,
			e.Basis.Matched, statusOf(e.Basis.Status), e.Basis.Revocation, e.Basis.Later}}
	for _, r := range e.Recipients {
		s.Recipients = append(s.Recipients, partyOut{r.Code, r.Name})
	}
	for _, p := range e.Parts {
		s.Parts = append(s.Parts, partOut{p.Identifier, p.ContentType, p.Digest})
	}
	for _, f := range e.PDFs {
		s.PDFs = append(s.PDFs, pdfOut{f.Part, f.Count, f.State, f.Whole, f.Signatures})
	}
	return s
}
