package edxml

import (
	"slices"

	"tram/exchange"
	"tram/signing"
)

// Examples in refusals, of the form that is expected.
const (
	exampleID     = "H12.07,2026/11/20,1250/STC-NS"
	exampleDate   = "2026/11/20"
	exampleNumber = "1250"
)

// message reads the header of a document or of a status.
func (r *reading) message(envelope *signing.Element) exchange.Package {
	header := r.need(envelope, "<edXML:edXMLHeader>", "edXMLHeader")
	r.noSignature(header)
	message := r.statusElement(header)
	if message == nil {
		message = r.need(header, "<edXML:MessageHeader>", "MessageHeader")
	}
	trace := r.one(header, "TraceHeaderList")
	if code := r.one(message, "StatusCode"); r.value(code) != "" {
		if trace != nil {
			r.refuse(ruleMixedKinds.With(), trace)
		}
		return r.status(message)
	}
	if trace == nil && message.Child(Namespace, "To") == nil && message.Child(Namespace, "ResponseFor") != nil {
		return r.status(message) // meant as one: it lacks its code
	}
	return r.document(message, r.one(trace, "Bussiness", "Business"))
}

// statusElement refuses a status that is not in a MessageHeader, and finds it.
func (r *reading) statusElement(header *signing.Element) (found *signing.Element) {
	for _, name := range []string{"MessageStatus", "Status"} {
		if e := header.Child(Namespace, name); e != nil {
			r.refuse(ruleStatusElement.With(name), e)
			found = e
		}
	}
	return found
}

// noSignature warns of what some software writes in a signature's place.
func (r *reading) noSignature(header *signing.Element) {
	if e := header.Child(Namespace, "Signature"); e != nil {
		r.warn(warnNotSignature, e)
	}
	if e := header.Child(Namespace, "DigitalSignature"); e != nil && (e.Value() != "" || len(e.Children) > 0) {
		r.warn(warnNotSignature, e)
	}
}

// sender reads who sent the package.
func (r *reading) sender(p *exchange.Package, message *signing.Element) {
	code, e := r.code(r.need(message, "<edXML:From>", "From"))
	p.SenderAs, p.SenderPlace = code, place(e)
}

// document reads the header of a package that carries a document, or that is
// about one.
func (r *reading) document(message, business *signing.Element) exchange.Package {
	p := exchange.Package{}
	r.sender(&p, message)
	r.recipients(&p, message)

	code := r.need(message, "<edXML:Code>", "Code")
	p.Number, _ = r.must(code, exampleNumber, "CodeNumber")
	p.Notation = r.text(code, "CodeNotation")

	info := r.need(message, "<edXML:PromulgationInfo>", "PromulgationInfo")
	r.must(info, exampleDate, "PromulgationDate")
	p.PromulgationDate = r.date(info, "PromulgationDate")
	r.date(message, "DueDate") // checked for the receivers, who misread a wrong one

	p.TypeName = r.text(r.one(message, "DocumentType"), "TypeName")
	p.Subject, _ = r.must(message, "V/v phân bổ kinh phí", "Subject")
	p.Priority = r.priority(r.one(r.one(message, "OtherInfo"), "Priority"))

	id, e := r.must(message, exampleID, "DocumentId")
	r.refuse(checkID(id), e)
	p.DocumentID = id

	r.business(&p, business, e)
	return p
}

// recipients reads who gets the document.
func (r *reading) recipients(p *exchange.Package, message *signing.Element) {
	r.needSome(message, "To")
	for _, to := range message.All(Namespace, "To") {
		code, e := r.code(to)
		p.Recipients = append(p.Recipients, exchange.Recipient{As: code, Name: r.brief(to, "OrganName"), Place: place(e)})
	}
}

// needSome asks for at least one of the children that may repeat.
func (r *reading) needSome(parent *signing.Element, name string) {
	if parent != nil && parent.Child(Namespace, name) == nil {
		r.refuse(missing(parent, name, "<edXML:"+name+">"), nearest(parent, name))
	}
}

func (r *reading) priority(e *signing.Element) int {
	v := r.value(e)
	if v == "" {
		return 0
	}
	if len(v) != 1 || v[0] < '0' || v[0] > '4' {
		r.refuse(rulePriority.With(excerpt(v)), e)
		return 0
	}
	return int(v[0] - '0')
}

// business reads what the package is for (2.2). own is the DocumentId of the
// message.
func (r *reading) business(p *exchange.Package, business, own *signing.Element) {
	e := r.one(business, "BussinessDocType", "BusinessDocType")
	switch v := r.value(e); v {
	case "", "0":
		p.Kind = exchange.KindNew
		return
	case "1":
		p.Kind = exchange.KindRecall
	case "2":
		p.Kind = exchange.KindUpdate
	case "3":
		p.Kind = exchange.KindReplace
	default:
		r.refuse(ruleBusiness.With(excerpt(v)), e)
		return
	}
	if r.text(business, "BussinessDocReason", "BusinessDocReason") == "" {
		r.warn(warnReason, business)
	}
	if p.Kind == exchange.KindReplace {
		r.replaced(p, business)
		return
	}
	r.target(p, business, own)
	if p.Kind == exchange.KindUpdate {
		r.receivers(p, r.one(business, "BussinessDocumentInfo", "BusinessDocumentInfo"))
	}
}

// target reads which document is recalled or updated. The standard does not say
// whether the message repeats its identifier or has its own; where the business
// part names none, it is the message's.
func (r *reading) target(p *exchange.Package, business, own *signing.Element) {
	e := r.one(business, "DocumentId")
	if r.value(e) == "" {
		e = own
	}
	id := e.Value()
	r.refuse(checkID(id), e)
	p.Targets, p.TargetPlace = []string{id}, place(e)
}

// replaced reads which documents a new one replaces.
func (r *reading) replaced(p *exchange.Package, business *signing.Element) {
	list := r.need(business, "<edXML:ReplacementInfoList>", "ReplacementInfoList")
	r.needSome(list, "ReplacementInfo")
	named := map[string]bool{}
	for _, info := range list.All(Namespace, "ReplacementInfo") {
		id, e := r.must(info, exampleID, "DocumentId")
		r.refuse(checkID(id), e)
		if len(p.Targets) == 0 {
			p.TargetPlace = place(e)
		}
		if named[id] {
			continue
		}
		named[id] = true
		p.Targets = append(p.Targets, id)
		p.Replaced = append(p.Replaced, exchange.Replaced{DocumentID: id, For: r.replacedFor(info)})
	}
}

// replacedFor reads for which recipients a document is replaced.
func (r *reading) replacedFor(info *signing.Element) (codes []string) {
	for _, e := range r.one(info, "OrganIdList").All(Namespace, "OrganId") {
		if code := r.value(e); code != "" && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// receivers reads which recipients an update adds and removes.
func (r *reading) receivers(p *exchange.Package, info *signing.Element) {
	lists := map[string]*[]string{} // the one that a receiver is in
	for _, receiver := range r.one(info, "ReceiverList").All(Namespace, "Receiver") {
		code, e := r.code(receiver)
		kind, at := r.must(receiver, "1", "ReceiverType")
		to := &p.Added
		switch kind {
		case "1", "":
		case "0":
			to = &p.Removed
		default:
			r.refuse(ruleReceiverType.With(excerpt(kind)), at)
		}
		in, named := lists[code]
		if named && in != to {
			r.refuse(ruleReceiverTwice.With(code), e)
		}
		if !named {
			*to = append(*to, code)
		}
		lists[code] = to
	}
}
