package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/spf13/cobra"

	"tram/adapters/memory"
	"tram/adapters/rabbitmq"
	"tram/exchange"
)

// queueConfig says which message broker tells workers what to deliver; absent:
// the hub's own process does. One URL alone needs no mapping.
type queueConfig struct {
	// URLs are the nodes of RabbitMQ, such as amqps://hub@mq1.example/vhost. They
	// are nodes of one cluster: one is used, the others take over.
	URLs []string `yaml:"urls"`
	// PasswordFile holds the user's password, alone; absent: the URL has it, or
	// the certificate stands for it.
	PasswordFile string `yaml:"password_file"`
	// Roots is a PEM file of certificates that the nodes' lead to; absent: the
	// system's.
	Roots string `yaml:"roots"`
	// Certificate and Key are PEM files for nodes that want to know the hub by its
	// certificate; absent: it has none.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// Name begins the names of exchanges and queues; absent: "tram".
	Name string `yaml:"name"`
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (q *queueConfig) UnmarshalYAML(node ast.Node) error {
	if node.Type() == ast.StringType {
		q.URLs = []string{node.GetToken().Value}
		return nil
	}
	type plain queueConfig // without this method
	return yaml.NodeToValue(node, (*plain)(q), yaml.Strict())
}

func (q *queueConfig) validate(wrong func(key, what string)) {
	if len(q.URLs) == 0 && q.PasswordFile+q.Roots+q.Certificate+q.Key+q.Name != "" {
		wrong("queue.urls", "is missing")
	}
	for i, url := range q.URLs {
		if !strings.HasPrefix(url, "amqp://") && !strings.HasPrefix(url, "amqps://") {
			wrong("queue", fmt.Sprintf("has in place %d no URL that begins with amqps:// or amqp://", i+1))
		}
	}
	if (q.Certificate == "") != (q.Key == "") {
		wrong("queue.certificate", "and queue.key go together")
	}
}

// broker is what the adapter needs of it.
func (q *queueConfig) broker(log *slog.Logger) (rabbitmq.Config, error) {
	c := rabbitmq.Config{URLs: q.URLs, Name: q.Name, Log: log}
	var err error
	if q.PasswordFile != "" {
		if c.Password, err = readSecret(q.PasswordFile); err != nil {
			return c, fmt.Errorf("queue.password_file: %w", err)
		}
	}
	if c.Roots, err = readOptional(q.Roots); err != nil {
		return c, fmt.Errorf("queue.roots: %w", err)
	}
	if q.Certificate != "" {
		own, err := tls.LoadX509KeyPair(q.Certificate, q.Key)
		if err != nil {
			return c, fmt.Errorf("queue.certificate: %w", err)
		}
		c.Certificate = &own
	}
	return c, nil
}

// openQueue opens the queue that is configured. Jobs that another one still has
// need no care: the ledger knows what is due.
func openQueue(ctx context.Context, cfg config, log *slog.Logger) (queue exchange.Queue, end func(), err error) {
	if len(cfg.Queue.URLs) == 0 {
		return memory.New(memory.Options{}), func() {}, nil
	}
	c, err := cfg.Queue.broker(log)
	if err != nil {
		return nil, nil, usageError{err}
	}
	q, err := rabbitmq.New(ctx, c)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("queue: %w", err)}
	}
	return q, q.Close, nil
}

// brokerPatience is how long a command waits for the broker.
const brokerPatience = 30 * time.Second

func queueCommand(o *options) *cobra.Command {
	var limit int
	c := watch(brokerCommand(o, "queue", "Look into the message broker: what waits, and what it gave up", func(ctx context.Context, c rabbitmq.Config) (any, func(io.Writer), error) {
		seen, err := rabbitmq.Inspect(ctx, c, limit)
		return seen, func(w io.Writer) { describeBroker(w, seen) }, err
	}))
	c.Long = `queue asks the message broker that hub.yaml names, whether the hub serves or not:
how many jobs wait in each queue, and the dead letters, which are jobs that failed
again and again, or brought a hub down.

A dead letter is a diagnosis and not a loss: the ledger has its delivery as due, and
the hub publishes what is due until it is done. See "hub deliveries DELIVERY" and the
hub's log for why, then take the dead letters away.`
	bury := brokerCommand(o, "bury", "Take dead letters away", emptying(&limit, rabbitmq.Bury))
	requeue := brokerCommand(o, "requeue", "Publish dead letters again, now, and take them away", emptying(&limit, rabbitmq.Requeue))
	c.AddCommand(bury, requeue)
	for _, c := range []*cobra.Command{c, bury, requeue} {
		c.Flags().IntVar(&limit, "limit", 100, "how many dead letters at most")
	}
	return c
}

