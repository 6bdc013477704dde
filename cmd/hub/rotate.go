package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/bolt"
	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

// Terms of a change of the sealing key.
const (
	// rotationAhead is how long the next certificate is published before it
	// seals, unless told otherwise: others fetch the keys now and then.
	rotationAhead = 30 * 24 * time.Hour
	// rotationNow is how far ahead "now" is while the hub runs.
	rotationNow = time.Minute
	// rotationLeast is how far ahead any time must be.
	rotationLeast = 15 * time.Second
)

// rotation is what "hub keys rotate" was asked for.
type rotation struct {
	next         sealSetting // its paths as they were given, from the working directory
	from, reason string

	cfg  config
	at   time.Time // when the next key begins
	made []string  // files, which go again if nothing comes of it
}

func rotateCommand(o *options) *cobra.Command {
	var r rotation
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish the next sealing key, and when it begins to seal",
		Long: `rotate puts a further key into the seal section of the configuration: one that it
makes, or the one given, as a PEM or PKCS #12 file or the URI of a key in a
PKCS #11 token. Before that it lets the key seal something, and verifies it.

A running hub publishes the certificate at once and begins to seal with the key at
the time of --from, 30 days ahead unless told otherwise, so that agencies and
auditors have fetched /v1/keys again by then. No request is lost. The keys before it
stay published for ever, with the time that each sealed, and their receipts hold.
The change is an action of the log. While the hub is stopped it is put on record in
the ledger itself.

When the next key seals, the former one's file or token may be put away: its entry
needs only the certificate. "hub check" says so.

The log's key is not changed this way: a log with another key is another log. Nor is
the webhook's: change its file, start the hub again, and tell the agencies.`,
		Example: `  hub keys rotate --reason 'the certificate expires in March'
  hub keys rotate --key hsm.p12 --password-file password --from 2027-01-01T00:00:00+07:00
  hub keys rotate --key 'pkcs11:token=hub;object=seal?module-path=/usr/lib/hsm.so' --password-file pin
  hub keys rotate --from now --reason 'the key was stolen'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			result, err := r.run(c.Context(), o, time.Now())
			if err != nil {
				return err
			}
			return o.show(c, result, result.describe)
		},
	}
	f := c.Flags()
	f.StringVar(&r.next.Key, "key", "", "the next key: a `file`, PEM or PKCS #12, or a PKCS #11 URI; without it one is made")
	f.StringVar(&r.next.Certificate, "certificate", "", "`file` of its certificate, PEM, issuers after it; without it the certificate beside the key")
	f.StringVar(&r.next.PasswordFile, "password-file", "", "`file` of the key's password or PIN, alone")
	f.StringVar(&r.from, "from", "", "when it begins to seal: a time such as 2027-01-01T00:00:00+07:00, or now; 30 days ahead without it")
	f.StringVar(&r.reason, "reason", "", "why; it stays on record")
	return c
}

func reloadCommand(o *options) *cobra.Command {
	var reason string
	c := asking(o, "reload", "Let the running hub read its sealing keys again", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		keys, err := hub.ReloadKeys(c.Context(), reason)
		if err != nil {
			return err
		}
		return o.show(c, keys, func(w io.Writer) {
			fmt.Fprintf(w, "the hub publishes %d sealing certificates\n", len(keys.Sealing))
		})
	})
	c.Long = `reload lets the running hub read the seal section of its configuration again, after
it was changed by hand. "hub keys rotate" does so by itself.`
	c.Flags().StringVar(&reason, "reason", "", "why; it stays on record")
	return c
}

// rotated is what became of it.
type rotated struct {
	Key         string          `json:"key"`
	Certificate string          `json:"certificate"`
	Subject     string          `json:"subject"`
	SHA256      exchange.Digest `json:"sha256"`
	From        time.Time       `json:"from"`
	Expires     time.Time       `json:"expires"`
	// Published is false while the hub is stopped.
	Published bool `json:"published"`
}

func (r rotated) describe(w io.Writer) {
	fmt.Fprintf(w, "key\t%s\ncertificate\t%s\t%s, until %s\nSHA-256\t%s\nseals from\t%s\n", r.Key, r.Certificate, r.Subject,
		r.Expires.Format(time.DateOnly), r.SHA256, moment(r.From))
	if !r.Published {
		fmt.Fprintln(w, "published\tonce the hub is started")
		return
	}
	fmt.Fprintln(w, "published\tnow; tell agencies and auditors to fetch /v1/keys again before then")
}

func (r *rotation) run(ctx context.Context, o *options, now time.Time) (result rotated, err error) {
	defer func() {
		for _, file := range r.made {
			if err != nil {
				err = errors.Join(err, os.Remove(file))
			}
		}
	}()
	if r.cfg, err = loadConfig(o.config); err != nil {
		return rotated{}, err
	}
	if r.at, err = r.begins(now); err != nil {
		return rotated{}, usageError{err}
	}
	setting, pair, err := r.prepare(now)
	if err != nil {
		return rotated{}, err
	}
	result = rotated{Key: setting.Key, Certificate: setting.Certificate, Subject: pair.Chain[0].Subject.String(),
		SHA256: exchange.DigestOf(pair.Chain[0].Raw), From: r.at, Expires: pair.Chain[0].NotAfter}
	changed, err := r.rewritten(setting)
	if err != nil {
		return rotated{}, err
	}
	if err := replaceFile(r.cfg.path, changed); err != nil {
		return rotated{}, err
	}
	result.Published, err = r.tell(ctx, o, result.SHA256)
	return result, err
}

// begins reads --from. Seconds are whole, and the configuration says them.
func (r *rotation) begins(now time.Time) (time.Time, error) {
	switch r.from {
	case "":
		return now.Add(rotationAhead).UTC().Truncate(time.Hour), nil
	case "now":
		return now.Add(rotationNow).UTC().Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, r.from)
	if err != nil {
		return at, fmt.Errorf("--from %q is no time such as 2027-01-01T00:00:00+07:00", r.from)
	}
	if at.Before(now.Add(rotationLeast)) {
		return at, fmt.Errorf("--from %s is over, or almost: what was sealed until then has another key; the next moment is --from now", r.from)
	}
	return at.UTC(), nil
}

// prepare makes the key or opens the one given, and sees that it seals. The
// setting is as it will stand in the configuration.
func (r *rotation) prepare(now time.Time) (sealSetting, keystore.Pair, error) {
	s := r.next
	s.From = instant(r.at)
	if s.Key == "" {
		if s.Certificate != "" || s.PasswordFile != "" {
			return s, keystore.Pair{}, usageError{errors.New("--certificate and --password-file are of a key: give --key too")}
		}
		if err := r.makeKey(&s, now); err != nil {
			return s, keystore.Pair{}, err
		}
	}
	pair, err := keystore.Open(s.source())
	if err != nil {
		return s, pair, usageError{err}
	}
	if err := r.fits(pair, now); err != nil {
		return s, pair, usageError{err}
	}
	if s.Certificate == "" { // it must be there when the key is put away
		s.Certificate = r.fresh(".pem")
		if err := writeCertificates(s.Certificate, pair.Chain...); err != nil {
			return s, pair, err
		}
		r.made = append(r.made, s.Certificate)
	}
	for _, p := range []*string{&s.Key, &s.Certificate, &s.PasswordFile} {
		if err := r.relative(p); err != nil {
			return s, pair, err
		}
	}
	return s, pair, nil
}

// makeKey makes a key with a certificate of its own, as "hub init" does.
func (r *rotation) makeKey(s *sealSetting, now time.Time) error {
	key, err := newECKey()
	if err != nil {
		return err
	}
	certificate, err := newSealCertificate(r.cfg.Hub.Name, r.cfg.Hub.Code, key, now)
	if err != nil {
		return err
	}
	s.Key, s.Certificate = r.fresh(".key"), r.fresh(".pem")
	if err := writeKey(s.Key, key); err != nil {
		return err
	}
	r.made = append(r.made, s.Key)
	if err := writeCertificates(s.Certificate, certificate); err != nil {
		return err
	}
	r.made = append(r.made, s.Certificate)
	return nil
}

// fresh names a new file in the directory of the keys.
func (r *rotation) fresh(ext string) string {
	dir := filepath.Join(filepath.Dir(r.cfg.path), "keys")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = filepath.Dir(r.cfg.path)
	}
	return filepath.Join(dir, "seal-"+r.at.Format("20060102T150405Z")+ext)
}

// fits sees that a key seals, and will when it is to begin.
func (r *rotation) fits(pair keystore.Pair, now time.Time) error {
	leaf := pair.Chain[0]
	if r.at.Before(leaf.NotBefore) || !r.at.Before(leaf.NotAfter) {
		return fmt.Errorf("the certificate %q is valid from %s to %s, and not at %s, when it is to begin", leaf.Subject,
			leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339), r.at.Format(time.RFC3339))
	}
	seals, err := new(sealKeys).open(r.cfg.Seal, now)
	if err != nil {
		return err
	}
	last := seals[len(seals)-1]
	if !last.From.Before(r.at) {
		return fmt.Errorf("a next key is published already, and seals from %s; to let it begin earlier, change its from in %s and run hub keys reload",
			moment(last.From), r.cfg.path)
	}
	if last.Chain[0].Equal(leaf) {
		return fmt.Errorf("the certificate %q is that of the last key already", leaf.Subject)
	}
	sealer, err := signing.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		return err
	}
	_, err = sealer.Seal([]byte("<trial></trial>"), now) // verified, as all first ones are
	return err
}

// relative writes a path as the configuration has it: from its own directory if
// it is below that.
func (r *rotation) relative(path *string) error {
	if *path == "" || keystore.IsToken(*path) {
		return nil
	}
	abs, err := filepath.Abs(*path)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Dir(r.cfg.path))
	if err != nil {
		return err
	}
	*path = abs
	if rel, err := filepath.Rel(dir, abs); err == nil && filepath.IsLocal(rel) {
		*path = rel
	}
	return nil
}

// rewritten is the configuration's text with the next key in it. That it says
// this, and nothing else that it did not say before, is seen by reading it.
func (r *rotation) rewritten(s sealSetting) ([]byte, error) {
	item := s.lines()
	byHand := fmt.Errorf("%s cannot be changed safely; put this into its seal section by hand, as the last of a list, and run hub keys reload:\n%s",
		r.cfg.path, strings.Join(item, "\n"))
	text, ok := appendSeal(string(r.cfg.source), item)
	if !ok {
		return nil, byHand
	}
	trial, err := os.CreateTemp(filepath.Dir(r.cfg.path), ".hub-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(trial.Name()) // it was only to be read
	_, err = trial.WriteString(text)
	if err := errors.Join(err, trial.Close()); err != nil {
		return nil, err
	}
	got, err := loadConfig(trial.Name())
	if err != nil {
		return nil, errors.Join(byHand, err)
	}
	want := r.cfg
	for _, p := range []*string{&s.Key, &s.Certificate, &s.PasswordFile} {
		if *p != "" && !keystore.IsToken(*p) && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(r.cfg.path), *p)
		}
	}
	want.Seal = append(want.Seal[:len(want.Seal):len(want.Seal)], s)
	want.path, want.source = got.path, got.source
	if !reflect.DeepEqual(got, want) {
		return nil, byHand
	}
	return []byte(text), nil
}

// lines are a setting as an item of a list in YAML.
func (s sealSetting) lines() []string {
	list := []string{"- key: " + scalar(s.Key), "  certificate: " + scalar(s.Certificate)}
	if s.PasswordFile != "" {
		list = append(list, "  password_file: "+scalar(s.PasswordFile))
	}
	return append(list, "  from: "+time.Time(s.From).Format(time.RFC3339))
}

var plainScalar = regexp.MustCompile(`^[A-Za-z0-9_/][A-Za-z0-9_./-]*$`)

func scalar(s string) string {
	if plainScalar.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// appendSeal puts an item at the end of the seal section of a configuration. A
// single key becomes the first of a list. Comments stay. It gives up on a
// section that is written in another way than in lines.
func appendSeal(text string, item []string) (string, bool) {
	lines := strings.Split(text, "\n")
	begin := -1
	for i, l := range lines {
		if rest, ok := strings.CutPrefix(l, "seal:"); ok {
			if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
				return "", false
			}
			begin = i
			break
		}
	}
	first, end := section(lines, begin+1)
	if begin < 0 || first == end {
		return "", false
	}
	bare := strings.TrimLeft(lines[first], " ")
	indent := lines[first][:len(lines[first])-len(bare)]
	if !strings.HasPrefix(bare, "- ") {
		lines[first] = indent + "- " + bare
		for i := first + 1; i < end; i++ {
			if strings.TrimSpace(lines[i]) != "" {
				lines[i] = "  " + lines[i]
			}
		}
	}
	var added []string
	for _, l := range item {
		added = append(added, indent+l)
	}
	return strings.Join(append(lines[:end:end], append(added, lines[end:]...)...), "\n"), true
}

// section is from the first line that says something to behind the last one,
// before the next key of the file.
func section(lines []string, from int) (first, end int) {
	first, end = from, from
	for i := from; i < len(lines); i++ {
		said := strings.TrimSpace(lines[i])
		if said == "" || said[0] == '#' {
			continue
		}
		if l := lines[i][0]; l != ' ' && l != '-' {
			break
		}
		if end == from {
			first = i
		}
		end = i + 1
	}
	return first, end
}

// replaceFile writes a file anew, whole or not at all, with its mode. A link
// stays a link.
func replaceFile(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".hub-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect once renamed
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// tell lets the running hub take the change, or puts it on record while there is
// none. A change that was refused is taken back.
func (r *rotation) tell(ctx context.Context, o *options, certificate exchange.Digest) (published bool, err error) {
	hub, err := dial(o)
	if err != nil {
		return false, r.takeBack(err)
	}
	defer hub.Close()
	_, err = hub.ReloadKeys(ctx, r.reason)
	var refused *httpclient.Problem
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &refused):
		return false, r.takeBack(fmt.Errorf("the hub did not take the change: %w", err))
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := r.record(ctx, certificate); err != nil {
			return false, r.takeBack(err)
		}
		return false, nil
	}
	r.made = nil // the hub may use them
	return false, fmt.Errorf("%s has the next key, and whether the running hub has taken it is not known; run hub keys reload: %w", r.cfg.path, err)
}

// takeBack restores the configuration.
func (r *rotation) takeBack(why error) error {
	if err := replaceFile(r.cfg.path, r.cfg.source); err != nil {
		return errors.Join(why, fmt.Errorf("%s could not be restored: %w", r.cfg.path, err))
	}
	return fmt.Errorf("%w (%s is as it was)", why, r.cfg.path)
}

// record puts the change into the ledger of a hub that is stopped.
func (r *rotation) record(ctx context.Context, certificate exchange.Digest) error {
	ledger, err := bolt.Open(r.cfg.Ledger, bolt.Options{})
	if err != nil {
		return fmt.Errorf("no hub answers, and its ledger cannot be opened: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	action := exchange.Action{ID: "rotate-seal-" + r.at.Format("20060102T150405Z") + "-" + certificate.String()[:8], Time: now, Actor: "hub keys rotate", Verb: "rotate-seal",
		Object: certificate.String(), Reason: strings.ToValidUTF8(r.reason, "\ufffd")}
	return errors.Join(ledger.Update(ctx, exchange.Change{Actions: []exchange.Action{action}}), ledger.Close())
}
