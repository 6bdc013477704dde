package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tram/adapters/bolt"
	"tram/adapters/keystore"
	"tram/cmd/hub/bench"
	"tram/exchange"
	"tram/signing"
)

// benchKeys is how many keys of each kind the agencies share: making one of RSA
// takes a tenth of a second or two.
const benchKeys = 4

// benchSilent are agencies in the registry that take no part: what "hub bench seed"
// leaves open waits for them.
const benchSilent = 4

// benchNotes are kept beside the hub, so that it can be measured again: they hold
// the agencies' secrets and keys, which are good for this hub only.
type benchNotes struct {
	RSA, EC  [][]byte // PKCS #8
	Agencies []benchAgencyNotes
	Began    time.Time // the hub and its keys
	// Seeded are the deliveries that were made up, of Planned packages.
	Seeded  int64
	Planned int
}

type benchAgencyNotes struct {
	Code, Name, Secret string
	RSA, EC            []byte // certificates, DER; of the keys in turn
}

func benchNotesPath(dir string) string { return filepath.Join(dir, "bench.json") }

// benchSite makes a hub with so many agencies in a new or empty directory, or
// makes ready the one that is there.
//
// began is when the hub and its keys began: a while ago, so that its sealing key is
// not taken for a new one.
func benchSite(ctx context.Context, dir string, agencies int, began time.Time) (*bench.Site, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(benchNotesPath(dir)); errors.Is(err, os.ErrNotExist) {
		if err := makeBenchSite(ctx, dir, agencies+benchSilent, began); err != nil {
			return nil, err
		}
	}
	return openBenchSite(ctx, dir)
}

// benchPlan is the hub's own part.
func benchPlan(ctx context.Context, dir string) (blueprint, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return blueprint{}, err
	}
	return blueprint{Dir: filepath.Join(dir, "hub"), Code: "truc.bench.example", Name: "Trục liên thông để đo hiệu năng",
		Listen: ports[0], Operators: ports[1], Hosts: []string{"localhost", "127.0.0.1"}, Roots: filepath.Join(dir, "ca.pem"),
		Admin: "admin", RetryFirst: "30s", Profile: true, Rate: 1_000_000}, nil
}

func makeBenchSite(ctx context.Context, dir string, agencies int, began time.Time) error {
	authority, err := newAuthority("Bench Authority", "Example Province", began)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeCertificates(filepath.Join(dir, "ca.pem"), authority.certificate); err != nil {
		return err
	}
	plan, err := benchPlan(ctx, dir)
	if err != nil {
		return err
	}
	if err := plan.create(ctx, began); err != nil {
		return err
	}
	notes, err := newBenchNotes(authority, agencies, began)
	if err != nil {
		return err
	}
	if err := registerBench(ctx, plan, notes, began); err != nil {
		return err
	}
	return notes.keep(dir)
}

func (n benchNotes) keep(dir string) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return os.WriteFile(benchNotesPath(dir), text, 0o600)
}

func newBenchNotes(authority issuer, agencies int, now time.Time) (n benchNotes, err error) {
	n.Began = now
	signers, sealers := make([]crypto.Signer, benchKeys), make([]crypto.Signer, benchKeys)
	for i := range benchKeys {
		if signers[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return n, err
		}
		if sealers[i], err = newECKey(); err != nil {
			return n, err
		}
		one, err1 := x509.MarshalPKCS8PrivateKey(signers[i])
		other, err2 := x509.MarshalPKCS8PrivateKey(sealers[i])
		if err := errors.Join(err1, err2); err != nil {
			return n, err
		}
		n.RSA, n.EC = append(n.RSA, one), append(n.EC, other)
	}
	for i := range agencies {
		a := benchAgencyNotes{Code: fmt.Sprintf("H12.%03d", i+1), Name: fmt.Sprintf("Ủy ban nhân dân xã số %d, tỉnh Cà Mau", i+1)}
		if a.Secret, _, err = exchange.NewSecret(rand.Reader); err != nil {
			return n, err
		}
		signer, err := authority.signing(a.Name, "Example Province", signers[i%benchKeys].Public(), now)
		if err != nil {
			return n, err
		}
		sealer, err := authority.signing(a.Name, "Example Province", sealers[i%benchKeys].Public(), now)
		if err != nil {
			return n, err
		}
		a.RSA, a.EC = signer.Raw, sealer.Raw
		n.Agencies = append(n.Agencies, a)
	}
	return n, nil
}

