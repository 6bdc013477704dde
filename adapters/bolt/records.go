package bolt

import (
	"fmt"

	"tram/exchange"
)

// What is kept of each type, in the order of its record. A new field goes to the
// end, and raises the number that stands beside the type.

// packageFields has no identifier: it is the key.
func packageFields(c *coder, p *exchange.Package) {
	near(c, p.ID)
	c.record(27, func(c *coder) {
		word(c, &p.Kind)
		text(c, &p.Sender)
		text(c, &p.SenderAs)
		text(c, &p.System)
		text(c, &p.DocumentID)
		text(c, &p.Number)
		text(c, &p.Notation)
		text(c, &p.PromulgationDate)
		word(c, &p.TypeName)
		text(c, &p.Subject)
		integer(c, &p.Priority)
		list(c, &p.Recipients, recipientFields)
		list(c, &p.Targets, one)
		list(c, &p.Added, one)
		list(c, &p.Removed, one)
		part(c, &p.Status, statusFields)
		digest(c, &p.Digest)
		integer(c, &p.Size)
		digest(c, &p.Content)
		list(c, &p.Attachments, attachmentFields)
		part(c, &p.Signature, signatureFields)
		list(c, &p.Warnings, one)
		moment(c, &p.AcceptedAt)
		list(c, &p.Unknown, recipientFields)
		list(c, &p.Replaced, replacedFields)
		part(c, &p.Scan, scanFields)
		part(c, &p.Purged, purgeFields)
	})
}

func purgeFields(c *coder, p *exchange.Purge) {
	c.record(2, func(c *coder) {
		moment(c, &p.At)
		text(c, &p.Action)
	})
}

func replacedFields(c *coder, r *exchange.Replaced) {
	c.record(2, func(c *coder) {
		text(c, &r.DocumentID)
		list(c, &r.For, one)
	})
}

func scanFields(c *coder, s *exchange.Scan) {
	c.record(4, func(c *coder) {
		text(c, &s.State)
		list(c, &s.Found, one)
		text(c, &s.Engine)
		moment(c, &s.At)
	})
}

// recipientFields come again with each package to an agency.
func recipientFields(c *coder, r *exchange.Recipient) {
	c.record(1, func(c *coder) { once(c, r, nameFields) })
}

func nameFields(c *coder, r *exchange.Recipient) {
	c.record(3, func(c *coder) {
		text(c, &r.Code)
		text(c, &r.As)
		text(c, &r.Name)
	})
}

func attachmentFields(c *coder, a *exchange.Attachment) {
	c.record(8, func(c *coder) {
		text(c, &a.Name)
		text(c, &a.ContentID)
		word(c, &a.ContentType)
		integer(c, &a.Size)
		digest(c, &a.Digest)
		text(c, &a.Detected)
		list(c, &a.Flags, one)
		list(c, &a.Signatures, pdfFields)
	})
}

func pdfFields(c *coder, s *exchange.PDFSignature) {
	c.record(7, func(c *coder) {
		text(c, &s.State)
		text(c, &s.Why)
		text(c, &s.Signer)
		moment(c, &s.At)
		yes(c, &s.Stamped)
		yes(c, &s.TimeStamp)
		yes(c, &s.Whole)
	})
}

func signatureFields(c *coder, s *exchange.Signature) {
	c.record(5, func(c *coder) {
		word(c, &s.Method)
		once(c, s, certificateFields)
		moment(c, &s.SHA1Until)
		word(c, &s.Matched)
		within(c, &s.Revocation, findingFields)
	})
}

// certificateFields are what an agency's signatures have in common.
func certificateFields(c *coder, s *exchange.Signature) {
	c.record(3, func(c *coder) {
		digest(c, &s.Certificate)
		text(c, &s.Subject)
		text(c, &s.Serial)
	})
}

func findingFields(c *coder, f *exchange.RevocationFinding) {
	c.record(7, func(c *coder) {
		word(c, &f.State)
		once(c, f, sourceFields)
		moment(c, &f.CheckedAt)
		moment(c, &f.ThisUpdate)
		moment(c, &f.NextUpdate)
		moment(c, &f.RevokedAt)
		text(c, &f.Reason)
	})
}

func sourceFields(c *coder, f *exchange.RevocationFinding) {
	c.record(2, func(c *coder) {
		digest(c, &f.Certificate)
		text(c, &f.Source)
	})
}

func statusFields(c *coder, s *exchange.StatusMessage) {
	c.record(8, func(c *coder) {
		text(c, &s.Code)
		text(c, &s.To)
		text(c, &s.ToAs)
		text(c, &s.DocumentID)
		text(c, &s.Notation)
		text(c, &s.Date)
		text(c, &s.Description)
		text(c, &s.Timestamp)
	})
}

