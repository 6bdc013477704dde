//go:build pkcs11

package keystore

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
)

// sessions are kept open: as many signatures are made at once.
const sessions = 8

// connection is a token that was found, its sessions, and the key in it.
type connection struct {
	module *library
	began  int
	key    pkcs11.ObjectHandle
	id     []byte // CKA_ID of the key
	label  string // CKA_LABEL of it
	all    []pkcs11.SessionHandle
	free   chan pkcs11.SessionHandle
}

// library is a PKCS #11 module as this process has it.
type library struct {
	*pkcs11.Ctx
	// use is held for writing while the module begins anew: it may be in no
	// other call then (PKCS #11 2.40, 5.4, C_Finalize).
	use sync.RWMutex
	// began counts beginnings. What was opened before the last one means
	// something else now, or nothing.
	began int
}

// libraries are those of the process, by path. They are kept here because the
// modules' own state is the process's, too: C_Initialize and C_Finalize count for
// all who use one.
var libraries struct {
	sync.Mutex
	byPath map[string]*library
}

// load makes a module ready, once in a process.
func load(path string) (*library, error) {
	libraries.Lock()
	defer libraries.Unlock()
	if l := libraries.byPath[path]; l != nil {
		return l, nil
	}
	l := &library{Ctx: pkcs11.New(path)}
	if l.Ctx == nil {
		return nil, fmt.Errorf("the PKCS #11 module %s cannot be loaded: is it there, and made for this machine?", path)
	}
	if err := l.Initialize(); err != nil {
		return nil, fmt.Errorf("the PKCS #11 module %s: %w", path, err)
	}
	if libraries.byPath == nil {
		libraries.byPath = map[string]*library{}
	}
	libraries.byPath[path] = l
	return l, nil
}

// beginAnew lets the module look at the world again. All sessions end: who finds
// one dead connects again.
func (l *library) beginAnew() error {
	l.use.Lock()
	defer l.use.Unlock()
	_ = l.Finalize() // it may have ended before
	l.began++
	return l.Initialize()
}

// connect finds the token and the key, with one login for all sessions.
func connect(u tokenURI, pin string) (*connection, error) {
	module, err := load(u.module)
	if err != nil {
		return nil, err
	}
	module.use.RLock()
	defer module.use.RUnlock()
	slot, info, err := findSlot(module.Ctx, u)
	if err != nil {
		return nil, err
	}
	c := &connection{module: module, began: module.began}
	err = c.open(slot)
	if err == nil {
		err = c.login(u, info, pin)
	}
	if err == nil {
		err = c.findKey(u)
	}
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

// connectAgain finds a token that was lost. Some modules see one that is back
// only when they begin anew.
func connectAgain(u tokenURI, pin string) (*connection, error) {
	c, err := connect(u, pin)
	var wrong *pinError
	if err == nil || errors.As(err, &wrong) {
		return c, err
	}
	module, err := load(u.module)
	if err != nil {
		return nil, err
	}
	if err := module.beginAnew(); err != nil {
		return nil, fmt.Errorf("beginning anew with the PKCS #11 module %s: %w", u.module, err)
	}
	return connect(u, pin)
}

// findSlot finds the one token that the URI fits.
func findSlot(module *pkcs11.Ctx, u tokenURI) (uint, pkcs11.TokenInfo, error) {
	slots, err := module.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, fmt.Errorf("listing the tokens of %s: %w", u.module, err)
	}
	var found []uint
	var there []string
	var info pkcs11.TokenInfo
	for _, slot := range slots {
		i, err := module.GetTokenInfo(slot)
		if err != nil || i.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue // taken out just now, or empty
		}
		there = append(there, fmt.Sprintf("%q (serial %s)", i.Label, i.SerialNumber))
		if u.fits(slot, i) {
			found, info = append(found, slot), i
		}
	}
	switch len(found) {
	case 0:
		return 0, info, fmt.Errorf("no token fits %s; there is %s", u.name(), cmp.Or(strings.Join(there, ", "), "none"))
	case 1:
		return found[0], info, nil
	}
	return 0, info, fmt.Errorf("%d tokens fit %s: name the one by serial", len(found), u.name())
}

func (u tokenURI) fits(slot uint, i pkcs11.TokenInfo) bool {
	for _, pair := range [][2]string{{u.token, i.Label}, {u.serial, i.SerialNumber}, {u.manufacturer, i.ManufacturerID}, {u.model, i.Model}} {
		if pair[0] != "" && pair[0] != strings.TrimRight(pair[1], " \x00") {
			return false
		}
	}
	return u.slot == nil || *u.slot == slot
}

// name is the token for people.
func (u tokenURI) name() string { return fmt.Sprintf("token %q", cmp.Or(u.token, u.serial, u.module)) }

// open opens sessions, fewer if the token has fewer.
func (c *connection) open(slot uint) error {
	c.free = make(chan pkcs11.SessionHandle, sessions)
	for range sessions {
		s, err := c.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil && len(c.all) > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("opening a session with the token: %w", err)
		}
		c.all = append(c.all, s)
		c.free <- s
	}
	return nil
}

