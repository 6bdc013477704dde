package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"tram/exchange"
)

// mediaPackage is what packages and acknowledgements are sent as.
const mediaPackage = "application/xml"

// Submit sends a package of size bytes, or of unknown size if it is negative,
// and returns its receipt. Submitting the same signed content again returns the
// first receipt, byte for byte, so a body that can be wound back (an io.Seeker)
// is sent again when the answer was lost.
//
// The receipt's fields are what it says itself; its seal's mathematics hold.
// Whether the seal is the hub's is for the caller to check, against Keys.
func (c *Client) Submit(ctx context.Context, r io.Reader, size int64) (exchange.Submission, error) {
	b, err := newBody(r, size)
	if err != nil {
		return exchange.Submission{}, err
	}
	//nolint:bodyclose // readReceipt closes it
	resp, err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "packages"}, body: b, again: true,
		header: map[string]string{"Content-Type": mediaPackage, "Expect": "100-continue"}})
	if err != nil {
		return exchange.Submission{}, err
	}
	receipt, replayed, err := readReceipt(resp)
	b.wait(ctx)
	if err != nil {
		return exchange.Submission{}, err
	}
	return exchange.Submission{Package: receipt.Package, Receipt: receipt, Resubmitted: replayed}, nil
}

// readReceipt reads the receipt that answers a submission or an acknowledgement.
func readReceipt(resp *http.Response) (exchange.Receipt, bool, error) {
	raw, err := readAll(resp, receiptLimit)
	if err != nil {
		return exchange.Receipt{}, false, fmt.Errorf("reading the receipt: %w", err)
	}
	receipt, _, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		return exchange.Receipt{}, false, fmt.Errorf("reading the receipt: %w", err)
	}
	receipt.Leaf = leafOf(resp.Header)
	return receipt, resp.Header.Get("Idempotent-Replayed") == "true", nil
}

// leafOf is the receipt's place in the log; -1 if the hub did not say.
func leafOf(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Tram-Leaf"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Package is a package with its deliveries, those that the caller may see.
func (c *Client) Package(ctx context.Context, id exchange.PackageID) (exchange.PackageView, error) {
	return getJSON[exchange.PackageView](ctx, c, nil, "v1", "packages", string(id))
}

// Purge takes all that a package held out of the hub; for administrators. It may be
// asked again when its answer is lost.
func (c *Client) Purge(ctx context.Context, id exchange.PackageID, reason string) (exchange.Purged, error) {
	return sendJSON[exchange.Purged](ctx, c, http.MethodPost, map[string]string{"reason": reason}, "v1", "packages", string(id), "purge")
}

// PackagePage is a part of a list of packages. Cursor goes on from it; it is
// empty at the end.
type PackagePage struct {
	Packages []exchange.Package `json:"packages"`
	Cursor   string             `json:"cursor"`
}

// Packages lists packages from the newest to the oldest.
func (c *Client) Packages(ctx context.Context, q exchange.PackageQuery) (PackagePage, error) {
	v := values("sender", q.Sender, "document", q.DocumentID, "cursor", q.Cursor)
	limit(v, q.Limit)
	return getJSON[PackagePage](ctx, c, v, "v1", "packages")
}

// Receipts are a package's receipts, those that the caller may read, in the
// order of the log and without their documents.
func (c *Client) Receipts(ctx context.Context, id exchange.PackageID) ([]exchange.Receipt, error) {
	list, err := getJSON[struct {
		Receipts []exchange.Receipt `json:"receipts"`
	}](ctx, c, nil, "v1", "packages", string(id), "receipts")
	return list.Receipts, err
}

// Receipt is a receipt's document, as it was sealed.
func (c *Client) Receipt(ctx context.Context, id exchange.ReceiptID) ([]byte, error) {
	return c.getBytes(ctx, receiptLimit, "v1", "receipts", string(id))
}

// Proof is the proof that a receipt is in the log (C2SP tlog-proof), with the
// checkpoint that it leads to.
func (c *Client) Proof(ctx context.Context, id exchange.ReceiptID) ([]byte, error) {
	return c.getBytes(ctx, problemLimit, "v1", "receipts", string(id), "proof")
}

// IsNotFound reports whether the hub has no such thing, or none for the caller.
func IsNotFound(err error) bool { return errors.Is(err, &Problem{Code: exchange.NotFound}) }

// values makes a query of the pairs whose value is not empty.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func limit(v url.Values, n int) {
	if n > 0 {
		v.Set("limit", strconv.Itoa(n))
	}
}

// Validate sends a package of size bytes, or of unknown size if it is negative, and
// returns everything that is wrong with it. The hub keeps nothing of it.
func (c *Client) Validate(ctx context.Context, r io.Reader, size int64) (exchange.Verdict, error) {
	b, err := newBody(r, size)
	if err != nil {
		return exchange.Verdict{}, err
	}
	v, err := doJSON[exchange.Verdict](ctx, c, call{method: http.MethodPost, path: []string{"v1", "validate"}, body: b, again: true,
		header: map[string]string{"Content-Type": mediaPackage, "Expect": "100-continue"}})
	b.wait(ctx)
	return v, err
}
