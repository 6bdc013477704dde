package main

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

// sealSettings are the keys that receipts are sealed with, in the order of time.
// One alone needs no list.
type sealSettings []sealSetting

// sealSetting is one of them.
type sealSetting struct {
	// Key is a file, PEM or PKCS #12, or the URI of a key in a PKCS #11 token. It
	// may be taken out once the next key seals, if the certificate is there.
	Key string `yaml:"key"`
	// Certificate is a PEM file, the key's own certificate first; absent: what
	// lies beside the key.
	Certificate string `yaml:"certificate"`
	// PasswordFile holds the password of the PKCS #12 file, or the token's PIN,
	// alone; absent: there is none.
	PasswordFile string `yaml:"password_file"`
	// From is when the key begins to seal, and the one before it ends; absent, in
	// the first only: from the hub's beginning. "hub keys rotate" sets it.
	From instant `yaml:"from"`
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *sealSettings) UnmarshalYAML(node ast.Node) error {
	if node.Type() == ast.SequenceType {
		var list []sealSetting
		err := yaml.NodeToValue(node, &list, yaml.Strict())
		*s = list
		return err
	}
	var one sealSetting
	err := yaml.NodeToValue(node, &one, yaml.Strict())
	*s = sealSettings{one}
	return err
}

// name is where the setting of a place stands in the file.
func (s sealSettings) name(i int) string {
	if len(s) < 2 {
		return "seal"
	}
	return fmt.Sprintf("seal[%d]", i)
}

// validate finds what is missing or stands in the wrong order.
func (s sealSettings) validate(wrong func(key, what string)) {
	if len(s) == 0 {
		wrong("seal.key", "is missing")
	}
	for i, one := range s {
		if one.Key == "" && (one.Certificate == "" || i == len(s)-1) {
			wrong(s.name(i)+".key", "is missing")
		}
		if i > 0 && !time.Time(one.From).After(time.Time(s[i-1].From)) {
			wrong(s.name(i)+".from", "must be a later time than that of the key before it")
		}
	}
}

// over reports whether another key seals already.
func (s sealSettings) over(i int, now time.Time) bool {
	return i+1 < len(s) && !time.Time(s[i+1].From).After(now)
}

func (s sealSetting) source() keystore.Source {
	return keystore.Source{Key: s.Key, Certificate: s.Certificate, PasswordFile: s.PasswordFile}
}

// sealKeys opens the keys that receipts are sealed with.
type sealKeys struct {
	// tokens are those open already: a token is logged in to once, and stays
	// what it is until the hub is started again.
	tokens map[sealSetting]keystore.Pair
}

// open reads every key that seals now or later, and the certificates of all.
func (k *sealKeys) open(settings sealSettings, now time.Time) ([]exchange.Seal, error) {
	var list []exchange.Seal
	for i, s := range settings {
		seal, err := k.openOne(s, settings.over(i, now))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", settings.name(i), err)
		}
		list = append(list, seal)
	}
	return list, nil
}

func (k *sealKeys) openOne(s sealSetting, over bool) (exchange.Seal, error) {
	seal := exchange.Seal{From: time.Time(s.From)}
	if over && s.Certificate != "" {
		var err error
		seal.Chain, err = keystore.ReadCertificates(s.Certificate)
		return seal, err
	}
	pair, open := k.tokens[s]
	if !open {
		var err error
		if pair, err = keystore.Open(s.source()); err != nil {
			return seal, err
		}
	}
	if keystore.IsToken(s.Key) {
		if k.tokens == nil {
			k.tokens = map[sealSetting]keystore.Pair{}
		}
		k.tokens[s] = pair
	}
	var err error
	seal.Sealer, err = signing.NewSealer(pair.Key, pair.Chain)
	seal.Chain = pair.Chain
	return seal, err
}

// reread opens the keys that the configuration file names by now.
func (k *sealKeys) reread(path string) ([]exchange.Seal, error) {
	cfg, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	return k.open(cfg.Seal, now())
}

// checkSealing says how long each sealing certificate lasts, and whether the next
// is there in time.
func checkSealing(seals []exchange.Seal, now time.Time) []finding {
	var findings []finding
	for i, s := range seals {
		leaf, next := s.Chain[0], time.Time{}
		if i+1 < len(seals) {
			next = seals[i+1].From
		}
		switch {
		case !next.IsZero() && !next.After(now):
			findings = append(findings, formerSeal(s, next))
		case s.From.After(now):
			findings = append(findings, nextSeal(leaf, s.From))
		default:
			findings = append(findings, currentSeal(leaf, next, now))
		}
	}
	return findings
}

const sealing = "sealing certificate"

func formerSeal(s exchange.Seal, until time.Time) finding {
	f := finding{What: sealing, State: "ok", Detail: fmt.Sprintf("%s: former, sealed until %s", s.Chain[0].Subject, moment(until))}
	if s.Sealer != nil {
		f.Do = "give it the file of its certificate, and then its key can be put away"
	}
	return f
}

func nextSeal(c *x509.Certificate, from time.Time) finding {
	f := finding{What: sealing, State: "ok", Detail: fmt.Sprintf("%s: next, seals from %s until it expires on %s", c.Subject, moment(from), c.NotAfter.Format(time.DateOnly))}
	if from.Before(c.NotBefore) || !from.Before(c.NotAfter) {
		f.State, f.Do = "failed", "it is not valid when it is to begin: take it out of the configuration, and run hub keys rotate with another"
	}
	return f
}

func currentSeal(c *x509.Certificate, next, now time.Time) finding {
	f := checkDates(sealing, c, now)
	if f.State == "failed" {
		f.Do += "; hub keys rotate begins with another"
		return f
	}
	switch {
	case next.IsZero() && f.State == "warning":
		f.Do = "hub keys rotate makes the next key, and publishes it ahead"
	case next.After(c.NotAfter):
		f.State, f.Do = "warning", "it expires before the next one begins, "+moment(next)+": let that begin earlier"
	case !next.IsZero():
		f.State, f.Do = "ok", ""
	}
	return f
}
