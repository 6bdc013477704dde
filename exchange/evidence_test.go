package exchange

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tram/signing"
)

// evidences is one of each kind that the hub issues, and the odd ones.
func evidences() map[string]Evidence {
	at := time.Date(2026, 11, 20, 2, 20, 36, 120_000_000, time.UTC)
	base := Evidence{ID: "0197a1b2-c3d4-7000-8000-000000000001", Time: at,
		Hub:    Hub{Code: "tram.camau.example", Name: "Trạm tỉnh Cà Mau", Policy: "urn:example:policy:1"},
		Sender: Party{SchemeAgency, "H12.07", "Sở Tài chính tỉnh Cà Mau"}, Submitter: "qlvb-stc",
		SubmitTime: at.Add(-time.Second), Package: "0197a1b2-c3d4-7000-8000-000000000000",
		DocumentID: "H12.07,2026/11/20,1250/STC-NS",
		Parts: []Part{{"package", "application/xml", DigestOf([]byte("package"))},
			{"1f0c9a1e-0001", "application/pdf", DigestOf([]byte("pdf"))}},
		Basis: Basis{Method: BasisHub},
	}
	signature := Basis{Method: BasisSignature, Algorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
		Certificate: DigestOf([]byte("certificate")), Subject: `CN=Sở Tài chính,O="Tỉnh & huyện"`}
	unknown := RevocationFinding{State: RevocationUnknown, Certificate: DigestOf([]byte("certificate")), Source: "http://ca.example/a.crl?x=1&y=2",
		CheckedAt: at, Reason: "no answer within 10s"}
	good := RevocationFinding{State: RevocationGood, Certificate: DigestOf([]byte("certificate")), Source: "http://ca.example/a.crl",
		CheckedAt: at.Add(time.Hour), ThisUpdate: at.Add(-time.Minute), NextUpdate: at.Add(24 * time.Hour)}
	revoked := good
	revoked.State, revoked.RevokedAt, revoked.Reason = RevocationRevoked, at.Add(-48*time.Hour), "keyCompromise"
	all := map[string]Evidence{}
	with := func(name string, event Event, change func(*Evidence)) {
		e := base
		e.Event = event
		change(&e)
		all[name] = e
	}
	delivered := func(e *Evidence) {
		e.Recipients, e.RefersTo = []Party{{SchemeAgency, "H12.12", "Sở Y tế tỉnh Cà Mau"}}, 1
		e.Delivery = NewDeliveryID(e.Package, 1)
	}
	failed := func(c Code, detail string) func(*Evidence) {
		return func(e *Evidence) { delivered(e); e.Reason, e.Detail = c, detail }
	}
	answered := func(e *Evidence) {
		delivered(e)
		e.Receiver, e.Basis, e.Acknowledgement = "qlvb-syt", signature, []byte("<Acknowledgement>\r\n\x01</Acknowledgement>")
	}
	with("acceptance", SubmissionAcceptance, func(e *Evidence) {
		e.Basis = signature
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}, {Scheme: SchemeAgency, Code: "000.00.40.H12"}}
	})
	with("acceptance-pdf", SubmissionAcceptance, func(e *Evidence) {
		e.Basis = signature
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}}
		e.PDFs = []PDFFinding{{2, PDFSummary{3, signing.PDFInvalid, true}, []PDFSignature{
			{State: signing.PDFValid, Signer: "Nguyễn Văn <A>", At: at.Add(-time.Hour)},
			{State: signing.PDFUntrusted, Why: "untrusted-chain", Signer: "B", At: at, Stamped: true, Whole: true},
			{State: signing.PDFInvalid, Why: "digest-mismatch"},
			{State: signing.PDFValid, Signer: "TSA", At: at, Stamped: true, TimeStamp: true, Whole: true}}},
			{1, PDFSummary{0, "", true}, []PDFSignature{{State: signing.PDFValid, TimeStamp: true, Whole: true}}}}
	})
	with("acceptance-revocation-unknown", SubmissionAcceptance, func(e *Evidence) {
		e.Basis = signature
		e.Basis.Matched, e.Basis.Revocation = MatchedSubject, unknown
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}}
	})
	with("revocation-established", RevocationEstablished, func(e *Evidence) {
		e.Basis = signature
		e.Basis.Matched, e.Basis.Revocation, e.Basis.Later = MatchedRegistered, unknown, good
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}}
	})
	with("revocation-established-revoked", RevocationEstablished, func(e *Evidence) {
		delivered(e)
		e.Basis = signature
		e.Basis.Matched, e.Basis.Revocation, e.Basis.Later = MatchedRegistered, unknown, revoked
		e.Reason, e.Detail = Revoked, revoked.words("CN=Sở Tài chính")
	})
	with("acceptance-unsigned", SubmissionAcceptance, func(e *Evidence) {
		e.Basis, e.DocumentID = Basis{Method: BasisSystem}, ""
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}}
	})
	with("acceptance-sha1", SubmissionAcceptance, func(e *Evidence) {
		e.Basis = signature
		e.Basis.Algorithm, e.Basis.SHA1Until = "http://www.w3.org/2000/09/xmldsig#rsa-sha1", time.Date(2027, 6, 30, 17, 0, 0, 0, time.UTC)
		e.Recipients = []Party{{Scheme: SchemeAgency, Code: "H12.12"}}
	})
	with("rejection", SubmissionRejection, func(e *Evidence) {
		e.Package, e.SubmitTime, e.Reason, e.Detail = "", time.Time{}, InvalidSignature, `agency "H12.07" must sign <all> & more`
	})
	with("rejection-unread", SubmissionRejection, func(e *Evidence) {
		e.Package, e.DocumentID, e.SubmitTime, e.Parts = "", "", time.Time{}, nil
		e.Sender = Party{Scheme: SchemeSystem, Code: "qlvb-stc"}
		e.Reason, e.Detail = Malformed, "not XML"
	})
	with("consignment", ContentConsignment, delivered)
	with("consignment-failure", ContentConsignmentFailure, failed(Unreachable, "no answer within 15 s"))
	with("handover", ContentHandover, answered)
	with("handover-failure", ContentHandoverFailure, failed(Cancelled, "theo yêu cầu của bên gửi"))
	with("refusal", ConsignmentRejection, func(e *Evidence) { answered(e); e.Reason, e.Detail = Refused, "gửi nhầm cơ quan" })
	with("expiry", AcceptanceRejectionExpiry, failed(Expired, ""))
	with("relay", RelayAcceptance, func(e *Evidence) {
		delivered(e)
		e.Upstream, e.UpstreamID = "quoc-gia", "8b8f6d52-6b1c-4c38-9f0e-0d4a6c1e7a01"
	})
	with("relay-rejection", RelayRejection, func(e *Evidence) { failed(Refused, "mã 18: không có nơi nhận")(e); e.Upstream = "quoc-gia" })
	with("relay-failure", RelayFailure, func(e *Evidence) { failed(Unreachable, "")(e); e.Upstream = "quoc-gia" })
	return all
}

