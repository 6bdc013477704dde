package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tram/exchange"
	"tram/signing"
)

// answer checks the recipient's own answer inside a receipt, and writes it to a
// file if one is named.
func (v *verified) answer(file string) error {
	raw := v.evidence.Acknowledgement
	if len(raw) == 0 {
		if file != "" {
			return usagef("%s holds no recipient's answer: only receipts of a handover or a refusal do", v.File)
		}
		return nil
	}
	f, ack := checkAnswer(v.evidence)
	v.Answer = ack
	v.Findings = append(v.Findings, f...)
	if file == "" {
		return nil
	}
	return writeNew(file, raw)
}

// checkAnswer compares the recipient's word with what the hub made of it.
func checkAnswer(e exchange.Evidence) ([]Finding, *exchange.Acknowledgement) {
	a, doc, err := exchange.ParseAcknowledgement(bytes.NewReader(e.Acknowledgement))
	if err != nil {
		return []Finding{finding(answerBroken, "%v", err)}, nil
	}
	return compareAnswer(e, a, doc), &a
}

func compareAnswer(e exchange.Evidence, a exchange.Acknowledgement, doc *signing.Document) []Finding {
	var list []Finding
	differs := func(what, answer, receipt string) {
		if answer != receipt {
			list = append(list, finding(answerDiffers, "the recipient's answer names the %s %q, the receipt %q", what, answer, receipt))
		}
	}
	differs("package", string(a.Package), string(e.Package))
	// The recipient may go by another of its codes here: the certificate says
	// who answered.
	differs("outcome", string(a.Outcome), outcomeOf(e.Event))
	if len(e.Parts) > 0 {
		differs("content", a.Digest.String(), e.Parts[0].Digest.String())
	}
	if doc.Signature == nil {
		if e.Basis.Method == exchange.BasisSignature {
			list = append(list, finding(answerBroken, "the receipt rests on the recipient's signature, and its answer has none"))
		}
		return list
	}
	differs("signer's certificate", exchange.DigestOf(doc.Signature.Certificate.Raw).String(), e.Basis.Certificate.String())
	return list
}

func outcomeOf(e exchange.Event) string {
	if e == exchange.ConsignmentRejection {
		return string(exchange.AnswerRefused)
	}
	return string(exchange.AnswerAccepted)
}

// writeNew writes a file that must not be there yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already and is not overwritten", name)
	}
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close() // the first error is the one to tell
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.Close()
}