// login proves to the token that the key may be used. All sessions of a process
// share it. After one wrong PIN no other is tried, by this process or the next:
// three of them, and the token is locked for ever.
func (c *connection) login(u tokenURI, info pkcs11.TokenInfo, pin string) error {
	if info.Flags&pkcs11.CKF_LOGIN_REQUIRED == 0 {
		return nil
	}
	if pin == "" && info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH == 0 {
		return fmt.Errorf("%s asks for its PIN: %w", u.name(), errNoPassword)
	}
	if info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0 {
		return &pinError{fmt.Errorf("%s is locked by too many wrong PINs: have it unlocked by those who issued it", u.name())}
	}
	if info.Flags&(pkcs11.CKF_USER_PIN_COUNT_LOW|pkcs11.CKF_USER_PIN_FINAL_TRY) != 0 {
		return &pinError{fmt.Errorf("%s was given a wrong PIN before, and a further one might lock it, so none is tried; correct the PIN in its file, "+
			"and log in once by hand: pkcs11-tool --module %s --login --list-objects", u.name(), u.module)}
	}
	err := c.module.Login(c.all[0], pkcs11.CKU_USER, pin)
	switch {
	case err == nil, errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)):
		return nil
	case lost(err):
		return fmt.Errorf("logging in to %s: %w", u.name(), err)
	}
	return &pinError{fmt.Errorf("%s refuses the PIN, which is not tried again: %w", u.name(), err)}
}

// findKey finds the one private key that the URI fits.
func (c *connection) findKey(u tokenURI) error {
	list, err := c.find(pkcs11.CKO_PRIVATE_KEY, u)
	if err != nil {
		return fmt.Errorf("looking for the key in %s: %w", u.name(), err)
	}
	switch len(list) {
	case 0:
		all, _ := c.find(pkcs11.CKO_PRIVATE_KEY, tokenURI{}) // for the error's text only
		return fmt.Errorf("%s has no private key of object=%q and id=%x; it has %s", u.name(), u.object, u.id, cmp.Or(c.names(all), "none"))
	case 1:
		c.key = list[0]
		c.label, c.id, err = c.identity(c.key)
		return err
	}
	return fmt.Errorf("%s has several private keys that fit: %s; name one by object or id in the URI", u.name(), c.names(list))
}

// find lists objects of a class that the URI fits.
func (c *connection) find(class uint, u tokenURI) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.object))
	}
	if u.id != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.id)))
	}
	s := c.all[0] // nobody signs yet
	if err := c.module.FindObjectsInit(s, template); err != nil {
		return nil, err
	}
	list, _, err := c.module.FindObjects(s, 64)
	return list, errors.Join(err, c.module.FindObjectsFinal(s))
}

func (c *connection) identity(o pkcs11.ObjectHandle) (label string, id []byte, err error) {
	got, err := c.module.GetAttributeValue(c.all[0], o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil), pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
	if err != nil {
		return "", nil, err
	}
	return string(got[0].Value), got[1].Value, nil
}

func (c *connection) names(list []pkcs11.ObjectHandle) string {
	var names []string
	for _, o := range list {
		if label, id, err := c.identity(o); err == nil {
			names = append(names, fmt.Sprintf("object=%s;id=%s", label, escaped(id)))
		}
	}
	return strings.Join(names, ", ")
}

// escaped writes bytes as a URI has them.
func escaped(id []byte) string {
	var b strings.Builder
	for _, octet := range id {
		b.WriteString("%" + hex.EncodeToString([]byte{octet}))
	}
	return b.String()
}

// chain is the certificate that goes by the key's id, or else by its label, and
// those in the token that issued it.
func (c *connection) chain() ([]*x509.Certificate, error) {
	c.module.use.RLock()
	defer c.module.use.RUnlock()
	list, err := c.find(pkcs11.CKO_CERTIFICATE, tokenURI{})
	if err != nil {
		return nil, fmt.Errorf("looking for the certificate in the token: %w", err)
	}
	var all []*x509.Certificate
	var byID, byLabel *x509.Certificate
	for _, o := range list {
		got, err := c.module.GetAttributeValue(c.all[0], o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
		if err != nil {
			return nil, fmt.Errorf("reading a certificate in the token: %w", err)
		}
		certificate, err := x509.ParseCertificate(got[0].Value)
		if err != nil {
			continue // of a form that is not for us
		}
		label, id, err := c.identity(o)
		if err != nil {
			return nil, fmt.Errorf("reading a certificate in the token: %w", err)
		}
		all = append(all, certificate)
		if len(id) > 0 && bytes.Equal(id, c.id) {
			byID = certificate
		}
		if label != "" && label == c.label {
			byLabel = certificate
		}
	}
	leaf := cmp.Or(byID, byLabel)
	if leaf == nil {
		return nil, fmt.Errorf("the token has no certificate with the key's id %s or label %q: name the certificate's file", escaped(c.id), c.label)
	}
	return issuersOf(leaf, all), nil
}

// close ends the connection's sessions; others of the process go on.
func (c *connection) close() error {
	c.module.use.RLock()
	defer c.module.use.RUnlock()
	if c.outlived() {
		return nil
	}
	return c.end()
}

// outlived reports whether the module began anew after the connection was made.
func (c *connection) outlived() bool { return c.began != c.module.began }

func (c *connection) end() error {
	var errs []error
	for _, s := range c.all {
		errs = append(errs, c.module.CloseSession(s))
	}
	return errors.Join(errs...)
}
