package exchange

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// SharedSecret is a secret that a system signs its requests with (HMAC), so that
// the hub has to know it too. It is kept sealed: without the hub's key file nobody
// reads it out of the ledger or a backup.
type SharedSecret struct {
	// Sealed is AES-256-GCM: the nonce, then the text. Nobody is shown it.
	Sealed []byte    `json:"sealed,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

func (s *SharedSecret) end() *time.Time { return &s.Until }

const (
	shortestSecret = 8
	longestSecret  = 256
)

// IssueSharedSecret makes a new shared secret for a system, or takes the one that
// its software has already. The former one is taken for seven days more. It is
// shown this once.
func (x *Exchange) IssueSharedSecret(ctx context.Context, by Caller, id, given string) (string, error) {
	return x.issueToSystem(ctx, by, id, func(s *System) (text string, err error) {
		if text = given; text == "" {
			if text, err = newSharedSecret(x.c.Random); err != nil {
				return "", err
			}
		}
		if n := len(text); n < shortestSecret || n > longestSecret || !utf8.ValidString(text) {
			return "", InvalidError("a shared secret has %d to %d bytes of UTF-8; give the one that the former axis issued, without a line end, or none",
				"mã bí mật dùng chung dài từ %d đến %d byte UTF-8; hãy ghi đúng mã do trục cũ đã cấp, không kèm ký tự xuống dòng, hoặc để trống", shortestSecret, longestSecret)
		}
		sealed, err := x.sealSecret(id, text)
		s.Shared = rotate(s.Shared, SharedSecret{Sealed: sealed}, (*SharedSecret).end, x.now())
		return text, err
	})
}

// newSharedSecret looks as software of the axis expects one: base64.
func newSharedSecret(random io.Reader) (string, error) {
	var b [32]byte
	_, err := io.ReadFull(random, b[:])
	return base64.StdEncoding.EncodeToString(b[:]), err
}

// AuthenticateMAC finds the system that proves itself by an HMAC-SHA256 of the
// message, made with a secret that it shares with the hub (its UTF-8 bytes).
func (x *Exchange) AuthenticateMAC(ctx context.Context, id, message string, mac []byte) (Caller, error) {
	s, err := x.c.Ledger.System(ctx, id)
	if err != nil && CodeOf(err) != NotFound {
		return Caller{}, err
	}
	now, proved := x.now(), false
	for _, shared := range s.Shared {
		if over(shared.Until, now) {
			continue
		}
		secret, err := x.openSecret(id, shared.Sealed)
		if err != nil {
			return Caller{}, err
		}
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(message))
		proved = hmac.Equal(h.Sum(nil), mac) || proved
	}
	if !proved {
		return Caller{}, badCredentials.With()
	}
	return x.systemCaller(ctx, s)
}

var errNoSecretKey = errors.New("this hub has no key for shared secrets")

func (x *Exchange) secretCipher() (cipher.AEAD, error) {
	if len(x.c.SecretKey) == 0 {
		return nil, errNoSecretKey
	}
	block, err := aes.NewCipher(x.c.SecretKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealSecret binds the secret to its system: it opens for no other.
func (x *Exchange) sealSecret(id, secret string) ([]byte, error) {
	c, err := x.secretCipher()
	if errors.Is(err, errNoSecretKey) {
		return nil, noSecretKey.With()
	}
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, c.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return c.Seal(nonce, nonce, []byte(secret), []byte(id)), nil
}

func (x *Exchange) openSecret(id string, sealed []byte) (string, error) {
	c, err := x.secretCipher()
	if err != nil {
		return "", err
	}
	if len(sealed) < c.NonceSize() {
		return "", errors.New("a shared secret of system " + id + " is damaged")
	}
	secret, err := c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], []byte(id))
	if err != nil {
		return "", errors.New("a shared secret of system " + id + " was sealed with another key: is axis.key the hub's own?")
	}
	return string(secret), nil
}
