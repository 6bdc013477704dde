// Package rabbitmq tells workers over RabbitMQ which deliveries to attempt.
//
// Promises, beside those of exchange.Queue:
//
//   - Publish returns when the broker has confirmed every job, or with an error;
//     then some jobs may be in the broker. It never waits for a broker that is
//     away, or that takes nothing for want of memory or disk: it is busy at once.
//   - A job is acknowledged when its call has returned. A call that fails without
//     a code (exchange.Internal) is repeated, and after DeliveryLimit attempts it
//     is a dead letter. So is a job that so often brought a hub down.
//   - A job that was published is not published again for Repeat, or until it is
//     done: the sweep, which tells of everything that is due each second, does
//     not fill a slow broker with repeats. What one hub has published and not yet
//     done is bounded, and so is the length of each queue: beyond it the broker
//     refuses, Publish is busy, and the ledger keeps the delivery as due.
//   - Recipients do not wait for one another. A hub takes at most Prefetch jobs of
//     a queue ahead and sorts them into lanes, one for each recipient, with
//     InFlight calls at a time. Where that window is full and hardly moves, the
//     longest lanes give jobs up: these are acknowledged undone, and the sweep
//     brings them back.
//   - Urgent jobs have a queue of their own, and go first in their lane.
//   - While the broker is away nothing is handed out. Jobs in the broker are
//     there when it is back, and what could not be published the sweep publishes.
//
// The ledger is the truth: a queue that was purged, or a broker that was lost with
// all it held, costs a moment, never a delivery.
//
// # Topology
//
// It is declared at each connection, with Name for tram:
//
//	exchange  tram        direct, durable   others → tram.jobs, urgent → tram.urgent
//	exchange  tram.dead   fanout, durable   → tram.dead
//	queue     tram.jobs   quorum: delivery-limit, max-length with reject-publish,
//	queue     tram.urgent         dead letters at least once to tram.dead
//	queue     tram.dead   quorum: max-length, the oldest dead letters give way
//
// A broker that has one of these with other arguments is refused by the rule
// queue-topology, which names the argument. Arguments that this package states
// win over policies; a policy must not add message-ttl or expires, and none is
// needed. The user needs the permissions configure, write and read on
// "^tram(\..*)?$" in its virtual host, and no tag.
//
// Two queues, and not two for each of 440 agencies: a quorum queue is a Raft group,
// with processes, files and a leader election of its own. On RabbitMQ 3.10.8, 880
// of them took 185 s to declare, 47 MB and 1,760 processes of a node, and 75 s to
// stop and start it again (two busy cores, TestCostOfQueues). Lanes give the same
// fairness for nothing, and agencies come and go without the broker's knowledge.
//
// Seen with RabbitMQ 3.10.8: a queue that was declared some seconds before a node
// without peers is killed comes back empty, confirmed jobs and all. The sweep
// publishes them again.
//
// # Versions
//
// RabbitMQ 3.10, 3.13 and 4: every queue is durable and states its type and its
// delivery limit; no global QoS, no priorities, no delayed retry, no nack where
// an attempt is to be counted (4.3 counts rejects only).
package rabbitmq
