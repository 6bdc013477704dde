package exchange

import "time"

// RevocationSource is the state of one place that tells of revocations, for
// operators.
type RevocationSource struct {
	Kind   string `json:"kind"`   // "crl" or "ocsp"
	URL    string `json:"url"`    // of the CRL or the responder; a CRL's file, where it is one
	Issuer string `json:"issuer"` // the authority whose certificates it tells of

	LastSuccess time.Time `json:"lastSuccess,omitzero"` // an answer that counted was got
	ThisUpdate  time.Time `json:"thisUpdate,omitzero"`
	NextUpdate  time.Time `json:"nextUpdate,omitzero"`
	Number      string    `json:"number,omitempty"` // the CRL's, in decimal
	Entries     int       `json:"entries"`          // in the CRL; of a responder, answers at hand

	// Reason and LastError tell of the last attempt, if it failed: by name, to
	// be given words by RevocationWords, and in detail for the operators.
	Reason      string    `json:"reason,omitempty"`
	LastError   string    `json:"lastError,omitempty"`
	LastErrorAt time.Time `json:"lastErrorAt,omitzero"`
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
}

// RevocationSources is a Revocation that can show where it asks.
type RevocationSources interface {
	// Sources lists the places in the order of their URLs.
	Sources() []RevocationSource
}
