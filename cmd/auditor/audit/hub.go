package audit

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"tram/adapters/httpclient"
)

// hubOptions say how to reach a hub and what to believe of it.
type hubOptions struct {
	keys, trust, user, secretFile, roots string
}

func (o *hubOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.keys, "keys", "", "the hub's published keys, a `file` you trust")
	f.StringVar(&o.trust, "trust", "", "PEM `file` of certificate authorities that the hub's sealing certificates must lead to as well")
	f.StringVar(&o.user, "user", os.Getenv("TRAM_USER"), "who asks for receipts and actions, an auditor of the hub (or TRAM_USER)")
	f.StringVar(&o.secretFile, "secret-file", os.Getenv("TRAM_SECRET_FILE"), "`file` that holds the user's secret (or TRAM_SECRET_FILE, or the secret itself in TRAM_SECRET)")
	f.StringVar(&o.roots, "roots", os.Getenv("TRAM_ROOTS"), "PEM `file` of certificate authorities that issue the hub's TLS certificate (or TRAM_ROOTS)")
}

// client speaks to the hub, as the user if one is named.
func (o *hubOptions) client(url string) (*httpclient.Client, error) {
	config := httpclient.Config{URL: url, UserAgent: "tram-auditor"}
	if o.user != "" {
		secret, err := o.secret()
		if err != nil {
			return nil, err
		}
		config.ID, config.Secret = "user:"+strings.TrimPrefix(o.user, "user:"), secret
	}
	if o.roots != "" {
		b, err := os.ReadFile(o.roots)
		if err != nil {
			return nil, usagef("reading --roots: %w", err)
		}
		config.Roots = x509.NewCertPool()
		if !config.Roots.AppendCertsFromPEM(b) {
			return nil, usagef("%s holds no certificate in PEM form", o.roots)
		}
	}
	client, err := httpclient.New(config)
	if err != nil {
		return nil, &usageError{err}
	}
	return client, nil
}

func (o *hubOptions) secret() (string, error) {
	if o.secretFile == "" {
		if s := os.Getenv("TRAM_SECRET"); s != "" {
			return s, nil
		}
		return "", usagef("user %s needs a secret: name its file with --secret-file, or set TRAM_SECRET", o.user)
	}
	b, err := os.ReadFile(o.secretFile)
	if err != nil {
		return "", usagef("reading --secret-file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// authority is what the auditor believes: the keys given, or the source's own.
func (o *hubOptions) authority(ctx context.Context, from source) (*authority, error) {
	if o.keys != "" {
		keys, err := readKeys(o.keys)
		if err != nil {
			return nil, &usageError{err}
		}
		a, err := newAuthority(keys, o.trust)
		if err != nil {
			return nil, &usageError{fmt.Errorf("%s: %w", o.keys, err)}
		}
		return a, nil
	}
	keys, err := from.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the hub's keys: %w", err)
	}
	return newAuthority(keys, o.trust)
}

func (o *hubOptions) keysFrom() string { return cmp.Or(o.keys, "the record itself") }
