package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// extract unpacks a package's attachments into a new directory, or none of them.
// They are those that reading the package found; each must have its digest.
func extract(file, dir string, attachments []exchange.Attachment) ([]string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	names, err := extractInto(file, dir, attachments)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return names, nil
}

func extractInto(file, dir string, attachments []exchange.Attachment) ([]string, error) {
	contents, err := decodeAll(file, dir, len(attachments))
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", file, err)
	}
	used := map[string]bool{}
	names := make([]string, 0, len(attachments))
	for i, a := range attachments {
		name, err := safeName(a.Name, i+1, used)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, name)
		if err := unwrap(contents[i], path, a); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", path, err)
		}
		names = append(names, path)
	}
	return names, nil
}

// reserved are names that are devices on Windows, with any ending.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?$`)

// safeName is a name that stays in its directory, shows, and is not taken.
func safeName(name string, n int, used map[string]bool) (string, error) {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(name))
	name = strings.TrimRight(strings.TrimLeft(name, "."), ". ") // Windows drops what a name ends with
	if reserved.MatchString(name) {
		name = "_" + name
	}
	if name == "" {
		name = fmt.Sprintf("attachment-%d", n)
	}
	if ext := filepath.Ext(name); len(name) > 200 {
		name = strings.ToValidUTF8(name[:200-min(len(ext), 20)], "") + ext[:min(len(ext), 20)]
	}
	if used[strings.ToLower(name)] {
		name = fmt.Sprintf("%d-%s", n, name)
	}
	if !filepath.IsLocal(name) || filepath.Base(name) != name || used[strings.ToLower(name)] {
		return "", fmt.Errorf("the name of attachment %d, %q, cannot be used for a file", n, name)
	}
	used[strings.ToLower(name)] = true
	return name, nil
}

// decodeAll writes every attachment's content, decoded, into files of its own
// and returns their names, in the order of the document.
func decodeAll(file, dir string, want int) ([]string, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var names []string
	options := edxml.New(edxml.Options{}).Decoder().Options()
	options.NoDigest = true
	options.SHA1 = true // what the signature rests on was told when it was fetched
	options.Stream = func(e *signing.Element) io.Writer {
		if e.Local != "ContentTransferEncoded" || e.Space != edxml.Namespace {
			return nil
		}
		d := &decoding{name: filepath.Join(dir, fmt.Sprintf(".content-%d", len(names)+1))}
		names = append(names, d.name)
		return d
	}
	if _, err := signing.Read(in, options); err != nil {
		return nil, err
	}
	if len(names) != want {
		return nil, fmt.Errorf("it holds %d contents for %d attachments", len(names), want)
	}
	return names, nil
}

// decoding writes base64, with white space anywhere, decoded into a file.
type decoding struct {
	name string
	f    *os.File
	rest []byte // not a whole group yet
}

func (d *decoding) Write(b []byte) (int, error) {
	if d.f == nil {
		var err error
		if d.f, err = os.OpenFile(d.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return 0, err
		}
	}
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			d.rest = append(d.rest, c)
		}
	}
	whole := len(d.rest) / 4 * 4
	out := make([]byte, base64.StdEncoding.DecodedLen(whole))
	n, err := base64.StdEncoding.Decode(out, d.rest[:whole])
	if err != nil {
		return 0, err
	}
	d.rest = append(d.rest[:0], d.rest[whole:]...)
	if _, err := d.f.Write(out[:n]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends the content; signing.Read calls it at the end tag.
func (d *decoding) Close() error {
	if d.f == nil {
		return errors.New("it is empty")
	}
	if err := d.f.Close(); err != nil {
		return err
	}
	if len(d.rest) > 0 {
		return errors.New("the base64 ends within a group")
	}
	return nil
}

// unwrap gives a content its name: as it is, or out of the ZIP that it is
// wrapped in. Which of them is told by the digest, which is of the file itself.
func unwrap(content, path string, a exchange.Attachment) error {
	f, err := os.Open(content)
	if err != nil {
		return err
	}
	defer os.Remove(content) // a stage only
	defer f.Close()
	digest, size, err := digestOf(f)
	if err != nil {
		return err
	}
	if digest == a.Digest {
		return copyNew(path, f, a)
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("it has not the digest of the attachment, and is no ZIP of it: %w", err)
	}
	if len(z.File) != 1 {
		return fmt.Errorf("the ZIP that it is wrapped in has %d files", len(z.File))
	}
	entry, err := z.File[0].Open()
	if err != nil {
		return err
	}
	defer entry.Close()
	return copyNew(path, entry, a)
}

// copyNew copies what must have an attachment's size and digest.
func copyNew(path string, from io.Reader, a exchange.Attachment) error {
	return writing(path, false, 0o644, func(w io.Writer) error {
		h := sha256.New()
		if _, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(from, a.Size+1)); err != nil {
			return err
		}
		if exchange.Digest(h.Sum(nil)) != a.Digest {
			return errors.New("it has not the digest that the package's reading found")
		}
		return nil
	})
}
