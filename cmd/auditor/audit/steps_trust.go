package audit

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"tram/adapters/revocation"
	"tram/exchange"
	"tram/signing"
)

// claimed is the time that the signer claims; zero if none does.
func (e *explanation) claimed() time.Time {
	if e.doc == nil || e.doc.Signature == nil {
		return time.Time{}
	}
	return e.doc.Signature.SigningTime
}

func (e *explanation) claimedTime() {
	at := e.claimed()
	if e.doc == nil {
		e.skip(stepSigningTime, "not looked at: the document was refused", "chưa xét: tài liệu đã bị từ chối")
		return
	}
	if at.IsZero() {
		e.skip(stepSigningTime, "the signature claims no time that could be believed to be the signer's word",
			"chữ ký số không nêu thời gian ký nào có thể coi là lời của người ký")
		return
	}
	e.add(stepOut{Step: stepSigningTime, Facts: []factOut{{signing.FactTime, at.Format(time.RFC3339)}}}, nil)
}

// registered asks whether the certificate is one of those given.
func (e *explanation) registered() error {
	if e.Kind == "receipt" && e.options.certificate == "" {
		return nil // the hub's keys say whose it is
	}
	if len(e.chain) == 0 {
		e.skip(stepRegistered, "there is no certificate to compare", "không có chứng thư số để đối chiếu")
		return nil
	}
	if e.options.certificate == "" {
		e.skip(stepRegistered, "give --certificate: the file of the certificates that are registered for the agency; \"hub agency\" shows their SHA-256",
			"hãy nêu --certificate: tệp chứng thư số đã đăng ký cho cơ quan; lệnh \"hub agency\" cho biết SHA-256 của chúng")
		return nil
	}
	pemBytes, err := os.ReadFile(e.options.certificate)
	if err != nil {
		return usagef("reading --certificate: %w", err)
	}
	list, err := signing.ParseCertificates(pemBytes)
	if err != nil {
		return usagef("%s: %w", e.options.certificate, err)
	}
	step := stepOut{Step: stepRegistered, Facts: []factOut{{signing.FactSHA256, exchange.DigestOf(e.chain[0].Raw).String()}}}
	for _, c := range list {
		step.Facts = append(step.Facts, factOut{factRegistered, exchange.DigestOf(c.Raw).String()})
	}
	if slices.ContainsFunc(list, e.chain[0].Equal) {
		e.found(step, nil)
		return nil
	}
	e.found(step, &Finding{Name: certificateUnregistered})
	return nil
}

// judge asks whether the signer's certificate leads to the authorities given, and
// returns the time it is judged at.
func (e *explanation) judge() time.Time {
	j := judgedAt(e.at, e.claimed())
	if e.at.IsZero() && e.receipt != nil {
		j = judgement{At: e.stamp.sealedAt(*e.receipt), Basis: atReceipt}
		if e.stamp != nil && e.stamp.WhileValid {
			j.Basis = atStamp
		}
	}
	switch {
	case len(e.chain) == 0:
		e.skip(stepChain, "there is no certificate to judge", "không có chứng thư số để xét")
	case e.trust == nil:
		e.skip(stepChain, "give --trust: the file of the authorities that the certificate must lead to",
			"hãy nêu --trust: tệp chứng thư số của các tổ chức chứng thực được tin cậy")
	default:
		var err error
		e.path, err = e.trust.Chain(e.chain[0], e.chain[1:], j.At)
		step := stepOut{Step: stepChain, Facts: []factOut{{factJudged, j.in(e.lang)}}}
		if err == nil && !inForce(e.chain[0], j.At) {
			step.Text = phrase(e.lang, fmt.Sprintf("It was not in force at that very moment, but within %s, which clocks may differ by.", e.trust.Skew),
				fmt.Sprintf("Đúng thời điểm này chứng thư số không có hiệu lực, nhưng chênh không quá %s, mức mà đồng hồ được phép lệch.", e.trust.Skew))
		}
		e.add(step, err)
	}
	return j.At
}

