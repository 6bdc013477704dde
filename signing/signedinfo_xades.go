package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"time"
)

// checkProperties verifies the XAdES signed properties, if there are any, and
// returns the signing time they claim. Only those that the reference covers are
// looked at, and there may be no others (EN 319 132-1, 4.3 and 5.2).
func (v *verification) checkProperties(ref *reference, leaf *x509.Certificate) (at time.Time, err error) {
	if len(v.el.Children) < 4 {
		if ref != nil {
			return at, v.refusef(ref.value, ReferenceNotAllowed, "there are no signed properties")
		}
		return at, nil
	}
	if err := v.checkObject(v.el.Children[3]); err != nil {
		return at, err
	}
	props := v.scan.props
	id, ok := props.Attr("", "Id")
	if ref == nil || !ok || ref.uri != "#"+id {
		return at, v.refusef(v.el.Children[3], UnsignedObject, "no reference covers the signed properties")
	}
	if !bytes.Equal(ref.digest, v.scan.digest) {
		return at, v.refusef(ref.value, DigestMismatch, "of the signed properties")
	}
	signature := props.Child(nsXAdES, "SignedSignatureProperties")
	if err := v.checkSigningCertificate(signature, leaf); err != nil {
		return at, err
	}
	return v.signingTime(signature)
}

// checkObject holds the Object to one QualifyingProperties for this signature,
// with signed properties, time-stamps on the signature and nothing besides.
func (v *verification) checkObject(e *Element) error {
	if err := v.shape(e, "Id"); err != nil {
		return err
	}
	if len(e.Children) != 1 || e.Children[0].Name != (Name{nsXAdES, "QualifyingProperties"}) {
		return v.refuse(e, UnsignedObject, "")
	}
	q := e.Children[0]
	if err := v.shape(q, "Id", "Target"); err != nil {
		return err
	}
	id, _ := v.el.Attr("", "Id")
	if target, ok := q.Attr("", "Target"); ok && target != "#"+id {
		return v.refusef(q, SignedProperties, "Target %s is not this signature", excerpt([]byte(target)))
	}
	for i, c := range q.Children {
		if c.Name == (Name{nsXAdES, "UnsignedProperties"}) && i < 2 {
			if err := v.checkUnsigned(c); err != nil {
				return err
			}
			continue
		}
		if i > 0 || c.Name != (Name{nsXAdES, "SignedProperties"}) {
			return v.refuse(c, UnsignedObject, c.Local)
		}
	}
	if len(q.Children) == 0 || q.Children[0].Local != "SignedProperties" {
		return v.refusef(q, SignedProperties, "SignedProperties is missing")
	}
	return nil
}

// checkSigningCertificate compares the certificate that the properties name, if
// they do, with the one that verified the signature.
func (v *verification) checkSigningCertificate(in *Element, leaf *x509.Certificate) error {
	for _, local := range []string{"SigningCertificateV2", "SigningCertificate"} {
		all := in.All(nsXAdES, local)
		if len(all) > 1 {
			return v.refusef(all[1], SignedProperties, "a second %s", local)
		}
		if len(all) == 0 {
			continue
		}
		digest := all[0].Child(nsXAdES, "Cert").Child(nsXAdES, "CertDigest")
		if err := v.checkCertDigest(all[0], digest, leaf); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) checkCertDigest(e, digest *Element, leaf *x509.Certificate) error {
	method, value := digest.Child(nsDS, "DigestMethod"), digest.Child(nsDS, "DigestValue")
	if method == nil || value == nil {
		return v.refusef(e, SignedProperties, "Cert/CertDigest is missing or incomplete")
	}
	alg, _ := method.Attr("", "Algorithm")
	hash, ok := digests[alg]
	if !ok || hash == crypto.SHA1 && !v.sha1 {
		return v.refuse(method, algorithmRule(alg), excerpt([]byte(alg)))
	}
	v.info.sha1 = v.info.sha1 || hash == crypto.SHA1
	want, err := v.base64(value)
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write(leaf.Raw)
	if !bytes.Equal(h.Sum(nil), want) {
		return v.refuse(value, SigningCertificateMismatch, "")
	}
	return nil
}

func (v *verification) signingTime(in *Element) (time.Time, error) {
	all := in.All(nsXAdES, "SigningTime")
	if len(all) == 0 {
		return time.Time{}, nil
	}
	if len(all) > 1 {
		return time.Time{}, v.refusef(all[1], SignedProperties, "a second %s", "SigningTime")
	}
	at, err := time.Parse(time.RFC3339, all[0].Value())
	if err != nil {
		return time.Time{}, v.refusef(all[0], SignedProperties, "SigningTime %s is no time with a zone", excerpt([]byte(all[0].Value())))
	}
	return at, nil
}