// registerBench writes the agencies and their systems into the ledger, and a first
// receipt, sealed before what counts as the key's first minutes.
func registerBench(ctx context.Context, plan blueprint, notes benchNotes, began time.Time) error {
	agencies, err := notes.agencies()
	if err != nil {
		return err
	}
	cfg, err := loadConfig(plan.path("hub.yaml"))
	if err != nil {
		return err
	}
	keys, err := loadKeys(cfg)
	if err != nil {
		return err
	}
	began = began.UTC().Truncate(time.Millisecond)
	first := exchange.Evidence{ID: "00000000-0000-7000-8000-000000000001", Event: exchange.SubmissionRejection, Time: began, Hub: keys.published.Hub,
		Reason: exchange.Malformed, Detail: "a first receipt, so that the hub knows its key as one in use",
		Sender: exchange.Party{Scheme: exchange.SchemeSystem, Code: "system-bench"}, Basis: exchange.Basis{Method: exchange.BasisHub}}
	raw, err := keys.seals[0].Sealer.Seal(first.Canonical(), first.Time)
	if err != nil {
		return err
	}
	change := exchange.Change{
		Receipts: []exchange.Receipt{{ID: first.ID, Event: first.Event, Time: first.Time, Reason: first.Reason, Raw: raw}},
		Actions:  []exchange.Action{{ID: "bench", Time: began, Actor: "hub bench", Verb: "register", Object: "agencies"}},
	}
	for _, a := range agencies {
		change.Agencies = append(change.Agencies, a.Entry())
		change.Systems = append(change.Systems, exchange.System{ID: a.System, Name: "Phần mềm của " + a.Name, Agencies: []string{a.Code},
			Secrets: []exchange.Secret{{SHA256: exchange.DigestOf([]byte(a.Secret))}}})
	}
	ledger, err := bolt.Open(cfg.Ledger, bolt.Options{})
	if err != nil {
		return err
	}
	return errors.Join(ledger.Update(ctx, change), ledger.Close())
}

// agencies are those of the notes, with their keys.
func (n benchNotes) agencies() ([]*bench.Agency, error) {
	signers, err := privateKeys(n.RSA)
	if err != nil {
		return nil, err
	}
	sealers, err := privateKeys(n.EC)
	if err != nil {
		return nil, err
	}
	var all []*bench.Agency
	for i, a := range n.Agencies {
		signer, err1 := x509.ParseCertificate(a.RSA)
		sealer, err2 := x509.ParseCertificate(a.EC)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("the certificates of %s: %w", a.Code, err)
		}
		made := &bench.Agency{Code: a.Code, Name: a.Name, System: "system-" + a.Code, Secret: a.Secret, Key: signers[i%len(signers)], Certificate: signer}
		if made.Sealer, err = signing.NewSealer(sealers[i%len(sealers)], []*x509.Certificate{sealer}); err != nil {
			return nil, err
		}
		made.Sealer.UsedSince(sealer.NotBefore) // as one that has sealed all day
		all = append(all, made)
	}
	return all, nil
}

func privateKeys(list [][]byte) ([]crypto.Signer, error) {
	var keys []crypto.Signer
	for _, der := range list {
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a %T does not sign", key)
		}
		keys = append(keys, signer)
	}
	return keys, nil
}

func readBenchNotes(dir string) (n benchNotes, err error) {
	text, err := os.ReadFile(benchNotesPath(dir))
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("%s: %w", benchNotesPath(dir), err)
	}
	return n, nil
}

// openBenchSite makes a hub ready to be served, at addresses that are free now.
func openBenchSite(ctx context.Context, dir string) (*bench.Site, error) {
	notes, err := readBenchNotes(dir)
	if err != nil {
		return nil, err
	}
	plan, err := benchPlan(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(plan.path("hub.yaml")); err != nil {
		return nil, err
	}
	if err := plan.writeConfig(); err != nil {
		return nil, err
	}
	site := &bench.Site{Dir: dir, Config: plan.path("hub.yaml"), Ledger: plan.path("ledger.db"), Vault: plan.path("vault"),
		Address: plan.Listen, Operators: plan.Operators, Roots: x509.NewCertPool(), Seeded: notes.Seeded}
	if site.Program, err = os.Executable(); err != nil {
		return nil, err
	}
	all, err := notes.agencies()
	if err != nil {
		return nil, err
	}
	site.Agencies = all[:len(all)-benchSilent]
	site.Admin.ID = plan.Admin
	if site.Admin.Secret, err = readSecret(plan.path("admin.secret")); err != nil {
		return nil, err
	}
	roots, err := keystore.ReadCertificates(plan.path("keys", "tls-root.pem"))
	if err != nil {
		return nil, err
	}
	site.Roots.AddCert(roots[0])
	return site, nil
}
