package signing

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"io"
)

// readAgain reads the document for a second time, and compares the digests that
// the first reading could not make.
func (v *verification) readAgain(r io.Reader, o Options, first *Document) error {
	again := o.Again
	if seeker, ok := r.(io.ReadSeeker); ok && again == nil {
		again = func() (io.ReadCloser, error) {
			_, err := seeker.Seek(-first.Size, io.SeekCurrent)
			return io.NopCloser(seeker), err
		}
	}
	if again == nil {
		return v.refuse(v.info.document.value, SecondReading, "")
	}
	parts, err := v.findParts()
	if err != nil {
		return err
	}
	body, err := again()
	if err != nil {
		return fmt.Errorf("reading the document again: %w", err)
	}
	err = v.digestAgain(body, o, first, parts)
	return errors.Join(err, body.Close())
}

func (v *verification) digestAgain(body io.Reader, o Options, first *Document, parts map[int]*partDigest) error {
	s := newScanner(body, Options{Limits: o.Limits, SignatureIn: o.SignatureIn, NoDigest: o.NoDigest, scanOnly: true})
	defer s.release()
	s.forget, s.parts = true, parts
	doc := v.info.document
	s.canon.reset(doc.form, doc.hash)
	if doc.onePass() {
		s.out = nil
	}
	if err := s.document(); err != nil {
		return err
	}
	if s.size != first.Size || s.raw != nil && [32]byte(s.raw.Sum(nil)) != first.Digest {
		return errors.New("the document read again is not the one that was read first")
	}
	if !doc.onePass() && !bytes.Equal(doc.digest, s.canon.sum()) {
		return v.refuse(doc.value, DigestMismatch, "")
	}
	for _, ref := range v.info.parts {
		if err := v.checkPart(ref, parts[ref.part.Element.order]); err != nil {
			return err
		}
	}
	return nil
}

// findParts finds the attachments that the signature names. An attachment is
// named once, and its references may want one digest only.
func (v *verification) findParts() (map[int]*partDigest, error) {
	parts := make(map[int]*partDigest)
	for _, ref := range v.info.parts {
		p, found := v.part(v.root, ref.uri)
		if !found {
			return nil, v.refuse(ref.value.Parent, ReferenceNotAllowed, excerpt([]byte(ref.uri)))
		}
		if parts[p.Element.order] != nil {
			return nil, v.refuse(ref.value.Parent, ExtraReference, excerpt([]byte(ref.uri)))
		}
		ref.part = p
		parts[p.Element.order] = newPartDigest(p, ref.hash)
	}
	return parts, nil
}

// checkPart compares the digest of an attachment: of what its base64 means, or of
// the base64 itself. Which one the national standard wants is not settled; each is
// a digest of the content that is delivered.
func (v *verification) checkPart(ref *reference, found *partDigest) error {
	switch {
	case bytes.Equal(ref.digest, found.decoded.Sum(nil)):
		ref.decoded = true
	case ref.decoded, !bytes.Equal(ref.digest, found.text.Sum(nil)):
		return v.refusef(ref.value, DigestMismatch, "of the attachment %s", excerpt([]byte(ref.uri)))
	}
	return nil
}

// A partDigest digests an attachment both ways.
type partDigest struct {
	text, decoded hash.Hash
	decoder       io.WriteCloser
}

func newPartDigest(p Part, kind crypto.Hash) *partDigest {
	d := &partDigest{text: kind.New(), decoded: kind.New()}
	d.decoder = p.Decode(d.decoded)
	return d
}

func (d *partDigest) Write(p []byte) (int, error) {
	d.text.Write(p) // a hash never fails
	return d.decoder.Write(p)
}

func (d *partDigest) Close() error { return d.decoder.Close() }
