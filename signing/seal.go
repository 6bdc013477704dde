package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Sealer signs small documents of ours, receipts and acknowledgements, with
// XAdES baseline B-B (ETSI EN 319 132-1). It may be used by several goroutines
// at once if its key may; the keys of the standard library may.
type Sealer struct {
	signatory
	form    sealForm
	buffers sync.Pool     // of *[]byte
	first   atomic.Int64  // when the key first sealed, in seconds since 1970; 0: not known
	sealed  atomic.Uint64 // seals after the first minutes
}

// NewKey is how long a key counts as new: every document that it seals meanwhile
// is verified as a whole.
const NewKey = 5 * time.Minute

// NewSealer returns a Sealer that signs with key. chain begins with the key's
// certificate; each further certificate has issued the one before it. All of
// them are put into every signature.
func NewSealer(key crypto.Signer, chain []*x509.Certificate) (*Sealer, error) {
	by, err := newSignatory(key, chain)
	if err != nil {
		return nil, fmt.Errorf("preparing a sealer: %w", err)
	}
	return &Sealer{
		signatory: by,
		form:      newSealForm(by),
		buffers:   sync.Pool{New: func() any { return new([]byte) }},
	}, nil
}

// Certificate returns the certificate of the sealer's key.
func (s *Sealer) Certificate() *x509.Certificate { return s.chain[0] }

// UsedSince tells the sealer that its key sealed a document at the time given,
// so that a program that starts again does not take the key for a new one.
// Whoever says so has verified that document.
func (s *Sealer) UsedSince(at time.Time) {
	for first := s.first.Load(); first == 0 || at.Unix() < first; first = s.first.Load() {
		s.first.CompareAndSwap(first, at.Unix())
	}
}

// Chain returns the certificates that the sealer puts into signatures, the key's
// own first.
func (s *Sealer) Chain() []*x509.Certificate { return slices.Clone(s.chain) }

// Seal returns the document with an enveloped signature as the last child of its
// root. The document must be in exclusive canonical form and carry no signature;
// the result, but for its signature, is the same bytes, and is canonical again
// unless the root itself declares the namespace of signatures.
//
// at is the time the signature claims, to the second. Identifiers follow from
// the document's digest, so that an RSA key seals the same document at the same
// time with the same bytes.
//
// Only what was read back is returned. The scanner of Read takes the digests
// again from the final bytes, always; the whole signature is verified during a
// key's first minutes and for every 64th document after that, as a key that
// works is not expected to fail in single cases. A key is new until UsedSince
// tells otherwise.
func (s *Sealer) Seal(canonical []byte, at time.Time) ([]byte, error) {
	end, err := rootEnd(canonical)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)
	w, err := s.write((*buffer)[:0], canonical, at)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	*buffer = w.signature
	sealed := make([]byte, 0, len(canonical)+len(w.signature))
	sealed = append(sealed, canonical[:end]...)
	sealed = append(sealed, w.signature...)
	sealed = append(sealed, canonical[end:]...)
	if err := s.readBack(sealed, w, at); err != nil {
		return nil, fmt.Errorf("sealing: reading back what was sealed: %w", err)
	}
	return sealed, nil
}

func (s *Sealer) readBack(sealed []byte, w writing, at time.Time) error {
	inspect := s.inspects(at)
	read := newScanner(bytes.NewReader(sealed), Options{NoDigest: true, scanOnly: !inspect})
	defer read.recycle()
	if err := read.document(); err != nil {
		return err
	}
	if [sha256.Size]byte(read.canon.sum()) != w.document {
		return errors.New("its canonical form is not what was sealed: the document must be in exclusive canonical form")
	}
	if !bytes.Equal(read.sig.digest, w.properties[:]) {
		return errors.New("the signed properties are read otherwise than they were signed")
	}
	if !inspect {
		return nil
	}
	return s.verify(read)
}

// inspects says whether the document sealed at the time given is one of those
// whose signature is verified as a whole.
func (s *Sealer) inspects(at time.Time) bool {
	const sample = 64
	s.first.CompareAndSwap(0, at.Unix())
	return at.Unix()-s.first.Load() < int64(NewKey/time.Second) || s.sealed.Add(1)%sample == 0
}

// rootEnd returns where the end tag of the root begins, which in a canonical
// document is the last tag.
func rootEnd(canonical []byte) (int, error) {
	end := bytes.LastIndex(canonical, []byte("</"))
	if end < 0 {
		return 0, errors.New("the document is not in canonical form: it has no end tag")
	}
	name, closed := bytes.CutSuffix(canonical[end+2:], []byte(">"))
	rest, same := bytes.CutPrefix(canonical, append([]byte("<"), name...))
	if !closed || !same || len(name) == 0 || !bytes.ContainsAny(rest[:1], " >") {
		return 0, fmt.Errorf("the document is not in canonical form: it must begin with its root and end with the root's end tag, not with %.40q", canonical[end:])
	}
	return end, nil
}
