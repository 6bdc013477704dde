package bolt

import (
	"errors"
	"slices"

	"tram/exchange"
)

// What makes keys must be fit for keys: checked here, before the writer hears of
// it. bbolt would refuse some of it only inside the transaction. What is wrong is
// named by its entry and member, which is the same in every language.

func checkPackage(p exchange.Package) error {
	return errors.Join(
		checkName("package.id", string(p.ID)),
		checkName("package.kind", string(p.Kind)),
		checkName("package.sender", p.Sender),
		checkPart("package.documentId", p.DocumentID))
}

func checkDelivery(d exchange.Delivery) error {
	if !slices.Contains(exchange.States, d.State) {
		return exchange.InvalidError("a delivery has no state %q", "lượt chuyển không có trạng thái %q", d.State)
	}
	if d.Index < 1 || d.Index > 1<<27 || d.ID != exchange.NewDeliveryID(d.Package, d.Index) {
		return exchange.InvalidError("delivery %q is not the one to recipient %d of package %q",
			"lượt chuyển %q không phải lượt chuyển tới cơ quan nhận thứ %d của gói tin %q", d.ID, d.Index, d.Package)
	}
	return errors.Join(
		checkName("delivery.package", string(d.Package)),
		checkName("delivery.sender", d.Sender),
		checkName("delivery.recipient", d.Recipient))
}

func checkReceipt(r exchange.Receipt) error {
	return errors.Join(
		checkName("receipt.id", string(r.ID)),
		checkPart("receipt.package", string(r.Package)))
}

func checkToken(token []byte) error {
	if len(token) == 0 {
		return exchange.InvalidError("a time-stamp is empty; fill it in", "dấu thời gian đang để trống; hãy ghi giá trị")
	}
	return nil
}

func checkAgency(a exchange.Agency) error {
	errs := []error{checkName("agency.code", a.Code)}
	for _, alias := range a.Aliases {
		errs = append(errs, checkName("agency.aliases.code", alias.Code))
	}
	for _, r := range a.SubjectRules {
		errs = append(errs, checkPart("agency.subjectRules.subject.type", r.Key().Type), checkPart("agency.subjectRules.subject.value", r.Key().Value))
	}
	return errors.Join(errs...)
}

func checkRecheck(r exchange.Recheck) error {
	return errors.Join(checkName("recheck.id", r.ID), checkName("recheck.package", string(r.Package)))
}

// checkAction refuses what JSON would change: the action that is read back would
// not be the one in the log.
func checkAction(a exchange.Action) error {
	for _, part := range []struct{ name, text string }{{"action.id", a.ID}, {"action.actor", a.Actor}, {"action.verb", a.Verb},
		{"action.object", a.Object}, {"action.reason", a.Reason}} {
		if err := checkText(part.name, part.text); err != nil {
			return err
		}
	}
	return nil
}
