package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// connection is one agency's system with one connection to the hub. HTTP/1.1 is
// spoken on it by one goroutine: there is nobody to hand a request to, which is
// what most of a general client's time goes to.
type connection struct {
	address string
	tls     *tls.Config
	head    string // the header fields of every request

	conn net.Conn
	read *bufio.Reader
	last time.Time
	out  []byte // what is sent, in one piece if it is small
	body []byte // of the last answer
}

// idle is how long a connection may rest before it is made anew: the hub ends it
// after two minutes.
const idle = time.Minute

func (s *Site) connection(a *Agency) *connection {
	secret := base64.StdEncoding.EncodeToString([]byte(a.System + ":" + a.Secret))
	return &connection{
		address: s.Address,
		tls:     &tls.Config{RootCAs: s.Roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
		head:    " HTTP/1.1\r\nHost: " + s.Address + "\r\nAuthorization: Basic " + secret + "\r\nUser-Agent: tram-bench\r\n",
	}
}

// answer is what came back. The body stands until the next request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request and reads its answer. size is of the body, which is written
// by send; a body in memory is sent with its header.
func (c *connection) ask(ctx context.Context, method, path string, body []byte) (answer, error) {
	return c.exchange(ctx, method, path, int64(len(body)), func() error {
		c.out = append(c.out, body...)
		return nil
	}, nil)
}

// small is up to where a body is sent with its header, in one piece.
const small = 256 << 10

// submit sends a letter out of its store.
func (c *connection) submit(ctx context.Context, l letter) (answer, error) {
	return c.exchange(ctx, http.MethodPost, "/v1/packages", l.size, func() error {
		if l.size <= small {
			from := len(c.out)
			c.out = append(c.out, make([]byte, l.size)...)
			_, err := l.store.ReadAt(c.out[from:], l.at)
			return err
		}
		if _, err := c.conn.Write(c.out); err != nil {
			return err
		}
		c.out = c.out[:0]
		buffer := copies.Get().(*[]byte)
		defer copies.Put(buffer)
		_, err := io.CopyBuffer(struct{ io.Writer }{c.conn}, io.NewSectionReader(l.store, l.at, l.size), *buffer)
		return err
	}, nil)
}

// exchange is one request with its answer, whose body goes to sink if there is
// one.
func (c *connection) exchange(ctx context.Context, method, path string, size int64, send func() error, sink io.Writer) (answer, error) {
	if err := c.open(ctx); err != nil {
		return answer{}, err
	}
	a, err := c.once(method, path, size, send, sink)
	if err != nil {
		c.close()
		return a, fmt.Errorf("%s %s: %w", method, path, err)
	}
	c.last = time.Now()
	return a, nil
}

// longest is how long one answer may take, and large bodies on their way.
const longest = 2 * time.Minute

func (c *connection) once(method, path string, size int64, send func() error, sink io.Writer) (answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(longest)); err != nil {
		return answer{}, err
	}
	c.out = append(append(append(append(c.out[:0], method...), ' '), path...), c.head...)
	if method == http.MethodPost {
		c.out = append(c.out, "Content-Type: application/xml\r\nContent-Length: "...)
		c.out = append(strconv.AppendInt(c.out, size, 10), "\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	if err := send(); err != nil {
		return answer{}, err
	}
	if len(c.out) > 0 {
		if _, err := c.conn.Write(c.out); err != nil {
			return answer{}, err
		}
	}
	resp, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if sink != nil && resp.StatusCode == http.StatusOK {
		buffer := copies.Get().(*[]byte)
		defer copies.Put(buffer)
		_, err := io.CopyBuffer(sink, resp.Body, *buffer)
		return a, err
	}
	if n := resp.ContentLength; n >= 0 && n <= 64<<20 {
		c.body = append(c.body[:0], make([]byte, n)...)
		_, err = io.ReadFull(resp.Body, c.body)
	} else {
		c.body, err = io.ReadAll(resp.Body)
	}
	a.body = c.body
	return a, err
}

func (c *connection) open(ctx context.Context) error {
	if c.conn != nil && time.Since(c.last) < idle {
		return nil
	}
	c.close()
	conn, err := (&tls.Dialer{Config: c.tls}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.conn, c.last = conn, time.Now()
	if c.read == nil {
		c.read = bufio.NewReaderSize(conn, 16<<10)
	} else {
		c.read.Reset(conn)
	}
	return nil
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing more is expected of it
		c.conn = nil
	}
}
