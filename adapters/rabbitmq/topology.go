package rabbitmq

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Keys by which jobs find their queue.
const (
	urgentKey = "urgent"
	othersKey = "others"
)

// deadLength is how many dead letters are kept, and deadLimit how often one may
// be looked at: without a limit of its own RabbitMQ 4 gives 20.
const (
	deadLength = 10_000
	deadLimit  = 1_000_000
)

func (c Config) exchange() string { return c.Name }
func (c Config) dead() string     { return c.Name + ".dead" }
func (c Config) urgent() string   { return c.Name + ".urgent" }
func (c Config) others() string   { return c.Name + ".jobs" }

// queues are all queues in the order in which they are shown.
func (c Config) queues() []string { return []string{c.urgent(), c.others(), c.dead()} }

// declare makes what is not there, and compares what is: the broker closes the
// channel with the name of the argument that differs.
func (c Config) declare(ch *amqp.Channel) error {
	jobs := amqp.Table{
		amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
		"x-delivery-limit":       int64(c.DeliveryLimit),
		amqp.QueueMaxLenArg:      int64(c.MaxLength),
		amqp.QueueOverflowArg:    amqp.QueueOverflowRejectPublish,
		"x-dead-letter-exchange": c.dead(),
		"x-dead-letter-strategy": "at-least-once",
	}
	dead := amqp.Table{
		amqp.QueueTypeArg:     amqp.QueueTypeQuorum,
		"x-delivery-limit":    int64(deadLimit),
		amqp.QueueMaxLenArg:   int64(deadLength),
		amqp.QueueOverflowArg: amqp.QueueOverflowDropHead,
	}
	for _, x := range []struct{ name, kind string }{{c.dead(), amqp.ExchangeFanout}, {c.exchange(), amqp.ExchangeDirect}} {
		if err := ch.ExchangeDeclare(x.name, x.kind, true, false, false, false, nil); err != nil {
			return fmt.Errorf("declaring exchange %s: %w", x.name, err)
		}
	}
	for _, q := range []struct {
		name, exchange, key string
		arguments           amqp.Table
	}{{c.dead(), c.dead(), "", dead}, {c.urgent(), c.exchange(), urgentKey, jobs}, {c.others(), c.exchange(), othersKey, jobs}} {
		if _, err := ch.QueueDeclare(q.name, true, false, false, false, q.arguments); err != nil {
			return fmt.Errorf("declaring queue %s: %w", q.name, err)
		}
		if err := ch.QueueBind(q.name, q.key, q.exchange, false, nil); err != nil {
			return fmt.Errorf("binding queue %s: %w", q.name, err)
		}
	}
	return nil
}
