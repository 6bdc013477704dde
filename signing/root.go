package signing

import "io"

// RootName reads a document as far as its root's start tag and says what the root
// is. Nothing else of the document is known to hold.
func RootName(r io.Reader) (Name, error) {
	s := newScanner(r, Options{NoDigest: true})
	defer s.release()
	if err := s.prolog(); err != nil {
		return Name{}, err
	}
	if err := s.startTag(); err != nil {
		return Name{}, err
	}
	return s.root.Name, nil
}
