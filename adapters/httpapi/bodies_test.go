package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
)

// raw speaks HTTP/1.1 by hand, as a program that lies would.
func (w *world) raw(header string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // TCP has deadlines
	_, err = fmt.Fprintf(conn, "POST /v1/packages HTTP/1.1\r\nHost: hub\r\nAuthorization: %s\r\nContent-Type: application/xml\r\n%s\r\n",
		basic("he-thong-01", w.secrets["he-thong-01"]), header)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// reply reads the answer to a request made by hand.
func (w *world) reply(r *bufio.Reader) answer {
	w.t.Helper()
	resp := must[*http.Response](w.t)(http.ReadResponse(r, nil))
	body := must[[]byte](w.t)(io.ReadAll(resp.Body))
	_ = resp.Body.Close() // read whole
	return answer{resp, body}
}

func (w *world) refusedAs(a answer, status int, code, rule string) {
	w.t.Helper()
	if p := a.problem(w.t); a.StatusCode != status || p.Code != code || p.Rule != rule || p.Receipt != "" {
		w.t.Errorf("%d, %+v", a.StatusCode, p)
	}
	w.nothingStored()
}

func TestLengthAnnouncedTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.signed()
	conn, r := w.raw(fmt.Sprintf("Content-Length: %d\r\n", len(body)+100))
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	w.refusedAs(w.reply(r), 400, "malformed", "truncated-body")
}

func TestLengthAnnouncedTooShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.signed()
	conn, r := w.raw(fmt.Sprintf("Content-Length: %d\r\n", len(body)-100))
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	a := w.reply(r)
	if p := a.problem(t); a.StatusCode != 400 || p.Code != "malformed" || p.Line == 0 {
		t.Errorf("%d, %+v", a.StatusCode, p)
	}
	w.nothingStored()
	// What is over is no request, and the connection ends.
	if next, err := http.ReadResponse(r, nil); err == nil && next.StatusCode != http.StatusBadRequest {
		t.Errorf("the rest of the body was answered %d", next.StatusCode)
	}
}

func TestChunksBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.signed()
	for _, tt := range []struct{ name, end string }{
		{"in the middle of one", ""},
		{"by what is no chunk", "\r\nnot a chunk\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, r := w.raw("Transfer-Encoding: chunked\r\n")
			if _, err := fmt.Fprintf(conn, "%x\r\n%s%s", len(body)/2, body[:len(body)/2], tt.end); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.refusedAs(w.reply(r), 400, "malformed", "truncated-body")
		})
	}
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{MiB: 300 * time.Millisecond})
	body := w.signed()
	conn, r := w.raw(fmt.Sprintf("Content-Length: %d\r\n", len(body)))
	done := make(chan struct{})
	defer func() { <-done }()
	go func() { // one byte now and then does not help
		defer close(done)
		for _, b := range body[:200] {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	begun := time.Now()
	a := w.reply(r)
	w.refusedAs(a, 408, "malformed", "slow-body")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("cut off after %s", took)
	}
	if !a.Close {
		t.Error("the connection is kept")
	}
}

// TestBodyThatNeverComes holds the connection with a body that is announced and
// not sent. Nobody may wait for it, whatever the answer is.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{MiB: 300 * time.Millisecond})
	for _, tt := range []struct {
		name, request string
		status        int
	}{
		{"without credentials", "POST /v1/packages HTTP/1.1\r\nContent-Type: application/xml\r\nContent-Length: 1000\r\n", 401},
		{"without credentials, in chunks", "POST /v1/packages HTTP/1.1\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n", 401},
		{"to nowhere", "POST /v9 HTTP/1.1\r\nContent-Length: 1000\r\n", 404},
		{"by another method", "DELETE /v1/packages HTTP/1.1\r\nContent-Length: 1000\r\n", 405},
		{"where none is taken", "GET /v1/keys HTTP/1.1\r\nContent-Length: 1000\r\n", 408},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(4 * time.Second)) // TCP has deadlines
			if _, err := io.WriteString(conn, tt.request+"Host: hub\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if a := w.reply(bufio.NewReader(conn)); a.StatusCode != tt.status {
				t.Errorf("%d: %s", a.StatusCode, a.body)
			}
		})
	}
}