// brokerCommand is one that speaks to the broker itself.
func brokerCommand(o *options, use, short string, do func(context.Context, rabbitmq.Config) (any, func(io.Writer), error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(o.config)
		if err != nil {
			return err
		}
		if len(cfg.Queue.URLs) == 0 {
			return usageError{fmt.Errorf("this hub's queue is in its own process; what waits is told by \"hub deliveries --state queued\". A message broker is set by queue in %s", cfg.path)}
		}
		broker, err := cfg.Queue.broker(nil)
		if err != nil {
			return usageError{err}
		}
		ctx, cancel := context.WithTimeout(c.Context(), brokerPatience)
		defer cancel()
		result, describe, err := do(ctx, broker)
		if err != nil {
			return err
		}
		return o.show(c, result, describe)
	}}
}

func emptying(limit *int, do func(context.Context, rabbitmq.Config, int) ([]rabbitmq.DeadLetter, error)) func(context.Context, rabbitmq.Config) (any, func(io.Writer), error) {
	return func(ctx context.Context, c rabbitmq.Config) (any, func(io.Writer), error) {
		letters, err := do(ctx, c, *limit)
		return letters, func(w io.Writer) { describeDead(w, letters) }, err
	}
}

func describeBroker(w io.Writer, seen rabbitmq.Inspection) {
	fmt.Fprintf(w, "broker\t%s\tRabbitMQ %s\n", seen.Node, seen.Version)
	fmt.Fprintln(w, "\nQUEUE\tREADY\tCONSUMERS")
	for _, d := range seen.Queues {
		fmt.Fprintf(w, "%s\t%d\t%d\n", d.Queue, d.Ready, d.Consumers)
	}
	if len(seen.Dead) > 0 {
		fmt.Fprintln(w)
	}
	describeDead(w, seen.Dead)
}

func describeDead(w io.Writer, letters []rabbitmq.DeadLetter) {
	if len(letters) == 0 {
		fmt.Fprintln(w, "no dead letters")
		return
	}
	fmt.Fprintln(w, "DEAD LETTER\tTO\tQUEUE\tREASON\tSINCE")
	for _, l := range letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Delivery, l.Recipient, l.Queue, l.Reason, moment(l.At))
	}
}

// checkQueue connects to the broker and compares its topology.
func checkQueue(ctx context.Context, cfg config) []finding {
	if len(cfg.Queue.URLs) == 0 {
		return nil
	}
	const what = "message broker"
	c, err := cfg.Queue.broker(nil)
	if err != nil {
		return []finding{{What: what, State: "failed", Detail: err.Error(), Do: "put the file named there in place, or correct queue in " + cfg.path}}
	}
	ctx, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	seen, err := rabbitmq.Inspect(ctx, c, 1)
	switch code := exchange.CodeOf(err); {
	case err == nil:
	case code == exchange.NotPermitted || code == exchange.Conflict:
		return []finding{{What: what, State: "failed", Detail: err.Error(), Do: "do what is said there: the hub does not start like this"}}
	default:
		return []finding{{What: what, State: "failed", Detail: err.Error(), Do: "start the broker, or correct queue in " + cfg.path + "; nothing is delivered meanwhile, and nothing is lost"}}
	}
	findings := []finding{{What: what, State: "ok", Detail: fmt.Sprintf("RabbitMQ %s at %s has the exchanges and queues that the hub needs", seen.Version, seen.Node)}}
	if !seen.TLS && !strings.HasPrefix(seen.Node, "127.") && !strings.HasPrefix(seen.Node, "localhost:") {
		findings = append(findings, finding{What: what, State: "warning", Detail: "user and password go to " + seen.Node + " without TLS", Do: "write amqps:// in queue"})
	}
	if len(seen.Dead) > 0 {
		findings = append(findings, finding{What: what, State: "warning", Detail: "there are dead letters: jobs that failed again and again", Do: "hub queue"})
	}
	return findings
}