func seal(t testing.TB, s *signing.Sealer, e Evidence) []byte {
	t.Helper()
	raw, err := s.Seal(e.Canonical(), e.Time)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestGoldenReceipts changes when what a receipt says or how it says it changes.
func TestGoldenReceipts(t *testing.T) {
	t.Parallel()
	sealer := hubSealer(t)
	for name, e := range evidences() {
		t.Run(name, func(t *testing.T) {
			file, got := filepath.Join("..", "testdata", "receipts", name+".xml"), seal(t, sealer, e)
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
				t.Errorf("not %s:\n%s", file, diff)
			}
		})
	}
}

func TestEveryReceiptFitsTheSchemaAndVerifies(t *testing.T) {
	t.Parallel()
	valid, xmlsec1 := validates(t, "evidence.xsd"), program(t, "xmlsec1")
	sealer, dir := hubSealer(t), t.TempDir()
	root := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sealer.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, e := range evidences() {
		raw, file := seal(t, sealer, e), filepath.Join(dir, name+".xml")
		valid(raw)
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, nil, xmlsec1, "--verify", "--trusted-pem", root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", file)
	}
}

func TestReceiptsReadAsWritten(t *testing.T) {
	t.Parallel()
	sealer := hubSealer(t)
	for name, want := range evidences() {
		t.Run(name, func(t *testing.T) {
			raw := seal(t, sealer, want)
			r, got, doc, err := ParseReceipt(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !doc.Signature.Certificate.Equal(sealer.Certificate()) {
				t.Error("another certificate")
			}
			leaf := Receipt{ID: want.ID, Event: want.Event, Time: want.Time, Package: want.Package, Raw: raw}.LogEntry()
			if string(r.LogEntry().Bytes()) != string(leaf.Bytes()) {
				t.Errorf("the leaf rebuilt from the document is %s, the ledger's %s", r.LogEntry().Bytes(), leaf.Bytes())
			}
			if r.Delivery != want.Delivery || r.Reason != want.Reason {
				t.Errorf("delivery %q, reason %q", r.Delivery, r.Reason)
			}
		})
	}
}

// TestAnyEvidenceIsCanonicalAndReadsAsWritten lets people write anything.
func TestAnyEvidenceIsCanonicalAndReadsAsWritten(t *testing.T) {
	t.Parallel()
	xmllint := program(t, "xmllint")
	rapid.Check(t, func(r *rapid.T) {
		e := anyEvidence(r)
		canonical := e.Canonical()
		if got := run(t, canonical, xmllint, "--exc-c14n", "-"); string(got) != string(canonical) {
			r.Fatalf("xmllint's canonical form differs:\n%s\n%s", got, canonical)
		}
		doc, err := signing.Read(bytes.NewReader(canonical), signing.Options{})
		if err != nil {
			r.Fatal(err)
		}
		got, err := parseEvidence(doc.Root)
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(asRead(e), got, cmpopts.EquateEmpty()); diff != "" {
			r.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// text is what people and programs write: any characters, or any bytes.
func text(r *rapid.T, what string) string {
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", " ", "\r\n\t", "]]>", "<a b='c'>&amp;", " Sở Y tế ", "\x00\x1f\ufffe\uffff", "a\u0085\u2028b"})).Draw(r, what)
}

func anyEvidence(r *rapid.T) Evidence {
	at := rapid.Custom(func(r *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(r, "ms")).In(time.FixedZone("ICT", 7*3600))
	})
	code := rapid.StringMatching(`[A-Z0-9.]{1,35}`)
	party := func(what string) Party { return Party{SchemeAgency, code.Draw(r, what), text(r, what)} }
	digest := rapid.Custom(func(r *rapid.T) Digest { return DigestOf(rapid.SliceOf(rapid.Byte()).Draw(r, "bytes")) })
	e := Evidence{ID: "r", Event: ContentHandover, Time: at.Draw(r, "time"), SubmitTime: at.Draw(r, "submitted"),
		Hub: Hub{code.Draw(r, "hub"), text(r, "hub name"), text(r, "policy")}, Sender: party("sender"), Submitter: code.Draw(r, "submitter"),
		Receiver: code.Draw(r, "receiver"), RefersTo: rapid.IntRange(0, 3).Draw(r, "refers to"), Package: "p", Delivery: "p.1",
		DocumentID: text(r, "document"), Basis: basis(r, digest, at.Draw(r, "exception")),
		Acknowledgement: rapid.SliceOf(rapid.Byte()).Draw(r, "acknowledgement"), Reason: Refused, Detail: text(r, "detail")}
	for range rapid.IntRange(0, 3).Draw(r, "recipients") {
		e.Recipients = append(e.Recipients, party("recipient"))
	}
	for range rapid.IntRange(1, 3).Draw(r, "parts") {
		e.Parts = append(e.Parts, Part{text(r, "identifier"), text(r, "type"), digest.Draw(r, "digest")})
	}
	return e
}

// basis has all that a basis may say.
func basis(r *rapid.T, digest *rapid.Generator[Digest], exception time.Time) Basis {
	finding := func(what string) RevocationFinding {
		at := time.UnixMilli(rapid.Int64Range(1, 4e12).Draw(r, what)).UTC()
		return RevocationFinding{State: rapid.SampledFrom([]RevocationState{RevocationGood, RevocationRevoked, RevocationUnknown}).Draw(r, "state"),
			Certificate: digest.Draw(r, what), Source: text(r, "source"), CheckedAt: at, ThisUpdate: at.Add(time.Second), RevokedAt: at.Add(-time.Second),
			Reason: text(r, "why")}
	}
	return Basis{Method: BasisSignature, Algorithm: "urn:x", Certificate: digest.Draw(r, "certificate"), Subject: text(r, "subject"), SHA1Until: exception,
		Matched: text(r, "matched"), Revocation: finding("revocation"), Later: finding("later")}
}

// asRead is the evidence with its texts as XML can hold them.
func asRead(e Evidence) Evidence {
	e.Time, e.SubmitTime = e.Time.UTC(), e.SubmitTime.UTC()
	e.Recipients, e.Parts = append([]Party(nil), e.Recipients...), append([]Part(nil), e.Parts...)
	texts := []*string{&e.Hub.Name, &e.Hub.Policy, &e.Sender.Name, &e.DocumentID, &e.Basis.Subject, &e.Detail,
		&e.Basis.Matched, &e.Basis.Revocation.Source, &e.Basis.Revocation.Reason, &e.Basis.Later.Source, &e.Basis.Later.Reason}
	for i := range e.Recipients {
		texts = append(texts, &e.Recipients[i].Name)
	}
	for i := range e.Parts {
		texts = append(texts, &e.Parts[i].Identifier, &e.Parts[i].ContentType)
	}
	for _, s := range texts {
		*s = plain(*s)
	}
	return e
}

func TestTextsThatXMLCannotHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"nothing to do", "Sở Y tế, số 5", "Sở Y tế, số 5"},
		{"white space inside stays", "a\r\n\tb  c", "a\r\n\tb  c"},
		{"white space around goes", " \r\n\ta\t", "a"},
		{"control characters", "a\x00b\x1fc", "a\ufffdb\ufffdc"},
		{"no characters", "a\ufffe\uffffb", "a\ufffd\ufffdb"},
		{"not UTF-8", "a\xff\xc3b", "a\ufffd\ufffdb"},
		{"beyond the first plane", "a😀", "a😀"},
		{"delete is allowed", "a\x7fb", "a\x7fb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain(c.text); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestParseReceiptRefuses(t *testing.T) {
	t.Parallel()
	sealer := hubSealer(t)
	e := evidences()["handover"]
	raw := string(seal(t, sealer, e))
	other := string(seal(t, sealer, evidences()["refusal"]))
	signature := func(doc string) string {
		return doc[strings.Index(doc, "<ds:Signature ") : len(doc)-len("</erds:Evidence>")]
	}
	sealed := func(doc string) string {
		b, err := sealer.Seal([]byte(doc), e.Time)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	edit := func(from, to string) string {
		if !strings.Contains(raw, from) {
			t.Fatalf("no %q in the receipt", from)
		}
		return strings.Replace(raw, from, to, 1)
	}
	canonical := string(e.Canonical())
	for _, c := range []struct{ name, doc, want string }{
		{"another event", edit("ContentHandover", "ContentConsignment"), "digest-mismatch"},
		{"another time", edit("02:20:36.120Z", "02:20:36.121Z"), "digest-mismatch"},
		{"another recipient", edit(">H12.12<", ">H12.13<"), "digest-mismatch"},
		{"the seal of another", strings.Replace(raw, signature(raw), signature(other), 1), "digest-mismatch"},
		{"no seal", canonical, "no seal"},
		{"an element after the seal", edit("</erds:Evidence>", "<x></x></erds:Evidence>"), "signature-misplaced"},
		{"two seals", edit("</erds:Evidence>", signature(other)+"</erds:Evidence>"), "second-signature"},
		{"another document", sealed(`<Acknowledgement xmlns="urn:tram:acknowledgement:1"></Acknowledgement>`), "not an Evidence"},
		{"an Evidence of another namespace", sealed(strings.ReplaceAll(canonical, nsEvidence, "http://uri.etsi.org/02640/v2#")), "not an Evidence"},
		{"no identifier", sealed(strings.Replace(canonical, ">"+string(e.ID)+"<", "><", 1)), "no EvidenceIdentifier"},
		{"no event", sealed(strings.Replace(canonical, e.Event.URI(), "", 1)), "no EvidenceIdentifier or ERDSEventId"},
		{"no time", sealed(strings.Replace(canonical, "<erds:EventTime>2026-11-20T02:20:36.120Z</erds:EventTime>", "", 1)), "EventTime"},
		{"a digest too short", sealed(strings.Replace(canonical, canonical[strings.Index(canonical, "<ds:DigestValue"):strings.Index(canonical, "</ds:DigestValue>")], `<ds:DigestValue xmlns:ds="`+nsDsig+`">MAA=`, 1)), "2 bytes"},
		{"an algorithm not ours", sealed(strings.Replace(canonical, uriSHA256, "http://www.w3.org/2000/09/xmldsig#sha1", 1)), "is not SHA-256"},
		{"a recipient that is no number", sealed(strings.Replace(canonical, "<erds:EvidenceRefersToRecipient>1", "<erds:EvidenceRefersToRecipient>one", 1)), "number"},
		{"an answer that is not base64", sealed(strings.Replace(canonical, "</t:Acknowledgement>", "!</t:Acknowledgement>", 1)), "Acknowledgement"},
		{"an answer that is not the one digested", sealed(strings.Replace(canonical, `SHA256="`, `SHA256="00`, 1)), "Acknowledgement"},
		{"a certificate's digest cut off", sealed(strings.Replace(canonical, "</t:CertificateSHA256>", "0</t:CertificateSHA256>", 1)), "CertificateSHA256"},
		{"nothing", "", "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, doc, err := ParseReceipt([]byte(c.doc))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if doc != nil || r.ID != "" {
				t.Error("something is returned all the same")
			}
		})
	}
}

// TestEventsOfOtherNamespaces: an event of the standard is not one of ours, and
// what nobody attests to keeps its URI.
func TestEventsOfOtherNamespaces(t *testing.T) {
	for uri, want := range map[string]Event{
		"http://uri.etsi.org/19522/Event/ContentHandover":       ContentHandover,
		"urn:tram:event:RevocationEstablished":                  RevocationEstablished,
		"urn:tram:event:ContentHandover":                        "urn:tram:event:ContentHandover",
		"http://uri.etsi.org/19522/Event/RevocationEstablished": "http://uri.etsi.org/19522/Event/RevocationEstablished",
		"http://uri.etsi.org/19522/Event/RelayFailure":          "RelayFailure",
		"urn:x": "urn:x",
	} {
		if got := eventOf(uri); got != want {
			t.Errorf("%s is %s, want %s", uri, got, want)
		}
	}
}
