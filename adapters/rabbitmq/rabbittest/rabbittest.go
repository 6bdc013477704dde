// Package rabbittest runs RabbitMQ for tests: one node or a cluster on loopback,
// with ports, names, files and an epmd of its own, beside whatever else runs.
package rabbittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// programs is where Debian's package has them; its wrappers in /usr/sbin change
// user and directory.
const programs = "/usr/lib/rabbitmq/bin"

// User and Password are those that every broker begins with.
const (
	User     = "hub"
	Password = "hub-password"
)

// Installed reports whether there is a RabbitMQ to run.
func Installed() bool {
	_, err := os.Stat(filepath.Join(programs, "rabbitmq-server"))
	return err == nil
}

// Broker is a cluster of one node or more.
type Broker struct {
	Nodes []*Node
	dir   string
	epmd  *exec.Cmd
	env   []string
}

// Node is one of them.
type Node struct {
	Name    string // of Erlang's, "r1-18231@localhost"
	Address string
	dir     string
	env     []string
	server  *exec.Cmd // nil while it is down
	ended   chan struct{}
}

// Start starts so many nodes, which form a cluster if they are several. Settings
// are lines of rabbitmq.conf. What was begun is ended with the process, whatever
// happens to it, but Close is the way to end it.
func Start(n int, settings ...string) (_ *Broker, err error) {
	dir, err := os.MkdirTemp("", "tram-rabbitmq-")
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: dir}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	ports, err := freePorts(2*n + 1)
	if err != nil {
		return nil, err
	}
	b.env = append(os.Environ(), "ERL_EPMD_ADDRESS=127.0.0.1", fmt.Sprint("ERL_EPMD_PORT=", ports[0]),
		"RABBITMQ_CONF_ENV_FILE=/dev/null", "ERL_CRASH_DUMP=/dev/null", "RUNNING_UNDER_SYSTEMD=yes", "NOTIFY_SOCKET=", "LANG=C.UTF-8")
	b.epmd = exec.CommandContext(context.Background(), "epmd", "-port", fmt.Sprint(ports[0]), "-address", "127.0.0.1")
	b.epmd.Env = b.env
	mortal(b.epmd)
	if err := b.epmd.Start(); err != nil {
		return nil, err
	}
	for i := range n {
		name := fmt.Sprintf("r%d-%d@localhost", i+1, ports[1])
		b.Nodes = append(b.Nodes, &Node{Name: name, Address: fmt.Sprint("127.0.0.1:", ports[2*i+1]), dir: filepath.Join(dir, fmt.Sprint("n", i+1))})
		if err := b.prepare(b.Nodes[i], ports[2*i+2]); err != nil {
			return nil, err
		}
	}
	for _, node := range b.Nodes {
		if err := b.configure(node, settings); err != nil {
			return nil, err
		}
		if err := node.start(); err != nil {
			return nil, err
		}
	}
	for _, node := range b.Nodes {
		if err := node.Await(); err != nil {
			return nil, err
		}
	}
	return b, b.joined()
}

