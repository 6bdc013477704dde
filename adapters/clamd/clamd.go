// Package clamd has contents scanned by a ClamAV daemon, which is given each of
// them as a stream (clamd(8), INSTREAM): it needs no access to the hub's files.
//
// The daemon takes no more than its StreamMaxLength of one content: what is longer
// is an exchange.ErrTooLongToScan. A daemon that is away is an error too. Neither
// says anything of the content.
package clamd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"tram/exchange"
)

// Client is an exchange.Scanner.
type Client struct{ network, address string }

// patience is how long the daemon may take for one step: to take a piece, or to
// come to its verdict. Archives take it longest.
const patience = 2 * time.Minute

// New returns the client of the daemon at an address: "unix:" and the path of its
// socket, or "tcp:" and host and port.
func New(address string) (*Client, error) {
	network, rest, _ := strings.Cut(address, ":")
	if (network != "unix" && network != "tcp") || rest == "" {
		return nil, fmt.Errorf("%q is neither unix:PATH nor tcp:HOST:PORT", address)
	}
	return &Client{network, rest}, nil
}

func (c *Client) ask(ctx context.Context, command string) (*scan, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, c.network, c.address)
	if err != nil {
		return nil, fmt.Errorf("reaching clamd: %w", err)
	}
	s := &scan{conn: conn}
	if err := s.send([]byte("z" + command + "\x00")); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// Engine is the daemon's version with that of its signatures, such as
// "ClamAV 1.0.9/27500/Thu Nov 26 02:00:00 2026".
func (c *Client) Engine(ctx context.Context) (string, error) {
	s, err := c.ask(ctx, "VERSION")
	if err != nil {
		return "", err
	}
	defer s.Close()
	return s.answer()
}

// Signatures is how old the signatures of an engine are, by its own word; known is
// false where it has none of those that come with a date (freshclam).
func Signatures(engine string, now time.Time) (age time.Duration, known bool) {
	parts := strings.Split(engine, "/")
	at, err := time.ParseInLocation(time.ANSIC, parts[len(parts)-1], time.Local) // ctime(3), in the daemon's zone
	return now.Sub(at), err == nil && len(parts) == 3
}

// Takes says how long a content the daemon takes, up to most bytes: that many, or
// its StreamMaxLength. Nothing is sent: it judges the length that is announced.
func (c *Client) Takes(ctx context.Context, most int64) (int64, error) {
	taken, refused := int64(0), min(most, math.MaxUint32)+1
	for n := refused - 1; taken+1 < refused; n = taken + (refused-taken)/2 {
		ok, err := c.takes(ctx, uint32(n))
		if err != nil {
			return 0, err
		}
		if ok {
			taken = n
		} else {
			refused = n
		}
	}
	return taken, nil
}

// takes announces a piece and hangs up. The daemon refuses a length that is too
// much at once, and says nothing to one that is not.
func (c *Client) takes(ctx context.Context, n uint32) (bool, error) {
	s, err := c.ask(ctx, "INSTREAM")
	if err != nil {
		return false, err
	}
	defer s.Close()
	if err := s.send(binary.BigEndian.AppendUint32(nil, n)); err != nil {
		return false, err
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return false, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(s.conn, longestAnswer))
	if err != nil {
		return false, err
	}
	return !strings.HasPrefix(string(b), tooLong), nil
}

// Begin implements exchange.Scanner.
func (c *Client) Begin(ctx context.Context) (exchange.Scanning, error) { return c.ask(ctx, "INSTREAM") }

// scan is one connection, for one command.
type scan struct {
	conn net.Conn
	cut  error
}

func (s *scan) send(b []byte) error {
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// Write sends one piece: its length in four bytes, then itself. A daemon that has
// had enough closes the connection, and its answer says why.
func (s *scan) Write(p []byte) (int, error) {
	if len(p) == 0 || s.cut != nil {
		return len(p), nil
	}
	pieces := net.Buffers{binary.BigEndian.AppendUint32(nil, uint32(len(p))), p}
	if s.cut = s.conn.SetDeadline(time.Now().Add(patience)); s.cut == nil {
		_, s.cut = pieces.WriteTo(s.conn)
	}
	return len(p), nil
}

// Verdict ends the content.
func (s *scan) Verdict() (found string, err error) {
	if s.cut == nil {
		s.cut = s.send(make([]byte, 4))
	}
	answer, err := s.answer()
	if err != nil {
		return "", errors.Join(s.cut, err)
	}
	said := strings.TrimPrefix(answer, "stream: ")
	if said == "OK" && s.cut == nil {
		return "", nil
	}
	if name, ok := strings.CutSuffix(said, " FOUND"); ok {
		return name, nil
	}
	if said == tooLong {
		return "", fmt.Errorf("clamd's StreamMaxLength: %w", exchange.ErrTooLongToScan)
	}
	return "", fmt.Errorf("clamd says %q", answer)
}

// tooLong is the answer to more than StreamMaxLength.
const tooLong = "INSTREAM size limit exceeded. ERROR"

// longestAnswer is far beyond what clamd says.
const longestAnswer = 4 << 10

func (s *scan) answer() (string, error) {
	b, err := io.ReadAll(io.LimitReader(s.conn, longestAnswer))
	if len(b) == 0 {
		return "", fmt.Errorf("clamd gave no answer: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return strings.TrimRight(string(b), "\x00\n"), nil
}

func (s *scan) Close() error { return s.conn.Close() }