// TestLongBodyOverASlowLine sends more than a MiB, each in its time, but all of
// it later than the first deadline.
func TestLongBodyOverASlowLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{MiB: 3 * time.Second})
	body := w.sign(w.document(withAttachment(4<<20)), "H12.01")
	conn, r := w.raw(fmt.Sprintf("Content-Length: %d\r\n", len(body)))
	for piece := range chunks(body, 512<<10) {
		time.Sleep(350 * time.Millisecond)
		if _, err := conn.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if a := w.reply(r); a.StatusCode != http.StatusCreated {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
}

func TestAnnouncedTooLongIsNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	conn, r := w.raw("Content-Length: 2147483648\r\nExpect: 100-continue\r\n")
	a := w.reply(r) // without a byte of the body, and without being asked for one
	w.refusedAs(a, 413, "too-large", "body-too-large")
	if !strings.Contains(a.problem(t).Detail, "1073741824") {
		t.Errorf("the words do not say the limit: %s", a.body)
	}
	_ = conn.Close()
}

// TestTwoGigabytes streams a package of unknown length whose attachment does
// not end. It must be cut off at the limit, in constant memory.
func TestTwoGigabytes(t *testing.T) {
	const limit, all = 16 << 20, 2 << 30
	w := newWorld(t, httpapi.Limits{Package: limit})
	plain := w.document(withAttachment(600))
	head, _, found := bytes.Cut(plain, []byte("QUFBQUFB")) // where the attachment begins
	if !found {
		t.Fatal("the attachment's content was not found")
	}
	for _, tt := range []struct {
		name, rule string
		status     int
		head       []byte
		filler     string
	}{
		{"of zeros", "", 400, nil, "\x00"},
		{"of an attachment that does not end", "body-too-large", 413, head, "QUFB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := allocated()
			conn, r := w.raw("Transfer-Encoding: chunked\r\n")
			sent := make(chan int64, 1)
			go func() { sent <- pour(conn, tt.head, tt.filler, all) }()
			a := w.reply(r)
			if p := a.problem(t); a.StatusCode != tt.status || tt.rule != "" && p.Rule != tt.rule {
				t.Errorf("%d, %+v", a.StatusCode, p)
			}
			_ = conn.Close()
			if n := <-sent; n > limit+64<<20 {
				t.Errorf("%d bytes were taken from the line", n)
			}
			if grown := allocated() - before; grown > 64<<20 {
				t.Errorf("%d bytes were allocated", grown)
			}
			w.nothingStored()
		})
	}
}

// pour writes chunks until the other side has enough, and tells how much it took.
func pour(conn net.Conn, head []byte, filler string, all int64) (n int64) {
	if len(head) > 0 {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(head), head); err != nil {
			return n
		}
	}
	piece := strings.Repeat(filler, 256<<10/len(filler))
	for n < all {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece); err != nil {
			return n
		}
		n += int64(len(piece))
	}
	return n
}

// allocated is all that was ever allocated, freed since or not.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestTooManyBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Bodies: 1})
	body := w.signed()
	conn, r := w.raw(fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n", len(body)))
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // it is being read now
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	a := w.want(http.StatusServiceUnavailable, w.xml("he-thong-01", "/v1/packages", body))
	if p := a.problem(t); p.Code != "busy" || p.Rule != "too-many-bodies" || a.Header.Get("Retry-After") == "" {
		t.Errorf("%+v, %v", p, a.Header)
	}
	w.want(http.StatusOK, w.get("he-thong-01", "/v1/inbox")) // without a body there is room
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if a := w.reply(r); a.StatusCode != http.StatusCreated {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
}

// TestSlowBodiesLeaveRoom: a system that begins more bodies than the hub takes in
// at once, and ends none, does not keep others out.
func TestSlowBodiesLeaveRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Bodies: 4})
	refused := 0
	for range 4 {
		_, r := w.raw("Content-Length: 1000\r\nExpect: 100-continue\r\n")
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "503") {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of 4 bodies of one system are refused, want 2", refused)
	}
	a := w.xml("he-thong-20", "/v1/packages", []byte("<a/>"))
	if got := a.problem(t).Rule; got != "not-edxml" {
		t.Errorf("another system's is refused by %s, want to be read", got)
	}
}