// revocation asks the lists given whether the certificate, or one above it, was
// revoked at the time. Nobody is called.
func (e *explanation) revocation(ctx context.Context, at time.Time) error {
	if len(e.options.crls) == 0 {
		e.skip(stepRevocation, "not looked at: give --crl, the file of the authority's list of revoked certificates",
			"chưa xét: hãy nêu --crl, tệp danh sách chứng thư số bị thu hồi của tổ chức chứng thực")
		return nil
	}
	if e.path == nil {
		e.skip(stepRevocation, "not looked at: only an authority that the certificate leads to can tell",
			"chưa xét: chỉ tổ chức chứng thực cấp ra chứng thư số mới cho biết được")
		return nil
	}
	found, err := e.askLists(ctx, at)
	if err != nil {
		return err
	}
	step := stepOut{Step: stepRevocation, Text: exchange.RevocationWords(found.Reason).In(e.lang),
		Facts: []factOut{{signing.FactSHA256, found.Certificate.String()}, {factSource, found.Source}, {factState, string(found.State)}}}
	if !found.RevokedAt.IsZero() {
		step.Facts = append(step.Facts, factOut{factRevokedAt, found.RevokedAt.Format(time.RFC3339)})
	}
	switch found.State {
	case exchange.RevocationGood:
		step.Outcome = holds
	case exchange.RevocationRevoked:
		e.OK, step.Outcome, step.Rule = false, fails, string(exchange.Revoked)
	case exchange.RevocationUnknown:
		step.Outcome = notChecked
	}
	e.Steps = append(e.Steps, step)
	return nil
}

// askLists looks the chain up in the lists, as they stood at --at if it is given.
func (e *explanation) askLists(ctx context.Context, at time.Time) (exchange.RevocationFinding, error) {
	dir, err := os.MkdirTemp("", "auditor-crl-")
	if err != nil {
		return exchange.RevocationFinding{}, err
	}
	defer os.RemoveAll(dir)
	c := revocation.Config{Dir: dir}
	if !e.at.IsZero() {
		c.Now = func() time.Time { return e.at }
	}
	for _, issuer := range e.path[1:] {
		c.Issuers = append(c.Issuers, revocation.Issuer{Certificate: issuer, CRLs: e.options.crls})
	}
	service, err := revocation.New(c)
	if err != nil {
		return exchange.RevocationFinding{}, &usageError{err}
	}
	defer service.Close()
	return service.Check(ctx, e.path, at), nil
}

// unsignedProperties is the path of what an XAdES signature carries without
// signing it, below the signature.
const unsignedProperties = "/QualifyingProperties/UnsignedProperties"

// timeStamp checks the time-stamps on the signature.
func (e *explanation) timeStamp() {
	step := stepOut{Step: stepTimeStamp, Path: e.properties.Path, Line: e.properties.Line}
	switch {
	case e.stampRefused != nil:
		e.add(step, e.stampRefused)
		return
	case e.doc == nil:
		e.skip(stepTimeStamp, "not looked at: the document was refused", "chưa xét: tài liệu đã bị từ chối")
		return
	case e.doc.Signature == nil || len(e.doc.Signature.TimeStamps) == 0:
		e.skip(stepTimeStamp, "the signature carries none: the time is the signer's own word",
			"chữ ký số không kèm dấu thời gian: thời gian chỉ là lời của người ký")
		return
	case e.tsa == nil:
		e.skip(stepTimeStamp, "there is one, over this signature; not checked: needs --tsa-roots, the file of the roots of time-stamp authorities, or --keys of a hub that publishes them",
			"có dấu thời gian trên đúng chữ ký số này; chưa xét: cần --tsa-roots, tệp chứng thư số gốc của tổ chức cấp dấu thời gian, hoặc --keys của trục có công bố các chứng thư số đó")
		return
	}
	step.Path += unsignedProperties + "/UnsignedSignatureProperties/SignatureTimeStamp"
	e.checkStamps(step, e.doc.Signature)
}

func (e *explanation) checkStamps(step stepOut, s *signing.Signature) {
	said, err := earliest(e.tsa, s)
	if err != nil {
		e.add(step, err)
		return
	}
	st := newStamp(said, s.Certificate)
	step.Facts = st.facts()
	if e.receipt != nil && isEarly(said, *e.receipt) {
		e.found(step, &Finding{Name: stampEarly})
		return
	}
	if !st.WhileValid {
		step.Text = phrase(e.lang, "The signer's certificate was not in force then: this does not show that the signature is older than its end.",
			"Khi đó chứng thư số của người ký không có hiệu lực, nên dấu này không cho thấy chữ ký số có trước khi chứng thư số hết hạn.")
	}
	e.stamp = st
	e.add(step, nil)
}

// facts are what a time-stamp that was checked shows.
func (st *stamp) facts() []factOut {
	facts := []factOut{{signing.FactTime, st.Time.Format(time.RFC3339)}}
	if st.Accuracy != "" {
		facts = append(facts, factOut{factAccuracy, st.Accuracy})
	}
	return append(facts, factOut{factAuthority, st.Authority}, factOut{signing.FactSHA256, st.SHA256.String()}, factOut{factPolicy, st.Policy})
}
