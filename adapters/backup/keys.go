package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// mostKeys is far more than all keys and certificates of a hub have together.
const mostKeys = 64 << 20

// seal writes the files as a tar archive that only the recipient can read. Those
// that are not in the hub's directory keep their absolute name, below "elsewhere".
func (a *Archive) seal(w io.Writer, to age.Recipient, files []string) error {
	encrypted, err := age.Encrypt(w, to)
	if err != nil {
		return err
	}
	t := tar.NewWriter(encrypted)
	for _, path := range files {
		if err := addFile(t, path, a.nameOf(path)); err != nil {
			return fmt.Errorf("taking %s into the backup: %w", path, err)
		}
	}
	return errors.Join(t.Close(), encrypted.Close())
}

func addFile(t *tar.Writer, path, name string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if filepath.IsAbs(name) {
		name = elsewhere(name)
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err = t.Write(b)
	return err
}

// elsewhere is where a file goes that was not in the hub's directory.
func elsewhere(path string) string { return "elsewhere" + filepath.ToSlash(path) }

// unseal puts the files of keys.age into a directory, and returns their names.
func unseal(path, dir string, identities []age.Identity) (names []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	plain, err := age.Decrypt(f, identities...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name the file of the identity that belongs to the recipient", path, err)
	}
	t := tar.NewReader(io.LimitReader(plain, mostKeys))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			return nil, fmt.Errorf("%s has %q, which no hub puts there; take another backup", path, h.Name)
		}
		if err := putFile(filepath.Join(dir, filepath.FromSlash(h.Name)), t); err != nil {
			return nil, err
		}
		names = append(names, h.Name)
	}
}

func putFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if _, err := writeFile(path, func(w io.Writer) error { _, err := io.Copy(w, r); return err }); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
