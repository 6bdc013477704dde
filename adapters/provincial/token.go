package provincial

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tram/exchange"
)

// tokenTerm is how long a token is taken.
const tokenTerm = 30 * time.Minute

// jwtHeader is the only one that is written or taken (RFC 7519; RFC 7518, 3.2): who
// presents a token does not choose how it is verified.
var jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

// tokens makes and verifies JSON Web Tokens.
type tokens struct {
	key []byte
	now func() time.Time
}

// claims are what a token says: for whom, from when and until when (RFC 7519, 4.1).
type claims struct {
	System   string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

func (t tokens) issue(system string) (token string, expires time.Time, err error) {
	now := t.now()
	expires = now.Add(tokenTerm)
	body, err := json.Marshal(claims{system, now.Unix(), expires.Unix()})
	if err != nil {
		return "", time.Time{}, err
	}
	signed := jwtHeader + "." + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + base64.RawURLEncoding.EncodeToString(t.mac(signed)), expires, nil
}

func (t tokens) mac(signed string) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// systemOf is the system that a token is for.
func (t tokens) systemOf(token string) (string, error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return "", badToken.With()
	}
	mac, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil || !hmac.Equal(mac, t.mac(token[:end])) {
		return "", badToken.With()
	}
	// It is our own from here on.
	_, body, _ := strings.Cut(token[:end], ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	var c claims
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return "", badToken.With()
	}
	if expires := time.Unix(c.Expires, 0); !t.now().Before(expires) {
		return "", expiredToken.With(expires.In(exchange.Vietnam).Format(timeLayout))
	}
	return c.System, nil
}

// caller takes the three headers: all must be there, right, and of one system.
func (f *Face) caller(r *http.Request) (exchange.Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return exchange.Caller{}, noToken.With()
	}
	system, err := f.tokens.systemOf(strings.TrimSpace(token))
	if err != nil {
		return exchange.Caller{}, err
	}
	id, secret := r.Header.Get("X-SystemId"), r.Header.Get("X-SecretKey")
	if id == "" || secret == "" {
		return exchange.Caller{}, noHeaders.With()
	}
	if id != system {
		return exchange.Caller{}, otherSystem.With(exchange.Excerpt(id), system)
	}
	by, err := f.x.AuthenticateSystem(r.Context(), id, secret)
	by.Partial = true // who is known gets the package, whoever else was named
	return by, err
}

// login gives a token for an identifier and its secret. What else clients send
// (applicationCode, otp, …) means nothing here.
func (f *Face) login(w http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	var given struct{ Username, Password string }
	if err := decode(r.Body, &given); err != nil {
		return err
	}
	by, err := f.x.AuthenticateSystem(r.Context(), given.Username, given.Password)
	if err != nil {
		return err
	}
	token, expires, err := f.tokens.issue(by.System.ID)
	if err != nil {
		return err
	}
	type data struct {
		Token     string `json:"token"`
		TokenType string `json:"tokenType"`
		ExpiresIn int    `json:"expiresIn"` // seconds
		ExpiresAt string `json:"expiresAt"`
	}
	return answer(w, http.StatusOK, struct {
		done
		Data data `json:"data"`
	}{well("Đăng nhập thành công"), data{token, "Bearer", int(tokenTerm.Seconds()), expires.In(exchange.Vietnam).Format(timeLayout)}})
}
