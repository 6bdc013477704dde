//go:build pkcs11

package keystore

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// token is a key in a token, which signs through a few sessions. When the token
// was taken away, the next signature finds it again: it may be back, or another
// slot may have it.
type token struct {
	uri    tokenURI
	pin    string
	public crypto.PublicKey

	mu    sync.Mutex // of what follows, and held while connecting
	live  *connection
	tried time.Time // when connecting failed last
	err   error     // why
}

// patience is how long a token that could not be found is not looked for again.
const patience = time.Second

// openToken finds a key and its certificates, and lets the key sign once.
func openToken(u tokenURI, pin string, given []*x509.Certificate) (Pair, error) {
	c, err := connect(u, pin)
	if err != nil {
		return Pair{}, err
	}
	chain := given
	if len(chain) == 0 {
		if chain, err = c.chain(); err != nil {
			return Pair{}, errors.Join(err, c.close())
		}
	}
	t := &token{uri: u, pin: pin, public: chain[0].PublicKey, live: c}
	if err := t.prove(); err != nil {
		return Pair{}, errors.Join(err, c.close())
	}
	return Pair{t, chain}, nil
}

// prove signs something and verifies it by the certificate's key: that the two
// belong together is otherwise only a matter of names.
func (t *token) prove() error {
	digest := sha256.Sum256([]byte("tram"))
	signature, err := t.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("trying the key in the token: %w", err)
	}
	if !verifies(t.public, digest[:], signature) {
		return fmt.Errorf("the key in the token does not belong to its certificate: name both by id, or the certificate's file")
	}
	return nil
}

// Public is the key of the certificate.
func (t *token) Public() crypto.PublicKey { return t.public }

// Sign implements crypto.Signer. Randomness is the token's own.
func (t *token) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	how, err := mechanismOf(t.public, digest, opts)
	if err != nil {
		return nil, err
	}
	c, err := t.connection(nil)
	if err != nil {
		return nil, err
	}
	value, err := c.sign(how)
	if err != nil && lost(err) {
		if c, err = t.connection(c); err != nil {
			return nil, err
		}
		value, err = c.sign(how)
	}
	if err != nil {
		return nil, fmt.Errorf("signing with %s: %w", t.uri.name(), err)
	}
	return how.finish(value)
}

// connection is the live one. If that is the one found dead, it is made anew, by
// one of all who found so; a PIN that was wrong is not tried again.
func (t *token) connection(dead *connection) (*connection, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live != nil && t.live != dead {
		return t.live, nil
	}
	var wrong *pinError
	if errors.As(t.err, &wrong) || time.Since(t.tried) < patience {
		return nil, t.err
	}
	if t.live != nil {
		_ = t.live.close() // it is dead
		t.live = nil
	}
	c, err := connectAgain(t.uri, t.pin)
	if err != nil {
		t.tried, t.err = time.Now(), fmt.Errorf("the token was lost: %w", err)
		return nil, t.err
	}
	t.live, t.tried, t.err = c, time.Time{}, nil
	return c, nil
}

// pinError is the token's refusal of the PIN.
type pinError struct{ error }

// lost reports whether an error may be cured by connecting anew.
func lost(err error) bool {
	var code pkcs11.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
		pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED,
		pkcs11.CKR_OPERATION_ACTIVE: // left behind by a signature that failed halfway
		return true
	}
	return false
}
