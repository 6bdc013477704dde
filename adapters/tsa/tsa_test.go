package tsa

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
	"tram/signing/tsatest"
)

var data = []byte("the canonical form of a signature's value")

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func roots(a *tsatest.Authority) []*x509.Certificate { return []*x509.Certificate{a.Root} }

func TestOpenSSLIsAsked(t *testing.T) {
	a := tsatest.New(t, nil)
	for policy, want := range map[string]string{"": tsatest.Policy, tsatest.OtherPolicy: tsatest.OtherPolicy} {
		token, said, err := newClient(t, Config{URL: a.URL, Roots: roots(a), Policy: policy}).Ask(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if said.Policy != want || time.Since(said.Time).Abs() > time.Minute {
			t.Errorf("says %+v", said)
		}
		trust, err := signing.NewTrust(roots(a), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := trust.CheckTimeStamp(token, data); err != nil {
			t.Error(err)
		}
	}
}

// nameOf is the rule that an error is of, of either package.
func nameOf(err error) string {
	var s *signing.Error
	var e *exchange.Error
	switch {
	case errors.As(err, &e):
		return e.Rule.Name
	case errors.As(err, &s):
		return string(s.Rule)
	case err != nil:
		return "failed without a rule: " + err.Error()
	}
	return ""
}

func TestWhatIsNotKept(t *testing.T) {
	a := tsatest.New(t, nil)
	other := tsatest.New(t, nil)
	first, err := newClient(t, Config{URL: a.URL, Roots: roots(a)}).Stamp(t.Context(), data)
	if err != nil || len(first) == 0 {
		t.Fatal(err)
	}
	var recorded []byte
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc // nil: OpenSSL's
		alter  func(*Config)
		want   string
	}{
		{"of another authority", nil, func(c *Config) { c.Roots = roots(other) }, "timestamp-untrusted"},
		{"a policy that is not served", nil, func(c *Config) { c.Policy = "1.3.6.1.4.1.99999.3" }, "timestamp-refused"},
		{"a clock that is behind", nil, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, "tsa-clock"},
		{"a clock that is ahead", nil, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } }, "tsa-clock"},
		{"nobody listens", nil, func(c *Config) { c.URL = "http://127.0.0.1:1/" }, "tsa-unreachable"},
		{"it needs a password", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, nil, "tsa-status"},
		{"it redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, a.URL, http.StatusTemporaryRedirect) }, nil, "tsa-status"},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, nil, "tsa-media-type"},
		{"an answer without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaReply)
			for block := bytes.Repeat([]byte{0x30}, 1<<16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, nil, "timestamp-form"},
		{"an answer that never comes", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}, func(c *Config) { c.Timeout = 50 * time.Millisecond }, "tsa-unreachable"},
		{"an answer that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaReply)
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte{0x30})
		}, nil, "tsa-unreachable"},
		{"an old answer", func(w http.ResponseWriter, r *http.Request) {
			if recorded == nil {
				query := new(bytes.Buffer)
				_, _ = query.ReadFrom(r.Body)
				recorded, _ = a.Answer(query.Bytes())
			}
			w.Header().Set("Content-Type", mediaReply)
			_, _ = w.Write(recorded)
		}, nil, "timestamp-nonce"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{URL: a.URL, Roots: roots(a)}
			if c.answer != nil {
				server := httptest.NewServer(c.answer)
				t.Cleanup(server.Close)
				config.URL = server.URL
			}
			if c.alter != nil {
				c.alter(&config)
			}
			client := newClient(t, config)
			token, err := client.Stamp(t.Context(), data)
			if c.want == "timestamp-nonce" && err == nil {
				token, err = client.Stamp(t.Context(), data)
			}
			if nameOf(err) != c.want || token != nil {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	a := tsatest.New(t, nil)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "hub" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		query := new(bytes.Buffer)
		_, _ = query.ReadFrom(r.Body)
		answer, err := a.Answer(query.Bytes())
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", mediaReply+"; charset=binary")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	c := Config{URL: server.URL, Roots: roots(a), User: "hub", Password: "secret", TLSRoots: []*x509.Certificate{server.Certificate()}}
	if _, err := newClient(t, c).Stamp(t.Context(), data); err != nil {
		t.Error(err)
	}
	c.Password = "wrong"
	if _, err := newClient(t, c).Stamp(t.Context(), data); nameOf(err) != "tsa-status" {
		t.Error(err)
	}
	c.TLSRoots = nil
	if _, err := newClient(t, c).Stamp(t.Context(), data); nameOf(err) != "tsa-unreachable" {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	a := tsatest.New(t, nil)
	for want, c := range map[string]Config{
		"not an http or https URL":       {URL: "tsa.example", Roots: roots(a)},
		"without credentials":            {URL: "https://hub:secret@tsa.example", Roots: roots(a)},
		"over https only":                {URL: "http://tsa.example", Roots: roots(a), User: "hub", Password: "secret"},
		"no root certificate":            {URL: "http://tsa.example"},
		"the policy \"qualified\"":       {URL: "http://tsa.example", Roots: roots(a), Policy: "qualified"},
		"the policy \"7.1\"":             {URL: "http://tsa.example", Roots: roots(a), Policy: "7.1"},
		"the policy \"1.03\"":            {URL: "http://tsa.example", Roots: roots(a), Policy: "1.03"},
		"the policy \"1.3.99999999999\"": {URL: "http://tsa.example", Roots: roots(a), Policy: "1.3.99999999999"},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
