package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"tram/exchange"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	keys, trust, proof, packageFile, answer, tsaRoots string
	sealOnly, stamped                                 bool
}

func (p *program) verify() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify RECEIPT.xml…",
		Short: "Verify receipts offline and say what they attest to",
		Long: `verify checks receipts without asking anyone, and says in words what each attests
to, and what that rests on.

It checks that
  - the receipt was not changed since it was sealed,
  - the seal is the hub's: its certificate is one of those in the keys file,
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
be in the log; --seal-only says that this is enough.`,
		Example: `  auditor verify --keys keys.json 0198f2c4.xml
  auditor verify --keys keys.json --package 1250-STC-NS.edxml 0198f2c4.xml
  auditor verify --keys keys.json --acknowledgement answer.xml 0198f2d1.xml
  auditor verify --keys keys.json --json receipts/*.xml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.runVerify(o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.keys, "keys", "", "the hub's published keys, a file (needed)")
	f.StringVar(&o.trust, "trust", "", "PEM `file` of certificate authorities that the hub's sealing certificates must lead to as well")
	f.StringVar(&o.proof, "proof", "", "proof `file` of the receipt, if it is not beside it")
	f.StringVar(&o.packageFile, "package", "", "package `file` to compare with the receipt, byte for byte")
	f.StringVar(&o.answer, "acknowledgement", "", "write the recipient's signed answer inside the receipt to this `file`")
	f.StringVar(&o.tsaRoots, "tsa-roots", "", "PEM `file` of the roots of time-stamp authorities, instead of those in the keys file")
	f.BoolVar(&o.stamped, "timestamped", false, "each receipt must have a time-stamp, made while its sealing certificate was in force")
	f.BoolVar(&o.sealOnly, "seal-only", false, "a receipt without a proof is enough")
	return c
}

func (p *program) runVerify(o verifyOptions, files []string) error {
	if o.keys == "" {
		return usagef("--keys is needed: the file of the hub's published keys, which https://HUB/v1/keys gives")
	}
	if len(files) > 1 && cmp.Or(o.proof, o.packageFile, o.answer) != "" {
		return usagef("--proof, --package and --acknowledgement are about one receipt, %d were given", len(files))
	}
	keys, err := readKeys(o.keys)
	if err != nil {
		return &usageError{err}
	}
	by, err := newAuthority(keys, o.trust)
	if err != nil {
		return &usageError{err}
	}
	if o.tsaRoots != "" {
		if by.tsa, err = trustStamps(keys, o.tsaRoots); err != nil {
			return &usageError{err}
		}
	}
	result := verification{OK: true}
	for _, file := range files {
		v, err := by.verifyFile(file, o)
		if err != nil {
			return err
		}
		result.OK = result.OK && v.OK
		result.Receipts = append(result.Receipts, v)
	}
	if err := p.printVerification(result); err != nil {
		return err
	}
	if !result.OK {
		return errDoesNotHold
	}
	return nil
}

// verification is what verify found.
type verification struct {
	OK       bool       `json:"ok"`
	Receipts []verified `json:"receipts"`
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
	raw, err := os.ReadFile(file)
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
	if f, ok := a.seal(doc.Signature, v.Stamp.sealedAt(receipt)); !ok {
		v.Findings = append(v.Findings, f)
	}
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
