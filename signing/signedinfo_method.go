package signing

import (
	"crypto"
	"strconv"
	"strings"
)

// checkMethod reads the SignatureMethod.
func (v *verification) checkMethod(e *Element) (string, method, error) {
	alg, _ := e.Attr("", "Algorithm")
	if strings.Contains(alg, "hmac") {
		return "", method{}, v.refuse(e, HMAC, excerpt([]byte(alg)))
	}
	if err := v.shape(e, "Algorithm"); err != nil {
		return "", method{}, err
	}
	m, known := methods[alg]
	if !known || m.hash == crypto.SHA1 && !v.sha1 {
		return "", method{}, v.refuse(e, algorithmRule(alg), excerpt([]byte(alg)))
	}
	if alg != algRSAPSS {
		return alg, m, v.childless(e, AlgorithmNotAllowed)
	}
	m, err := v.pssParameters(e, m)
	return alg, m, err
}

// childless refuses an element in an algorithm that takes no parameter.
func (v *verification) childless(e *Element, rule Rule) error {
	if len(e.Children) == 0 {
		return nil
	}
	return v.refusef(e.Children[0], rule, "parameter %s", excerpt([]byte(e.Children[0].Local)))
}

// pssParameters reads RSAPSSParams (RFC 9231, 2.3.9). What they may say is what
// they need not: one digest throughout, a salt of its length, the usual trailer.
func (v *verification) pssParameters(e *Element, m method) (method, error) {
	if len(e.Children) == 0 {
		return m, nil
	}
	params := e.Children[0]
	if len(e.Children) > 1 || params.Name != (Name{nsMore2007, "RSAPSSParams"}) {
		return m, v.refusef(params, AlgorithmNotAllowed, "parameter %s", excerpt([]byte(params.Local)))
	}
	if err := v.shape(params); err != nil {
		return m, err
	}
	rest := params.Children
	if len(rest) > 0 && rest[0].Name == (Name{nsDS, "DigestMethod"}) {
		alg, hash, err := v.digestMethod(rest[0])
		if err == nil && hash == crypto.SHA1 { // no old software signs so
			err = v.refuse(rest[0], SHA1, excerpt([]byte(alg)))
		}
		if err != nil {
			return m, err
		}
		m.hash, rest = hash, rest[1:]
	}
	for i, local := range []string{"MaskGenerationFunction", "SaltLength", "TrailerField"} {
		if len(rest) == 0 || rest[0].Name != (Name{nsMore2007, local}) {
			continue
		}
		check := []func(*Element, method) error{v.maskGeneration, v.saltLength, v.trailer}[i]
		if err := check(rest[0], m); err != nil {
			return m, err
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return m, v.refusef(rest[0], AlgorithmNotAllowed, "parameter %s", excerpt([]byte(rest[0].Local)))
	}
	return m, nil
}

func (v *verification) maskGeneration(e *Element, m method) error {
	if err := v.shape(e, "Algorithm"); err != nil {
		return err
	}
	if alg, _ := e.Attr("", "Algorithm"); alg != algMGF1 || len(e.Children) > 1 {
		return v.refuse(e, AlgorithmNotAllowed, excerpt([]byte(alg)))
	}
	if len(e.Children) == 0 {
		return nil
	}
	d := e.Children[0]
	if d.Name != (Name{nsDS, "DigestMethod"}) {
		return v.refusef(d, AlgorithmNotAllowed, "parameter %s", excerpt([]byte(d.Local)))
	}
	alg, hash, err := v.digestMethod(d)
	if err == nil && hash != m.hash {
		err = v.refusef(d, AlgorithmNotAllowed, "the mask's digest must be the signature's, and is %s", excerpt([]byte(alg)))
	}
	return err
}

func (v *verification) saltLength(e *Element, m method) error {
	return v.number(e, m.hash.Size())
}

func (v *verification) trailer(e *Element, _ method) error { return v.number(e, 1) }

// number holds a parameter to one value.
func (v *verification) number(e *Element, want int) error {
	if err := v.leaf(e); err != nil {
		return err
	}
	if e.Value() != strconv.Itoa(want) {
		return v.refusef(e, AlgorithmNotAllowed, "%s is %s, accepted is %d", e.Local, excerpt([]byte(e.Value())), want)
	}
	return nil
}

// digestMethod reads a DigestMethod.
func (v *verification) digestMethod(e *Element) (string, crypto.Hash, error) {
	if err := v.shape(e, "Algorithm"); err != nil {
		return "", 0, err
	}
	if err := v.childless(e, AlgorithmNotAllowed); err != nil {
		return "", 0, err
	}
	alg, _ := e.Attr("", "Algorithm")
	hash, known := digests[alg]
	if !known || hash == crypto.SHA1 && !v.sha1 {
		return "", 0, v.refuse(e, algorithmRule(alg), excerpt([]byte(alg)))
	}
	return alg, hash, nil
}

// algorithmRule names why an algorithm is refused.
func algorithmRule(alg string) Rule {
	if strings.Contains(strings.ToLower(alg), "sha1") {
		return SHA1
	}
	return AlgorithmNotAllowed
}

// defaultPrefix stands for the default namespace in a list of prefixes.
const defaultPrefix = "#default"

// form reads a CanonicalizationMethod, or a Transform that is one.
func (v *verification) form(e *Element, rule Rule) (string, c14nForm, error) {
	if err := v.shape(e, "Algorithm"); err != nil {
		return "", c14nForm{}, err
	}
	alg, _ := e.Attr("", "Algorithm")
	if alg == algExcC14NAlias && e.Local == "Transform" {
		alg = algExcC14N
	}
	form, known := forms[alg]
	if !known {
		return "", form, v.refuse(e, rule, excerpt([]byte(alg)))
	}
	if len(e.Children) == 0 {
		return alg, form, nil
	}
	list := e.Children[0]
	if form.inclusive || len(e.Children) > 1 || list.Name != (Name{algExcC14N, "InclusiveNamespaces"}) {
		return "", form, v.refusef(list, rule, "parameter %s", excerpt([]byte(list.Local)))
	}
	var err error
	form.prefixes, err = v.prefixes(list)
	return alg, form, err
}

// maxPrefixes bounds a list of prefixes: each is looked up at each element.
const maxPrefixes = 32

// prefixes reads InclusiveNamespaces (Exclusive XML Canonicalization 1.0, 4).
func (v *verification) prefixes(e *Element) ([]string, error) {
	if err := v.leaf(e, "PrefixList"); err != nil {
		return nil, err
	}
	if err := v.shape(e, "PrefixList"); err != nil {
		return nil, err
	}
	list, found := e.Attr("", "PrefixList")
	if !found { // the schema lets it be left out, and xmlsec1 does not
		return nil, v.refusef(e, InclusivePrefixes, "PrefixList is missing")
	}
	prefixes := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(xmlSpace, r) })
	if len(prefixes) > maxPrefixes {
		return nil, v.refusef(e, InclusivePrefixes, "more than %d prefixes", maxPrefixes)
	}
	for i, p := range prefixes {
		if p == defaultPrefix {
			prefixes[i] = ""
			continue
		}
		if !isNCName([]byte(p)) {
			return nil, v.refuse(e, InclusivePrefixes, excerpt([]byte(p)))
		}
	}
	return prefixes, nil
}
