package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

// The headers of Standard Webhooks 1.0.0.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"

	publicPrefix = "whpk_"
	scheme       = "v1a," // Ed25519
)

// Tolerance is how far an announcement's time may be from the receiver's.
const Tolerance = 5 * time.Minute

// TypeConsigned is the type of the only announcement there is.
const TypeConsigned = "delivery.consigned"

// Announcement tells an agency that a delivery waits in its inbox.
type Announcement struct {
	Type      string              `json:"type"`
	Delivery  exchange.DeliveryID `json:"delivery"`
	Package   exchange.PackageID  `json:"package"`
	Kind      exchange.Kind       `json:"kind"`
	Sender    string              `json:"sender"`
	Recipient string              `json:"recipient"`
	// DocumentID to Subject are empty where the package has none.
	DocumentID string          `json:"documentId,omitempty"`
	Number     string          `json:"number,omitempty"`
	Notation   string          `json:"notation,omitempty"`
	Subject    string          `json:"subject,omitempty"`
	Urgent     bool            `json:"urgent"`
	Digest     exchange.Digest `json:"digest"`
	Size       int64           `json:"size"`
	// Time is when the hub accepted the package.
	Time time.Time `json:"time"`
	Hub  string    `json:"hub"`
}

func announce(hub string, d exchange.Delivery, p exchange.Package) Announcement {
	return Announcement{
		Type: TypeConsigned, Delivery: d.ID, Package: p.ID, Kind: p.Kind,
		Sender: d.Sender, Recipient: d.Recipient,
		DocumentID: p.DocumentID, Number: p.Number, Notation: p.Notation, Subject: p.Subject,
		Urgent: p.Urgent(), Digest: p.Digest, Size: p.Size, Time: p.AcceptedAt.UTC(), Hub: hub,
	}
}

// identify is the webhook-id: the delivery's identifier without the full stop,
// which the signed content uses as its separator.
func identify(id exchange.DeliveryID) string {
	return "dlv_" + strings.ReplaceAll(string(id), ".", "_")
}

func sign(h http.Header, key ed25519.PrivateKey, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := ed25519.Sign(key, signedContent(id, timestamp, body))
	h.Set(headerID, id)
	h.Set(headerTimestamp, timestamp)
	h.Set(headerSignature, scheme+base64.StdEncoding.EncodeToString(signature))
}

func signedContent(id, timestamp string, body []byte) []byte {
	return append([]byte(id+"."+timestamp+"."), body...)
}

// Verify tells a receiver whether a request's headers and body are the hub's.
// publicKey is the hub's published webhook key.
func Verify(publicKey string, h http.Header, body []byte, now time.Time) error {
	key, err := parsePublic(publicKey)
	if err != nil {
		return err
	}
	id, timestamp := h.Get(headerID), h.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return errors.New("the webhook-id or the webhook-timestamp header is missing or malformed")
	}
	if skew := now.Sub(time.Unix(seconds, 0)).Abs(); skew > Tolerance {
		return fmt.Errorf("the announcement's time is %s from ours, more than %s; check the clock", skew.Round(time.Second), Tolerance)
	}
	content := signedContent(id, timestamp, body)
	for one := range strings.FieldsSeq(h.Get(headerSignature)) { // several during a change of keys
		encoded, ours := strings.CutPrefix(one, scheme)
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if ours && err == nil && ed25519.Verify(key, content, signature) {
			return nil
		}
	}
	return errors.New("no signature of the announcement holds under the hub's webhook key")
}

func parsePublic(s string) (ed25519.PublicKey, error) {
	encoded, found := strings.CutPrefix(s, publicPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the hub's webhook key is %q and the base64 of 32 bytes, this is not", publicPrefix)
	}
	return key, nil
}