// TestOverload: many more come at once than are taken in. Each is taken in whole
// or told when to come back, and whoever comes back gets through.
func TestOverload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Bodies: 2})
	var busy, accepted atomic.Int64
	var clients sync.WaitGroup
	for n := range 24 {
		body := w.sign(w.document(func(d *edxml.Document) { d.Number = fmt.Sprint(5000 + n) }), "H12.01")
		clients.Go(func() {
			for range 500 {
				a := w.xml("he-thong-01", "/v1/packages", body)
				if a.StatusCode == http.StatusCreated {
					accepted.Add(1)
					return
				}
				if p := a.problem(t); p.Code != "busy" || a.Header.Get("Retry-After") == "" {
					t.Errorf("%d, %+v", a.StatusCode, p)
					return
				}
				busy.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	clients.Wait()
	if accepted.Load() != 24 || busy.Load() == 0 {
		t.Errorf("%d of 24 are accepted, %d times the hub was busy", accepted.Load(), busy.Load())
	}
}

func TestReaderThatDoesNotReadIsLetGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Write: 300 * time.Millisecond})
	conn, length := w.fetching()
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(w.logs.String(), `"route":"/v1/packages/:id/content"`) {
		if time.Now().After(deadline) {
			t.Fatal("the answer still waits to be read")
		}
		time.Sleep(20 * time.Millisecond)
	}
	n, err := io.Copy(io.Discard, conn)
	if n >= length {
		t.Errorf("%d bytes of %d were sent to nobody, %v", n, length, err)
	}
}

func TestReaderThatReadsSlowlyGetsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Write: time.Second})
	conn, length := w.fetching()
	var got int64
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) { // all of it takes longer than a piece may
		n, err := io.CopyN(io.Discard, conn, 512<<10)
		got += n
		if err != nil {
			if took := time.Since(begun); took < time.Second {
				t.Errorf("all was read in %s, which shows nothing", took)
			}
			break
		}
	}
	if got < length {
		t.Errorf("%d bytes of %d came", got, length)
	}
}

// fetching asks for a package that is longer than what the system keeps for a
// reader who does not read, and has not read yet.
func (w *world) fetching() (conn net.Conn, length int64) {
	w.t.Helper()
	body := w.document(func(d *edxml.Document) {
		withAttachment(6 << 20)(d)
		d.From.Code = "H12.20"
	})
	id := w.want(http.StatusCreated, w.xml("he-thong-20", "/v1/packages", body)).Header.Get("Tram-Package")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	ask := "GET /v1/packages/%s/content HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: %s\r\n\r\n"
	if _, err := fmt.Fprintf(conn, ask, id, basic("he-thong-20", w.secrets["he-thong-20"])); err != nil {
		w.t.Fatal(err)
	}
	return conn, int64(len(body))
}

func TestBodiesOverHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Package: 1 << 20, MiB: 500 * time.Millisecond})
	client := &http.Client{Transport: w.tlsClient().Transport.(*contract).next, Timeout: 10 * time.Second} // the contract would read bodies first
	head, _, found := bytes.Cut(w.document(withAttachment(600)), []byte("QUFBQUFB"))
	if !found {
		t.Fatal("the attachment's content was not found")
	}
	for _, tt := range []struct {
		name   string
		stops  bool
		status int
		rule   string
	}{
		{"without end", false, 413, "body-too-large"},
		{"that stops", true, 408, "slow-body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stuck, _ := io.Pipe() // the transport closes it
			rest := io.Reader(letters{})
			if tt.stops {
				rest = stuck
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.tlsURL+"/v1/packages", struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(head), rest), stuck})
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("he-thong-01", w.secrets["he-thong-01"])
			req.Header.Set("Content-Type", "application/xml")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close() // read whole
			if err != nil || resp.ProtoMajor != 2 {
				t.Fatalf("over %s: %v", resp.Proto, err)
			}
			if p := (answer{resp, body}).problem(t); resp.StatusCode != tt.status || p.Rule != tt.rule {
				t.Errorf("%d, %+v", resp.StatusCode, p)
			}
		})
	}
	w.nothingStored()
}
