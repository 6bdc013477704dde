package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/cmd/locale"
)

// settings are where the hub is and who speaks for which agency. Each may be
// absent until a command needs it; which one does says so.
type settings struct {
	// URL is the hub's address.
	URL string `yaml:"url" help:"the hub's address, such as https://hub.example:8443"`
	// System is the identifier that the hub's administrators gave to the
	// system that connects.
	System string `yaml:"system" help:"identifier of the system that connects"`
	// SecretFile holds the system's secret, one line.
	SecretFile string `yaml:"secret_file" help:"file that holds the system's secret" path:"yes"`
	// Agency is the code of the agency; not needed if the system speaks for
	// one only.
	Agency string `yaml:"agency" help:"code of the agency, such as H12.07"`
	// Key signs packages and acknowledgements: a file, PEM or PKCS #12, or the
	// URI of a key in a PKCS #11 token; "agency keygen" makes one.
	Key string `yaml:"key" help:"file of the agency's signing key, PEM or PKCS #12 (.p12), or a PKCS #11 URI" path:"yes"`
	// Certificate is the key's, PEM, its issuers after it; without it, what lies
	// beside the key.
	Certificate string `yaml:"certificate" help:"file of the key's certificate, PEM, issuers after it; without it, what lies beside the key" path:"yes"`
	// PasswordFile holds the password of the PKCS #12 file, or the token's PIN.
	PasswordFile string `yaml:"password_file" help:"file that holds the password of the key's PKCS #12 file, or the token's PIN" path:"yes"`
	// Trust are the authorities that senders' certificates must lead to, PEM.
	// Without them fetch verifies signatures, not who stands behind them.
	Trust string `yaml:"trust" help:"file of the authorities that senders' certificates must lead to, PEM" path:"yes"`
	// Keys are what the hub publishes at /v1/keys. Without them the seals of
	// receipts are verified, not whose they are.
	Keys string `yaml:"keys" help:"file of the hub's published keys, to check receipts with" path:"yes"`
	// Roots are the authorities that issue the hub's TLS certificate; without
	// them, those that the machine trusts.
	Roots string `yaml:"roots" help:"file of the authorities of the hub's TLS certificate, PEM" path:"yes"`
	// ClientCertificate and ClientKey let the system prove itself by TLS.
	ClientCertificate string `yaml:"client_certificate" help:"file of the system's TLS certificate, PEM, instead of a secret" path:"yes"`
	ClientKey         string `yaml:"client_key" help:"file of the TLS certificate's key, PEM or PKCS #12, or a PKCS #11 URI" path:"yes"`
	// ClientPasswordFile is to ClientKey what PasswordFile is to Key.
	ClientPasswordFile string `yaml:"client_password_file" help:"file that holds the TLS key's password or PIN" path:"yes"`
	// Language of the hub's words, vi or en; without it, that of LANG.
	Language string `yaml:"language" help:"language of the hub's words: vi or en"`

	// Folder is where "agency agent" has its folders.
	Folder string `yaml:"folder" help:"directory of the agent's folders" path:"yes"`
	// Answer is what the agent says to what verifies: accept, or none.
	Answer string `yaml:"answer" help:"what the agent answers for what arrives and verifies: accept, or none"`
	// Refuse is what the agent refuses in the agency's name: none, or invalid.
	Refuse string `yaml:"refuse" help:"what the agent refuses in the agency's name: none, or invalid for what does not verify"`
	// SendStatus are codes of statuses to send for each document accepted.
	SendStatus string `yaml:"send_status" help:"codes of statuses that the agent sends for each document accepted, such as 01,03"`
	// Mock is how "agency mock" behaves; in the file only.
	Mock plan `yaml:"mock"`

	config string
}

// each goes over the settings with their names, but the mock's.
func (s *settings) each(do func(name string, field reflect.StructField, value *string)) {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if name := field.Tag.Get("yaml"); name != "" && field.Type.Kind() == reflect.String {
			do(name, field, v.Field(i).Addr().Interface().(*string))
		}
	}
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.config, "config", "", "settings `file` (or TRAM_CONFIG; agency.yaml if it is there)")
	s.each(func(name string, field reflect.StructField, value *string) {
		kind := "`" + name + "`"
		if field.Tag.Get("path") != "" {
			kind = "`file`"
		}
		f.StringVar(value, strings.ReplaceAll(name, "_", "-"), "", strings.Replace(field.Tag.Get("help"), "file", kind, 1))
	})
}

