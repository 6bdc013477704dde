package keystore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scheme begins the URI of a key in a token.
const scheme = "pkcs11:"

// IsToken reports whether a key's place is a PKCS #11 URI and not a file.
func IsToken(key string) bool { return strings.HasPrefix(key, scheme) }

// tokenURI is what a PKCS #11 URI says (RFC 7512, 2.3). What it does not say is
// empty, and fits everything.
type tokenURI struct {
	token, serial, manufacturer, model string
	slot                               *uint

	object string // CKA_LABEL
	id     string // CKA_ID

	module    string // path of the library
	pinSource string // path of the PIN's file
}

// parseURI reads the attributes that are understood. An unknown one is
// refused: mistyped, it would have chosen another key.
func parseURI(text string) (tokenURI, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(text, scheme), "?")
	var u tokenURI
	if err := attributes(path, ";", u.pathAttribute()); err != nil {
		return u, err
	}
	if err := attributes(query, "&", u.queryAttribute()); err != nil {
		return u, err
	}
	if u.module == "" {
		return u, errors.New("the PKCS #11 URI names no module: end it with ?module-path=/usr/lib/….so, the library that came with the token")
	}
	return u, nil
}

// attributes takes a list of attributes apart.
func attributes(list, separator string, set func(name, value string) error) error {
	var seen []string
	for part := range strings.SplitSeq(list, separator) {
		if part == "" {
			continue
		}
		name, escaped, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return fmt.Errorf("the PKCS #11 URI's %s: %w", name, err)
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("the PKCS #11 URI has %s twice", name)
		}
		seen = append(seen, name)
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *tokenURI) pathAttribute() func(name, value string) error {
	fields := map[string]*string{"token": &u.token, "serial": &u.serial, "manufacturer": &u.manufacturer, "model": &u.model,
		"object": &u.object, "id": &u.id}
	return func(name, value string) error {
		if field := fields[name]; field != nil {
			*field = value
			return nil
		}
		switch name {
		case "slot-id":
			n, err := strconv.ParseUint(value, 10, 32)
			slot := uint(n)
			u.slot = &slot
			return err
		case "type":
			if value != "private" && value != "cert" {
				return fmt.Errorf("the PKCS #11 URI is of type %s; the key is meant, and its certificate", value)
			}
			return nil
		}
		return fmt.Errorf("the PKCS #11 URI has %q, which is not understood: token, serial, manufacturer, model, slot-id, object, id and type are", name)
	}
}

func (u *tokenURI) queryAttribute() func(name, value string) error {
	return func(name, value string) error {
		switch name {
		case "module-path":
			u.module = value
			if strings.Contains(value, "/") && !filepath.IsAbs(value) {
				return errors.New("the PKCS #11 URI's module-path must be absolute, or a library's mere name")
			}
			return nil
		case "pin-source":
			u.pinSource = strings.TrimPrefix(strings.TrimPrefix(value, "file:"), "//")
			if !filepath.IsAbs(u.pinSource) {
				return errors.New("the PKCS #11 URI's pin-source must be an absolute path, such as file:/etc/hub/pin")
			}
			return nil
		case "pin-value":
			return errors.New("the PKCS #11 URI has the PIN in it, where others see it: put it alone into a file, and name that in pin-source or password_file")
		}
		return fmt.Errorf("the PKCS #11 URI has %q, which is not understood: module-path and pin-source are", name)
	}
}

// openToken reads a key in a token, and its certificates if none are given.
func (s Source) openToken(given []*x509.Certificate) (Pair, error) {
	u, err := parseURI(s.Key)
	if err != nil {
		return Pair{}, err
	}
	if u.pinSource != "" && s.PasswordFile == "" {
		s.PasswordFile = u.pinSource
	}
	pin := ""
	if s.PasswordFile != "" {
		if pin, err = ReadPassword(s.PasswordFile); err != nil {
			return Pair{}, err
		}
	}
	return openToken(u, pin, given)
}
