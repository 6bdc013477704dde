package edxml

import (
	"strings"

	"tram/exchange"
	"tram/signing"
)

// status reads a status package: what an agency says about a document that it
// received, or, with code 13, that it takes its own back. It has no recipients
// of its own: the exchange knows who sent or received the document.
func (r *reading) status(message *signing.Element) exchange.Package {
	p := exchange.Package{Kind: exchange.KindStatus, Status: &exchange.StatusMessage{}}
	r.sender(&p, message)
	s := p.Status
	response := r.need(message, "<edXML:ResponseFor>", "ResponseFor")
	to, e := r.code(response)
	s.ToAs, s.Place = to, place(e)
	r.about(s, response)

	code, e := r.must(message, "03", "StatusCode")
	s.Code = r.statusCode(code, e)
	s.Description = r.text(message, "Description")
	if s.Description == "" && (s.Code == "02" || s.Code == "16") {
		r.warn(warnReason, message)
	}
	s.Timestamp = r.loose(message, "Timestamp", timeForm, warnTimestamp)
	return p
}

// about reads which document a status is about: its identifier, or its number
// and date, by which it can be found as well.
func (r *reading) about(s *exchange.StatusMessage, response *signing.Element) {
	s.Notation = r.notation(r.one(response, "Code"))
	s.Date = r.loose(response, "PromulgationDate", dateForm, warnResponseDate)
	e := r.one(response, "DocumentId")
	s.DocumentID = r.value(e)
	r.refuse(checkID(s.DocumentID), e)
	if s.DocumentID == "" && s.Notation == "" {
		r.must(response, exampleID, "DocumentId")
	}
}

// notation reads "1250/STC-NS", in one text or in two fields as in a document.
func (r *reading) notation(code *signing.Element) string {
	if code == nil || len(code.Children) == 0 {
		return r.value(code)
	}
	number, notation := r.text(code, "CodeNumber"), r.text(code, "CodeNotation")
	return strings.Trim(number+"/"+notation, "/")
}

// loose reads a time that nothing depends on: in another form it is passed over.
func (r *reading) loose(parent *signing.Element, name, form string, otherwise exchange.Rule) string {
	v := r.text(parent, name)
	if v != "" && !hasForm(v, form) {
		r.warn(otherwise, r.one(parent, name))
		return ""
	}
	return v
}

// statusCode reads a status code as the standard writes it.
func (r *reading) statusCode(code string, at *signing.Element) string {
	if len(code) == 1 && code >= "1" && code <= "6" {
		r.warn(warnStatusDigits, at)
		return "0" + code
	}
	switch code {
	case "01", "02", "03", "04", "05", "06", "13", "15", "16", "":
		return code
	case "14": // a widely copied client sends it for "agreed"
		r.warn(warnStatus14, at)
		return "15"
	}
	r.refuse(ruleStatusCode.With(excerpt(code)), at)
	return code
}
