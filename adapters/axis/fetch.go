package axis

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// mostMember is the longest member of getEdoc's answer that is not the package.
const mostMember = 64 << 10

// Fetch gives the content of a package, as it comes. Reading ends with an error in
// place of io.EOF unless the answer was complete and the axis said that it is good,
// so what was read is to be dropped unless it ended well.
func (c *Client) Fetch(ctx context.Context, docID string) (io.ReadCloser, error) {
	// The SDK tells the axis where it keeps its files. It is nobody's business.
	return c.fetch(ctx, append(parameters{{"systemid", c.c.System}, {"docId", docID}, {"filePath", "/"}}, c.closing()...))
}

const getEdoc = "getEdoc"

func (c *Client) fetch(ctx context.Context, params parameters) (io.ReadCloser, error) {
	answer, err := c.ask(ctx, getEdoc, params, braces())
	if err != nil {
		return nil, err
	}
	f := &fetched{client: c, answer: answer, in: bufio.NewReaderSize(answer.Body, mostMember)}
	if err := f.open(); err != nil {
		_ = answer.Body.Close() // the error tells enough
		return nil, err
	}
	return f, nil
}

// fetched reads {"status":…,"ErrorCode":…,"ErrorDesc":…,"data":"base64"}, in any
// order, without holding data.
type fetched struct {
	client  *Client
	answer  *http.Response
	in      *bufio.Reader
	verdict verdict
	data    io.Reader // nil until its member was reached
	read    bool      // whether data had anything
	err     error
}

// Close lets go of the connection.
func (f *fetched) Close() error { return f.answer.Body.Close() }

// Read implements io.Reader.
func (f *fetched) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.data.Read(p)
	f.read = f.read || n > 0
	switch {
	case err == io.EOF:
		f.err = f.end()
	case err != nil:
		f.err = f.broken(err)
	}
	return n, f.err
}

// open reads up to the beginning of data, if the answer is good so far.
func (f *fetched) open() error {
	if err := f.expect('{'); err != nil {
		return f.broken(err)
	}
	for {
		if err := f.member(); err != nil {
			return f.broken(err)
		}
		if f.data != nil && (f.verdict.Code == "" || f.verdict.Code == "0") {
			return nil
		}
		last, err := f.data != nil, error(nil) // of a refusal, data is not read
		if !last {
			last, err = f.last()
		}
		if err != nil {
			return f.broken(err)
		}
		if last {
			return f.lacking()
		}
	}
}

// end reads what comes after data, and judges.
func (f *fetched) end() error {
	for {
		last, err := f.last()
		if err != nil {
			return f.broken(err)
		}
		if last {
			break
		}
		if err := f.member(); err != nil {
			return f.broken(err)
		}
	}
	if err := f.judge(); err != nil {
		return err
	}
	if !f.read {
		return f.broken(errors.New("data is empty"))
	}
	return io.EOF
}

func (f *fetched) judge() error { return f.client.judge(getEdoc, f.answer.StatusCode, f.verdict) }

func (f *fetched) lacking() error {
	if err := f.judge(); err != nil {
		return err
	}
	return f.broken(errors.New("it has no data"))
}

func (f *fetched) broken(cause error) error {
	return f.client.strange(getEdoc, f.answer.StatusCode, cause)
}

// member reads a name and its value; of data, up to the value's opening quote.
func (f *fetched) member() error {
	if err := f.expect('"'); err != nil {
		return err
	}
	name, err := f.text()
	if err != nil {
		return err
	}
	if err := f.expect(':'); err != nil {
		return err
	}
	if name == "data" {
		if f.data != nil {
			return errors.New("data comes twice")
		}
		if err := f.expect('"'); err != nil {
			return err
		}
		f.data = base64.NewDecoder(base64.StdEncoding, &packed{in: f.in})
		return nil
	}
	value, err := f.value()
	switch name {
	case "status":
		f.verdict.Status = value
	case "ErrorCode":
		f.verdict.Code = text(value)
	case "ErrorDesc":
		f.verdict.Text = text(value)
	}
	return err
}

// value reads a string, a number or a word.
func (f *fetched) value() (string, error) {
	first, err := f.mark()
	if err != nil {
		return "", err
	}
	if first == '"' {
		return f.text()
	}
	var word strings.Builder
	for c := first; c > ' '; {
		if c == ',' || c == '}' {
			return word.String(), f.in.UnreadByte()
		}
		if c == '{' || c == '[' || word.Len() == mostMember {
			return "", errors.New("a member is neither text nor number")
		}
		word.WriteByte(c)
		if c, err = f.in.ReadByte(); err != nil {
			return "", cut(err)
		}
	}
	return word.String(), nil
}

// text reads a string behind its opening quote.
func (f *fetched) text() (string, error) {
	quoted := []byte{'"'}
	for escaped := false; len(quoted) < mostMember; {
		c, err := f.in.ReadByte()
		if err != nil {
			return "", cut(err)
		}
		quoted = append(quoted, c)
		if c == '"' && !escaped {
			var s string
			err := json.Unmarshal(quoted, &s)
			return s, err
		}
		escaped = c == '\\' && !escaped
	}
	return "", errors.New("a member is too long")
}

// last reads what separates members, and reports whether it was the end.
func (f *fetched) last() (bool, error) {
	c, err := f.mark()
	if err == nil && c != ',' && c != '}' {
		err = fmt.Errorf("%q where , or } belongs", c)
	}
	return c == '}', err
}

func (f *fetched) expect(want byte) error {
	c, err := f.mark()
	if err == nil && c != want {
		err = fmt.Errorf("%q where %q belongs", c, want)
	}
	return err
}

// mark reads the next byte that is not space.
func (f *fetched) mark() (byte, error) {
	for {
		c, err := f.in.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// cut is the error of an answer that ends too early.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// packed reads base64 out of a JSON string, up to its closing quote: with the
// escapes that servers write into it, line ends, and either alphabet.
type packed struct {
	in  *bufio.Reader
	end bool
}

// Read implements io.Reader.
func (p *packed) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) && !p.end {
		c, err := p.in.ReadByte()
		if err != nil {
			return n, cut(err)
		}
		switch c {
		case '"':
			p.end = true
			continue
		case '\\':
			if c, err = p.escape(); err != nil {
				return n, err
			}
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		b[n] = c
		n++
	}
	if n == 0 && p.end {
		return 0, io.EOF
	}
	return n, nil
}

// escape reads what follows a backslash. Only what base64 can have is understood.
func (p *packed) escape() (byte, error) {
	c, err := p.in.ReadByte()
	if err != nil {
		return 0, cut(err)
	}
	switch c {
	case '/':
		return '/', nil
	case 'n', 'r':
		return '\n', nil // left out by the decoder
	case 'u':
		var digits [4]byte
		if _, err := io.ReadFull(p.in, digits[:]); err != nil {
			return 0, cut(err)
		}
		code, err := strconv.ParseUint(string(digits[:]), 16, 7)
		if err != nil {
			return 0, errors.New("data has an escape that base64 has no use for")
		}
		return byte(code), nil
	}
	return 0, errors.New("data has an escape that base64 has no use for")
}