// load fills in what no flag gave: from the environment, else from the file.
func (s *settings) load(f *pflag.FlagSet) error {
	file, err := s.file()
	if err != nil {
		return err
	}
	s.Mock = file.Mock
	from := make(map[string]string)
	file.each(func(name string, _ reflect.StructField, value *string) { from[name] = *value })
	s.each(func(name string, _ reflect.StructField, value *string) {
		if f.Changed(strings.ReplaceAll(name, "_", "-")) {
			return
		}
		*value = from[name]
		if env, ok := os.LookupEnv("TRAM_" + strings.ToUpper(name)); ok {
			*value = env
		}
	})
	return nil
}

// file reads the settings file; none is fine unless it was named.
func (s *settings) file() (*settings, error) {
	name, named := s.config, s.config != ""
	if !named {
		name = os.Getenv("TRAM_CONFIG")
		named = name != ""
	}
	if !named {
		name = "agency.yaml"
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return &settings{}, nil
	}
	if err != nil {
		return nil, usagef("settings: %w", err)
	}
	defer f.Close()
	var read settings
	info, err := f.Stat()
	if err != nil {
		return nil, usagef("settings: %w", err)
	}
	if info.Size() == 0 {
		return &read, nil
	}
	if err := yaml.NewDecoder(f, yaml.Strict()).Decode(&read); err != nil {
		return nil, usagef("settings in %s:\n%s", name, yaml.FormatError(err, false, true))
	}
	read.each(func(_ string, field reflect.StructField, value *string) {
		if field.Tag.Get("path") != "" && *value != "" && !filepath.IsAbs(*value) && !keystore.IsToken(*value) {
			*value = filepath.Join(filepath.Dir(name), *value)
		}
	})
	return &read, nil
}

// language is the one of the hub's words.
func (p *program) language() string {
	if p.settings.Language != "" {
		return p.settings.Language
	}
	return locale.Language()
}

// client speaks to the hub for the system of the settings.
func (p *program) client() (*httpclient.Client, error) {
	s := p.settings
	if s.URL == "" {
		return nil, usagef("where is the hub? give --url, TRAM_URL, or url in the settings file")
	}
	c := httpclient.Config{URL: s.URL, UserAgent: "tram-agency", Language: p.language()}
	if err := s.identify(&c); err != nil {
		return nil, err
	}
	if s.Roots != "" {
		list, err := keystore.ReadCertificates(s.Roots)
		if err != nil {
			return nil, usagef("roots: %w", err)
		}
		c.Roots = x509.NewCertPool()
		for _, cert := range list {
			c.Roots.AddCert(cert)
		}
	}
	client, err := httpclient.New(c)
	if err != nil {
		return nil, &usageError{err}
	}
	return client, nil
}

// identify says who connects: by certificate, or by identifier and secret.
func (s settings) identify(c *httpclient.Config) error {
	if s.ClientCertificate != "" || s.ClientKey != "" {
		pair, err := keystore.Open(keystore.Source{Key: s.ClientKey, Certificate: s.ClientCertificate, PasswordFile: s.ClientPasswordFile})
		if err != nil {
			return usagef("client_certificate and client_key: %w", err)
		}
		c.Certificate = &tls.Certificate{PrivateKey: pair.Key, Leaf: pair.Chain[0]}
		for _, certificate := range pair.Chain {
			c.Certificate.Certificate = append(c.Certificate.Certificate, certificate.Raw)
		}
		return nil
	}
	if s.System == "" {
		return usagef("who connects? give --system and its secret, or --client-certificate")
	}
	secret, err := s.secret()
	if err != nil {
		return err
	}
	c.ID, c.Secret = s.System, secret
	return nil
}

func (s settings) secret() (string, error) {
	if s.SecretFile == "" {
		if secret := os.Getenv("TRAM_SECRET"); secret != "" {
			return secret, nil
		}
		return "", usagef("system %s needs its secret: name its file in secret_file (--secret-file), or set TRAM_SECRET", s.System)
	}
	b, err := os.ReadFile(s.SecretFile)
	if err != nil {
		return "", usagef("secret_file: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", usagef("secret_file: %s must hold the secret on one line and nothing else", s.SecretFile)
	}
	return secret, nil
}
