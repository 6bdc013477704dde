package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/exchange"
	"tram/signing"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	keys, trust, proof, packageFile, answer, at, tsaRoots string
	sealOnly, sha1, stamped                               bool
}

func (p *program) verify() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Verify receipts and packages offline and say what they attest to",
		Long: `verify checks receipts and packages without asking anyone, and says in words what
each attests to, and what that rests on. Packages may be of any size.

Of a receipt it checks that
  - the receipt was not changed since it was sealed,
  - the seal is the hub's: its certificate is one of those in the keys file, and at
    the receipt's time it was that one's turn to seal,
  - the receipt is in the hub's log: a proof leads to a checkpoint that the hub's
    log key signed,
  - a time-stamp on the seal, if there is one, is over this seal and made by an
    authority that the keys file or --tsa-roots names: then the receipt existed at
    that time, and its certificate is judged as it was then,
  - a recipient's answer inside the receipt is signed, unchanged, and answers the
    very package that the receipt is about.

The keys file is what https://HUB/v1/keys gave, fetched once by a way you trust,
and kept. The proof of RECEIPT.xml, and of RECEIPT.timestamped.xml, is looked for
in RECEIPT.tlog-proof beside it; "agency receipts" saves all three. Without a proof a receipt is sealed but not shown to
be in the log; --seal-only says that this is enough.

Of a package (edXML) it checks that it is one that a hub may carry, that it is
signed, and that nothing was changed since. With --trust, also that the signer's
certificate leads to those authorities and was in force: at the time of --at, else
at the time that the signer claims, else now; which of them is said. Certificates
are judged here by their dates, not by revocation.

"auditor explain FILE" shows every step of it, and where it failed.`,
		Example: `  auditor verify --keys keys.json 0198f2c4.xml
  auditor verify --keys keys.json --package 1250-STC-NS.edxml 0198f2c4.xml
  auditor verify --keys keys.json --acknowledgement answer.xml 0198f2d1.xml
  auditor verify --keys keys.json --json receipts/*.xml
  auditor verify --trust rootca.pem --at 2026-11-20T09:20:31+07:00 1250-STC-NS.edxml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.runVerify(o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.keys, "keys", "", "the hub's published keys, a file (needed for receipts)")
	f.StringVar(&o.trust, "trust", "", "PEM `file` of certificate authorities that signers' certificates must lead to; the hub's sealing certificates as well")
	f.StringVar(&o.at, "at", "", "`time` at which the certificates of packages are judged, such as 2026-11-20 or 2026-11-20T09:20:31+07:00")
	f.StringVar(&o.proof, "proof", "", "proof `file` of the receipt, if it is not beside it")
	f.StringVar(&o.packageFile, "package", "", "package `file` to compare with the receipt, byte for byte")
	f.StringVar(&o.answer, "acknowledgement", "", "write the recipient's signed answer inside the receipt to this `file`")
	f.StringVar(&o.tsaRoots, "tsa-roots", "", "PEM `file` of the roots of time-stamp authorities, instead of those in the keys file")
	f.BoolVar(&o.stamped, "timestamped", false, "each receipt must have a time-stamp, made while its sealing certificate was in force")
	f.BoolVar(&o.sha1, "sha1", false, "let packages' signatures rest on SHA-1, as a hub may for an agency until a date; the receipt says so then")
	f.BoolVar(&o.sealOnly, "seal-only", false, "a receipt without a proof is enough")
	return c
}

func (p *program) runVerify(o verifyOptions, files []string) error {
	if len(files) > 1 && cmp.Or(o.proof, o.packageFile, o.answer) != "" {
		return usagef("--proof, --package and --acknowledgement are about one receipt, %d were given", len(files))
	}
	v, err := p.verifier(o)
	if err != nil {
		return err
	}
	result := verification{OK: true, Receipts: []verified{}}
	for _, file := range files {
		if err := v.file(file, &result); err != nil {
			return err
		}
	}
	if err := p.printVerification(result); err != nil {
		return err
	}
	if !result.OK {
		return errDoesNotHold
	}
	return nil
}

// verifier verifies files of either kind.
type verifier struct {
	*program
	options verifyOptions
	by      *authority // nil: without the hub's keys, so no receipts
	trust   *signing.Trust
	at      time.Time // zero: not given
}

func (p *program) verifier(o verifyOptions) (v verifier, err error) {
	v = verifier{program: p, options: o}
	if v.at, err = parseMoment(o.at); err != nil {
		return v, usagef("--at: %w", err)
	}
	if v.trust, err = readTrust(o.trust); err != nil {
		return v, &usageError{err}
	}
	if o.keys == "" {
		return v, nil
	}
	keys, err := readKeys(o.keys)
	if err != nil {
		return v, &usageError{err}
	}
	if v.by, err = newAuthority(keys, o.trust); err != nil {
		return v, &usageError{err}
	}
	if o.tsaRoots == "" {
		return v, nil
	}
	if v.by.tsa, err = trustStamps(keys, o.tsaRoots); err != nil {
		return v, &usageError{err}
	}
	return v, nil
}

// file verifies one file as what its root says that it is. What is no package is
// held to be a receipt.
func (v verifier) file(file string, result *verification) error {
	isPackage, err := looksLikePackage(file, v.by == nil)
	if err != nil {
		return err
	}
	if isPackage && cmp.Or(v.options.proof, v.options.packageFile, v.options.answer) == "" {
		found, err := v.verifyPackage(file)
		result.Packages = append(result.Packages, found)
		result.add(found.OK, found.explain)
		return err
	}
	if v.by == nil {
		return usagef("--keys is needed for a receipt: the file of the hub's published keys, which https://HUB/v1/keys gives")
	}
	found, err := v.by.verifyFile(file, v.options)
	result.Receipts = append(result.Receipts, found)
	result.add(found.OK, found.explain)
	return err
}

// verification is what verify found.
type verification struct {
	OK       bool              `json:"ok"`
	Receipts []verified        `json:"receipts"`
	Packages []verifiedPackage `json:"packages,omitempty"`

	text []func(*strings.Builder, colours) // of each file, in the order given
}

func (v *verification) add(ok bool, text func(*strings.Builder, colours)) {
	v.OK = v.OK && ok
	v.text = append(v.text, text)
}

// verified is what became of one receipt.
type verified struct {
	File string     `json:"file"`
	OK   bool       `json:"ok"`
	Says *statement `json:"says,omitempty"`
	Seal *seal      `json:"seal,omitempty"`
	Log  *place     `json:"log,omitempty"`
	// Stamp is the time-stamp on the seal.
	Stamp *stamp `json:"timeStamp,omitempty"`
	// Answer is the recipient's own, from inside the receipt.
	Answer *exchange.Acknowledgement `json:"acknowledgement,omitempty"`
	// PackageMatches is set when a package was compared.
	PackageMatches *bool     `json:"packageMatches,omitempty"`
	Findings       []Finding `json:"findings"`

	receipt  exchange.Receipt
	evidence exchange.Evidence
}

// seal says who sealed the receipt.
type seal struct {
	Subject     string          `json:"subject"`
	Issuer      string          `json:"issuer"`
	Certificate exchange.Digest `json:"certificate"`
}

// place is where the receipt is in the log.
type place struct {
	Origin string `json:"origin"`
	Leaf   int64  `json:"leaf"`
	Size   int64  `json:"size"` // of the log at the proof's checkpoint
	Root   string `json:"root"`
}

// verifyFile checks one receipt. The error is of reading files; what does not
// hold is in the result.
func (a *authority) verifyFile(file string, o verifyOptions) (verified, error) {
	v := verified{File: file, Findings: []Finding{}}
	raw, err := readReceipt(file)
	if err != nil {
		return v, err
	}
	receipt, evidence, doc, err := exchange.ParseReceipt(raw)
	if err != nil {
		v.Findings = append(v.Findings, finding(sealBroken, "%v", err))
		return v, nil
	}
	v.receipt, v.evidence, v.Says = receipt, evidence, says(evidence)
	certificate := doc.Signature.Certificate
	v.Seal = &seal{Subject: certificate.Subject.String(), Issuer: certificate.Issuer.String(), Certificate: exchange.DigestOf(certificate.Raw)}
	var broken []Finding
	v.Stamp, broken = a.timeStamp(doc.Signature, receipt)
	v.Findings = append(v.Findings, broken...)
	if f, missing := v.Stamp.required(); missing && o.stamped && broken == nil {
		v.Findings = append(v.Findings, f)
	}
	if f, ok := a.seal(doc.Signature, receipt, v.Stamp); !ok {
		v.Findings = append(v.Findings, f)
	}
	v.Findings = append(v.Findings, checkRevocation(evidence)...)
	if err := a.prove(&v, o); err != nil {
		return v, err
	}
	if err := v.answer(o.answer); err != nil {
		return v, err
	}
	if err := v.comparePackage(o.packageFile); err != nil {
		return v, err
	}
	v.OK = len(v.Findings) == 0
	return v, nil
}

// readReceipt reads no more than a receipt can have, and one byte that shows that
// there is more.
func readReceipt(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, exchange.MaxReceipt+1))
}

// prove finds the receipt's place in the log.
func (a *authority) prove(v *verified, o verifyOptions) error {
	file := cmp.Or(o.proof, proofFile(v.File))
	proof, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && o.proof == "" {
		if !o.sealOnly {
			v.Findings = append(v.Findings, finding(proofMissing,
				"there is no %s; \"agency receipts\" or the hub's /v1/receipts/%s/proof gives it, --proof names it, --seal-only does without", file, v.receipt.ID))
		}
		return nil
	}
	if err != nil {
		return err
	}
	tree, leaf, err := exchange.VerifyProof(proof, v.receipt.LogEntry(), a.keys.Origin, a.log)
	if err != nil {
		v.Findings = append(v.Findings, finding(proofBroken, "%v", err))
		return nil
	}
	v.Log = &place{Origin: a.keys.Origin, Leaf: leaf, Size: tree.N, Root: tree.Hash.String()}
	return nil
}

// proofSuffix is of proofs' files, beside their receipts' .xml.
const proofSuffix = ".tlog-proof"

// comparePackage compares a package's bytes with the digest in the receipt.
func (v *verified) comparePackage(file string) error {
	if file == "" {
		return nil
	}
	digest, err := digestOfFile(file)
	if err != nil {
		return err
	}
	same := len(v.evidence.Parts) > 0 && v.evidence.Parts[0].Digest == digest
	v.PackageMatches = &same
	if same {
		return nil
	}
	if len(v.evidence.Parts) == 0 {
		v.Findings = append(v.Findings, finding(packageDiffers, "the receipt names no content to compare %s with", file))
		return nil
	}
	v.Findings = append(v.Findings, finding(packageDiffers, "%s has the SHA-256 %s, the receipt is about %s",
		file, digest, v.evidence.Parts[0].Digest))
	return nil
}

func digestOfFile(file string) (exchange.Digest, error) {
	f, err := os.Open(file)
	if err != nil {
		return exchange.Digest{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return exchange.Digest{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return exchange.Digest(h.Sum(nil)), nil
}
