package bolt

import (
	"errors"
	"fmt"
	"slices"

	"tram/exchange"
)

// What makes keys must be fit for keys: checked here, before the writer hears of
// it. bbolt would refuse some of it only inside the transaction.

func checkPackage(p exchange.Package) error {
	return errors.Join(
		checkName("the package's identifier", string(p.ID)),
		checkName("the package's kind", string(p.Kind)),
		checkName("the package's sender", p.Sender),
		checkPart("the document's identifier", p.DocumentID))
}

func checkDelivery(d exchange.Delivery) error {
	if !slices.Contains(exchange.States, d.State) {
		return exchange.InvalidError(fmt.Sprintf("%q is no state of a delivery", d.State))
	}
	if d.Index < 1 || d.Index > 1<<27 || d.ID != exchange.NewDeliveryID(d.Package, d.Index) {
		return exchange.InvalidError(fmt.Sprintf("delivery %q is not the one to recipient %d of package %q", d.ID, d.Index, d.Package))
	}
	return errors.Join(
		checkName("the delivery's package", string(d.Package)),
		checkName("the delivery's sender", d.Sender),
		checkName("the delivery's recipient", d.Recipient))
}

func checkReceipt(r exchange.Receipt) error {
	return errors.Join(
		checkName("the receipt's identifier", string(r.ID)),
		checkPart("the receipt's package", string(r.Package)))
}

func checkAgency(a exchange.Agency) error {
	errs := []error{checkName("the agency's code", a.Code)}
	for _, alias := range a.Aliases {
		errs = append(errs, checkName("the agency's alias", alias.Code))
	}
	return errors.Join(errs...)
}