func (b *Broker) prepare(n *Node, distribution int) error {
	n.env = append(slices.Clone(b.env), "HOME="+n.dir, "RABBITMQ_NODENAME="+n.Name, fmt.Sprint("RABBITMQ_DIST_PORT=", distribution),
		"RABBITMQ_CONFIG_FILE="+n.path("rabbitmq"), "RABBITMQ_MNESIA_BASE="+n.path("mnesia"), "RABBITMQ_LOG_BASE="+n.path("log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+n.path("enabled_plugins"), "RABBITMQ_PID_FILE="+n.path("pid"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none")
	for _, dir := range []string{"log", "mnesia"} {
		if err := os.MkdirAll(n.path(dir), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(os.WriteFile(n.path(".erlang.cookie"), []byte("TRAMTESTCOOKIE"), 0o400), os.WriteFile(n.path("enabled_plugins"), []byte("[].\n"), 0o600))
}

func (b *Broker) configure(n *Node, settings []string) error {
	lines := append([]string{"listeners.tcp.1 = " + n.Address, "default_user = " + User, "default_pass = " + Password,
		"vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 50MB", "cluster_partition_handling = pause_minority"}, settings...)
	if len(b.Nodes) > 1 {
		lines = append(lines, "cluster_formation.peer_discovery_backend = classic_config")
		for i, other := range b.Nodes {
			lines = append(lines, fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s", i+1, other.Name))
		}
	}
	return os.WriteFile(n.path("rabbitmq.conf"), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// joined waits until every node runs in the cluster.
func (b *Broker) joined() error {
	if len(b.Nodes) == 1 {
		return nil
	}
	for range 30 {
		out, err := b.Nodes[0].Control("eval", "length(rabbit_nodes:all_running()).")
		if err == nil && strings.TrimSpace(out) == fmt.Sprint(len(b.Nodes)) {
			return nil
		}
		time.Sleep(time.Second)
	}
	return errors.New("rabbittest: the nodes do not form a cluster")
}

// URLs are the nodes', with user and password.
func (b *Broker) URLs() []string {
	var list []string
	for _, n := range b.Nodes {
		list = append(list, "amqp://"+User+":"+Password+"@"+n.Address)
	}
	return list
}

// Close ends everything and removes its files.
func (b *Broker) Close() {
	for _, n := range b.Nodes {
		n.Kill()
	}
	if b.epmd != nil && b.epmd.Process != nil {
		_ = b.epmd.Process.Kill() // it may have ended
		_ = b.epmd.Wait()
	}
	_ = os.RemoveAll(b.dir) // in the system's own place for temporary files
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

// mortal makes a child that ends when this process does.
func mortal(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

func (n *Node) start() error {
	out, err := os.OpenFile(n.path("out.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.CommandContext(context.Background(), filepath.Join(programs, "rabbitmq-server"))
	c.Env, c.Stdout, c.Stderr, c.Dir = n.env, out, out, n.dir
	mortal(c)
	if err := c.Start(); err != nil {
		return err
	}
	n.server, n.ended = c, make(chan struct{})
	go func(ended chan struct{}) {
		_ = c.Wait() // how it ended its log tells
		close(ended)
	}(n.ended)
	return nil
}

// Start starts a node that is down, and waits until clients can connect.
func (n *Node) Start() error { return errors.Join(n.start(), n.Await()) }

// Await waits until clients can connect, which a node lets them at its last step.
func (n *Node) Await() error {
	for range 1200 {
		select {
		case <-n.ended:
			return fmt.Errorf("rabbittest: node %s has ended\n%s", n.Name, n.log())
		default:
		}
		if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", n.Address); err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("rabbittest: node %s does not listen\n%s", n.Name, n.log())
}

func (n *Node) log() []byte {
	b, _ := os.ReadFile(n.path("out.log")) // if there is none, nothing is shown
	return b[max(0, len(b)-2000):]
}

// Kill ends a node as a power cut would.
func (n *Node) Kill() {
	if n.server == nil {
		return
	}
	n.Resume()
	n.signal(syscall.SIGKILL)
	<-n.ended
	n.server = nil
}

// Stop ends a node as an operator would.
func (n *Node) Stop() {
	n.signal(syscall.SIGTERM)
	<-n.ended
	n.server = nil
}

// Pause makes a node stand still with its connections open, until Resume.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP) }

// Resume lets a paused node go on.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) { _ = n.server.Process.Signal(s) } // it may have ended

// CutOff parts a node from the others of its cluster, as a broken network between
// them would: clients reach all of them still.
func (b *Broker) CutOff(n *Node) error { return b.cookies(n, "'another'", "erlang:disconnect_node(N)") }

// Heal lets a node that was cut off come back.
func (b *Broker) Heal(n *Node) error {
	return b.cookies(n, "erlang:get_cookie()", "net_kernel:connect_node(N)")
}

// cookies sets by which cookie the node and the others greet each other. Nodes
// with different ones are not connected, however often they try.
func (b *Broker) cookies(n *Node, cookie, then string) error {
	for _, other := range b.Nodes {
		if other == n {
			continue
		}
		for _, pair := range [][2]*Node{{n, other}, {other, n}} {
			if _, err := pair[0].Control("eval", fmt.Sprintf("N='%s', erlang:set_cookie(N, %s), %s.", pair[1].Name, cookie, then)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Control runs rabbitmqctl and returns what it prints.
func (n *Node) Control(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(programs, "rabbitmqctl"), append([]string{"-q", "-n", n.Name}, args...)...)
	var out, errOut bytes.Buffer
	c.Env, c.Stdout, c.Stderr, c.Dir = n.env, &out, &errOut, n.dir
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errOut.String())
	}
	return out.String(), nil
}

// freePorts finds ports below those that the system gives to connections: a node
// that was killed must get its own again.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 100 * n {
		port := 11000 + rand.IntN(7000)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
		defer l.Close() // all at the end, so that none comes twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("rabbittest: no free ports")
}

// Runs reports whether the node was started and not ended since.
func (n *Node) Runs() bool { return n.server != nil }
