package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Config is what a Queue needs.
type Config struct {
	// URLs are the broker's nodes, such as amqps://mq1.example/vhost; they are
	// tried in turn. amqp is without TLS. Query parameters are refused.
	URLs []string
	// User and Password replace those of the URLs. With a Certificate and no user
	// at all the certificate says who it is (mechanism EXTERNAL).
	User, Password string
	// Roots are trusted for the nodes' certificates; none: the system's.
	Roots []*x509.Certificate
	// Certificate is the hub's own, for nodes that ask for one; nil: none.
	Certificate *tls.Certificate
	// Name is what the names of exchanges and queues begin with: "tram".
	Name string
	// Log tells of lost and new connections; nil: nobody is told.
	Log *slog.Logger

	// Prefetch is how many jobs of a queue are taken ahead: 8192.
	Prefetch int
	// InFlight is how many deliveries to one recipient are attempted at once: 4.
	InFlight int
	// Window is how many jobs may wait for the broker's confirmation: 512.
	Window int
	// Known is how many published jobs are remembered: 200,000.
	Known int
	// Repeat is how long a job that was published is not published again: 1m.
	Repeat time.Duration
	// Patience is how long a confirmation, or a connection's beginning, may
	// take: 5s.
	Patience time.Duration
	// DeliveryLimit is how often a job may fail, or bring a hub down: 10.
	DeliveryLimit int
	// MaxLength is how many jobs are in a queue at most: 200,000.
	MaxLength int
}

func (c Config) withDefaults() Config {
	set := func(field *int, value int) {
		if *field < 1 {
			*field = value
		}
	}
	set(&c.Prefetch, 8192)
	set(&c.InFlight, 4)
	set(&c.Window, 512)
	set(&c.Known, 200_000)
	set(&c.DeliveryLimit, 10)
	set(&c.MaxLength, 200_000)
	if c.Repeat <= 0 {
		c.Repeat = time.Minute
	}
	if c.Patience <= 0 {
		c.Patience = 5 * time.Second
	}
	if c.Name == "" {
		c.Name = "tram"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// node is where a node of the broker is, and how to get in. Address is all of it
// that may be shown.
type node struct {
	address string
	url     string
	sasl    []amqp.Authentication
	tls     *tls.Config
}

// nodes reads the URLs. What is wrong is said without them: they may have a
// password in them.
func (c Config) nodes() ([]node, error) {
	if len(c.URLs) == 0 {
		return nil, errors.New("rabbitmq: URLs is not set")
	}
	var list []node
	for i, text := range c.URLs {
		uri, err := amqp.ParseURI(text)
		whole, badURL := url.Parse(text)
		if err != nil || badURL != nil || whole.RawQuery != "" {
			return nil, fmt.Errorf("rabbitmq: URL %d is none such as amqps://user@mq1.example/vhost; write other characters of user and password as %%XX", i+1)
		}
		n := node{address: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), url: text}
		n.sasl = []amqp.Authentication{c.credentials(uri, whole.User != nil)}
		if uri.Scheme == "amqps" {
			n.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: uri.Host, RootCAs: pool(c.Roots)}
			if c.Certificate != nil {
				n.tls.Certificates = []tls.Certificate{*c.Certificate}
			}
		}
		list = append(list, n)
	}
	return list, nil
}

func (c Config) credentials(uri amqp.URI, named bool) amqp.Authentication {
	plain := &amqp.PlainAuth{Username: uri.Username, Password: uri.Password}
	if c.User != "" {
		plain.Username = c.User
	}
	if c.Password != "" {
		plain.Password = c.Password
	}
	if c.Certificate != nil && c.User == "" && !named {
		return &amqp.ExternalAuth{}
	}
	return plain
}

func pool(roots []*x509.Certificate) *x509.CertPool {
	if len(roots) == 0 {
		return nil
	}
	p := x509.NewCertPool()
	for _, r := range roots {
		p.AddCert(r)
	}
	return p
}
