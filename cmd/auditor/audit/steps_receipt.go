package audit

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"tram/exchange"
	"tram/signing"
)

// seal asks whether the receipt was sealed by the hub.
func (e *explanation) seal() {
	switch {
	case e.receipt == nil:
		e.skip(stepSeal, "not looked at: the receipt cannot be read", "chưa xét: không đọc được biên nhận")
		return
	case e.by == nil:
		e.skip(stepSeal, "give --keys: the file of the hub's published keys, which https://HUB/v1/keys gives",
			"hãy nêu --keys: tệp khóa công bố của trục, lấy tại https://TRỤC/v1/keys")
		return
	}
	step := stepOut{Step: stepSeal, Facts: []factOut{{signing.FactSHA256, exchange.DigestOf(e.chain[0].Raw).String()}}}
	for _, p := range e.by.sealing {
		step.Facts = append(step.Facts, factOut{factPublished, strings.TrimSuffix(exchange.DigestOf(p.Certificate.Raw).String()+", "+termsOf(p), ", ")})
	}
	if f, ok := e.by.seal(&signing.Signature{Certificate: e.chain[0], Others: e.chain[1:]}, *e.receipt, e.stamp); !ok {
		e.found(step, &f)
		return
	}
	e.found(step, nil)
}

// termsOf are when a published certificate seals, as data; empty: at any time.
func termsOf(p exchange.PublishedSeal) string {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	var terms []string
	for _, t := range p.Terms {
		terms = append(terms, strings.TrimSpace(moment(t.From)+" – "+moment(t.Until)))
	}
	return strings.Join(terms, ", ")
}

// evidenceAgrees notes it if the receipt contradicts itself.
func (e *explanation) evidenceAgrees() {
	if e.receipt == nil {
		return
	}
	for _, f := range checkRevocation(e.evidence) {
		e.found(stepOut{Step: stepEvidence, Facts: []factOut{{factDetail, f.Detail}}}, &f)
	}
}

// answer holds the recipient's own answer to what the receipt says of it.
func (e *explanation) answer() {
	if e.receipt == nil || len(e.evidence.Acknowledgement) == 0 {
		return
	}
	ack, doc, err := exchange.ParseAcknowledgement(bytes.NewReader(e.evidence.Acknowledgement))
	if err != nil {
		e.found(stepOut{Step: stepAnswer, Facts: []factOut{{factDetail, inWords(err, e.lang)}}}, &Finding{Name: answerBroken})
		return
	}
	step := stepOut{Step: stepAnswer, Facts: []factOut{{factTo, ack.Recipient}, {factOutcome, string(ack.Outcome)}, {signing.FactTime, ack.Time.Format(time.RFC3339)}}}
	list := compareAnswer(e.evidence, ack, doc)
	if len(list) == 0 {
		e.found(step, nil)
		return
	}
	for _, f := range list {
		step.Facts = append(step.Facts, factOut{factDetail, f.Detail})
	}
	e.found(step, &list[0])
}

// log asks whether the receipt is in the hub's log.
func (e *explanation) log() error {
	switch {
	case e.receipt == nil:
		e.skip(stepLog, "not looked at: the receipt cannot be read", "chưa xét: không đọc được biên nhận")
		return nil
	case e.by == nil:
		e.skip(stepLog, "give --keys: a proof counts only with the hub's log key", "hãy nêu --keys: bằng chứng chỉ có giá trị với khóa nhật ký của trục")
		return nil
	}
	v := verified{File: e.File, receipt: *e.receipt}
	if err := e.by.prove(&v, verifyOptions{proof: e.options.proof, sealOnly: true}); err != nil {
		return err
	}
	switch {
	case len(v.Findings) > 0:
		e.found(stepOut{Step: stepLog, Facts: []factOut{{factDetail, v.Findings[0].Detail}}}, &v.Findings[0])
	case v.Log == nil:
		e.skip(stepLog, "there is no proof beside the receipt; \"agency receipts\" keeps both, --proof names one",
			"không có bằng chứng bên cạnh biên nhận; lệnh \"agency receipts\" lưu cả hai, --proof chỉ ra tệp khác")
	default:
		e.found(stepOut{Step: stepLog, Facts: []factOut{{factOrigin, v.Log.Origin}, {factLeaf, fmt.Sprintf("%d / %d", v.Log.Leaf, v.Log.Size)}, {factLogRoot, v.Log.Root}}}, nil)
	}
	return nil
}