// deliveryFields has neither package nor index: they are the key.
func deliveryFields(c *coder, d *exchange.Delivery) {
	near(c, d.Package)
	c.record(22, func(c *coder) {
		integer(c, &d.Version) // first, for versionOf
		word(c, &d.State)
		text(c, &d.Sender)
		text(c, &d.Recipient)
		integer(c, &d.Priority)
		integer(c, &d.Attempts)
		moment(c, &d.Next)
		moment(c, &d.Deadline)
		word(c, &d.Reason)
		text(c, &d.Detail)
		moment(c, &d.AcceptedAt)
		moment(c, &d.ConsignedAt)
		moment(c, &d.FetchedAt)
		moment(c, &d.SettledAt)
		list(c, &d.Statuses, businessFields)
		moment(c, &d.SenderRevoked)
		moment(c, &d.RecipientRevoked)
		moment(c, &d.TroubleAt)
		list(c, &d.Requests, requestFields)
		text(c, &d.Quarantine)
		word(c, &d.Upstream)
		text(c, &d.UpstreamID)
	})
}

func businessFields(c *coder, s *exchange.BusinessStatus) {
	c.record(5, func(c *coder) {
		text(c, &s.Code)
		text(c, &s.Description)
		identifier(c, &s.Package)
		moment(c, &s.At)
		text(c, &s.Flag)
	})
}

func requestFields(c *coder, r *exchange.Request) {
	c.record(5, func(c *coder) {
		word(c, &r.Kind)
		identifier(c, &r.Package)
		moment(c, &r.At)
		text(c, &r.Answer)
		moment(c, &r.AnsweredAt)
	})
}

// receiptFields has neither leaf nor document: the key is the one, and the other
// follows the record, squeezed.
func receiptFields(c *coder, r *exchange.Receipt) {
	c.record(9, func(c *coder) {
		identifier(c, &r.ID)
		near(c, r.ID)
		word(c, &r.Event)
		moment(c, &r.Time)
		identifier(c, &r.Package)
		deliveryOf(c, &r.Delivery, r.Package)
		word(c, &r.Reason)
		list(c, &r.Agencies, one)
		text(c, &r.System)
		word(c, &r.TimeStamp) // as it was when it was issued: see receiptAt
	})
}

// deliveryOf is a delivery's identifier where the package's is known: most need
// only the recipient's place.
func deliveryOf(c *coder, id *exchange.DeliveryID, p exchange.PackageID) {
	if !c.has(*id != "") {
		return
	}
	place := 0
	if !c.reading {
		if key, ok := parseDelivery(*id); ok {
			if of, n := cutDelivery(key); of == p {
				place = n
			}
		}
	}
	whole := string(*id)
	c.record(2, func(c *coder) {
		integer(c, &place)
		if place != 0 {
			whole = ""
		}
		text(c, &whole)
	})
	if c.reading {
		if *id = exchange.DeliveryID(whole); place != 0 {
			*id = exchange.NewDeliveryID(p, place)
		}
	}
}

func actionFields(c *coder, a *exchange.Action) {
	c.record(7, func(c *coder) {
		text(c, &a.ID)
		moment(c, &a.Time)
		text(c, &a.Actor)
		word(c, &a.Verb)
		text(c, &a.Object)
		text(c, &a.Reason)
		digest(c, &a.Entry)
	})
}

// decodeDelivery reads the delivery with this key.
func decodeDelivery(key, value []byte) (d exchange.Delivery, err error) {
	p, n := cutDelivery(key)
	d.Package, d.Index, d.ID = p, n, exchange.NewDeliveryID(p, n)
	if rest, err := decode(value, &d, deliveryFields); err != nil || len(rest) > 0 {
		return exchange.Delivery{}, fmt.Errorf("delivery %s: %w", d.ID, orDamaged(err))
	}
	return d, nil
}

// decodePackage reads the package with this key.
func decodePackage(s *shapes, key, value []byte) (p exchange.Package, err error) {
	p.ID = idOf[exchange.PackageID](key)
	if rest, err := decodeWith(s, value, &p, packageFields); err != nil || len(rest) > 0 {
		return exchange.Package{}, fmt.Errorf("package %s: %w", p.ID, orDamaged(err))
	}
	return p, nil
}

func orDamaged(err error) error {
	if err == nil {
		return errRecord
	}
	return err
}

// words are texts that come again and again, and are kept as their place here,
// from 1. The list only grows at its end: a word never moves.
var words = []string{
	"new", "recall", "update", "replace", "status",
	"queued", "held", "consigned", "handed-over", "rejected", "failed", "withdrawn",
	"SubmissionAcceptance", "SubmissionRejection", "ContentConsignment", "ContentConsignmentFailure", "ContentHandover",
	"ContentHandoverFailure", "ConsignmentRejection", "AcceptanceRejectionExpiry", "RevocationEstablished",
	"pending", "kept", "registered", "subject-rule", "good", "revoked", "unknown",
	"malformed", "invalid-signature", "untrusted", "not-permitted", "unknown-agency", "not-found", "duplicate", "conflict",
	"too-large", "busy", "unreachable", "refused", "expired", "cancelled", "invalid-acknowledgement", "harmful", "internal",
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
	"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
	"application/pdf", "application/octet-stream", "application/zip", "application/msword",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"hold", "release", "retry", "cancel", "put-agency", "put-system", "put-user",
	"Công văn", "Quyết định", "Thông báo", "Báo cáo", "Tờ trình", "Kế hoạch", "Giấy mời", "Chỉ thị", "Nghị quyết", "Hướng dẫn",
	"RelayAcceptance", "RelayRejection", "RelayFailure", "upstream",
}
