package axis

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"tram/exchange"
)

// Where the SDK's requests, as recorded, and its packages are.
const recordings, packages = "../../cmd/hub/testdata/axis", "../../testdata/vxp"

// wire is a server that answers every request with one text, and keeps what came
// in byte for byte.
type wire struct {
	*httptest.Server
	mu   sync.Mutex
	seen bytes.Buffer
}

type tap struct {
	net.Conn
	w *wire
}

func (c tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.mu.Lock()
	c.w.seen.Write(p[:n])
	c.w.mu.Unlock()
	return n, err
}

type tapped struct {
	net.Listener
	w *wire
}

func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return tap{c, l.w}, err
}

func serve(t *testing.T, status int, answer string) *wire {
	t.Helper()
	w := &wire{}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		out.WriteHeader(status)
		_, _ = io.WriteString(out, answer)
	}))
	w.Listener = tapped{w.Listener, w}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// request is a recorded head's lines by their names as they are written, and the body.
func split(t *testing.T, raw []byte) (first string, head map[string]string, body []byte) {
	t.Helper()
	top, body, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		t.Fatalf("no end of the head in %q", raw)
	}
	lines := strings.Split(string(top), "\r\n")
	head = map[string]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		head[name] = value
	}
	return lines[0], head, body
}

func client(t *testing.T, address string, at string) *Client {
	t.Helper()
	c, err := New(Config{Name: "quốc gia", URL: address, System: "H12.07", Secret: "c2VjcmV0LXRyYW0=", Plain: true, Patience: 5 * time.Second,
		Now: func() time.Time {
			if at == "" {
				return time.Now()
			}
			// ddMMyyyyTHHmmss+SSSS
			seconds, millis, _ := strings.Cut(at, "+")
			when, err := time.ParseInLocation("02012006T150405.000", seconds+"."+millis[1:], exchange.Vietnam)
			if err != nil {
				t.Error(err)
			}
			return when
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func parcel(t *testing.T, kind Kind, file string, to ...string) Parcel {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(packages, file))
	if err != nil {
		t.Fatal(err)
	}
	return Parcel{Kind: kind, From: "H12.07", To: to, Digest: sha256.Sum256(content), Size: int64(len(content)), Content: bytes.NewReader(content)}
}

// TestAsRecorded holds that what is sent is what the SDK sent at the same time with
// the same secret: path, every parameter, what is signed and in which order, the
// signature, and the body.
func TestAsRecorded(t *testing.T) {
	from, until := time.Date(2026, 11, 15, 0, 0, 0, 0, exchange.Vietnam), time.Date(2026, 11, 22, 0, 0, 0, 0, exchange.Vietnam)
	const docID = "5f0d7c3e-2f40-4f9f-8a51-3c1c6c7f0b12"
	ctx := context.Background()
	tests := map[string]func(*Client) error{
		"01-getAgenciesList":    func(c *Client) error { _, err := c.Agencies(ctx); return err },
		"02-getSynchronizeUnit": func(c *Client) error { _, err := c.Units(ctx); return err },
		"05-sendEdoc-edoc": func(c *Client) error {
			_, err := c.Send(ctx, parcel(t, Documents, "sdk-01-new.edxml", "H12.12", "H12.40"))
			return err
		},
		"07-sendEdoc-status-without-to": func(c *Client) error {
			_, err := c.Send(ctx, parcel(t, Statuses, "sdk-04-status-03.edxml"))
			return err
		},
		"08-getReceivedEdocList-edoc":       func(c *Client) error { _, err := c.Received(ctx, Documents, time.Time{}, time.Time{}); return err },
		"09-getReceivedEdocList-edoc-dates": func(c *Client) error { _, err := c.Received(ctx, Documents, from, until); return err },
		"10-getReceivedEdocList-status":     func(c *Client) error { _, err := c.Received(ctx, Statuses, time.Time{}, time.Time{}); return err },
		"12-getSentEdocList-edoc":           func(c *Client) error { _, err := c.Sent(ctx, Documents, time.Time{}, time.Time{}); return err },
		"13-getSentEdocList-edoc-dates":     func(c *Client) error { _, err := c.Sent(ctx, Documents, from, until); return err },
		"14-getSentEdocList-status":         func(c *Client) error { _, err := c.Sent(ctx, Statuses, time.Time{}, time.Time{}); return err },
		"16-updateStatus-done":              func(c *Client) error { return c.Done(ctx, docID) },
		"17-updateStatus-fail":              func(c *Client) error { return c.Fail(ctx, docID) },
		"15-getEdoc": func(c *Client) error {
			params := append(parameters{{"systemid", "H12.07"}, {"docId", docID}, {"filePath", "/var/lib/dms/edoc"}}, c.closing()...)
			in, err := c.fetch(ctx, params)
			if err != nil {
				return err
			}
			defer in.Close()
			got, err := io.ReadAll(in)
			if want, _ := os.ReadFile(filepath.Join(packages, "sdk-08-incoming-new.edxml")); !bytes.Equal(got, want) {
				t.Errorf("getEdoc gave %d bytes, not the %d of sdk-08-incoming-new.edxml", len(got), len(want))
			}
			return err
		},
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			recorded, err := os.ReadFile(filepath.Join(recordings, name+".request.http"))
			if err != nil {
				t.Fatal(err)
			}
			reply, err := os.ReadFile(filepath.Join("testdata", name+".reply.json"))
			if err != nil {
				t.Fatal(err)
			}
			wantFirst, want, wantBody := split(t, recorded)
			w := serve(t, 200, string(reply))
			if err := call(client(t, w.URL, want["XroadVnpt-timestamp"])); err != nil {
				t.Fatal(err)
			}
			w.Close() // nothing is read any more
			first, got, body := split(t, w.seen.Bytes())
			if first != wantFirst {
				t.Errorf("the request is %q, recorded %q", first, wantFirst)
			}
			for name, value := range want {
				switch name {
				case "Host", "Connection", "Expect", "Accept-Encoding", "Accept", "Cache-Control", "Pragma":
					continue // not of the protocol
				}
				if got[name] != value {
					t.Errorf("%s: %s, recorded %s", name, got[name], value)
				}
			}
			for name := range got {
				if _, recorded := want[name]; !recorded {
					t.Errorf("%s was not recorded", name)
				}
			}
			if !bytes.Equal(body, wantBody) {
				t.Errorf("the body has %d bytes, recorded %d, or others", len(body), len(wantBody))
			}
		})
	}
}

// TestRefusals holds which errors are final.
func TestRefusals(t *testing.T) {
	tests := []struct {
		status int
		answer string
		want   exchange.Code
	}{
		{200, `{"status":"FAIL","ErrorCode":"18","ErrorDesc":"Đơn vị nhận không tồn tại","DocId":""}`, exchange.Refused},
		{200, `{"status":"FAIL","ErrorCode":10,"ErrorDesc":"x","DocId":""}`, exchange.Refused},
		{200, `{"status":"FAIL","ErrorCode":"19","ErrorDesc":"x"}`, exchange.Refused},
		{500, `{"status":"FAIL","ErrorCode":"22","ErrorDesc":"x"}`, exchange.Refused},
		{200, `{"status":"FAIL","ErrorCode":"23","ErrorDesc":"x"}`, exchange.Refused},
		{200, `{"status":"FAIL","ErrorCode":"15","ErrorDesc":"x"}`, exchange.Unauthenticated},
		{200, `{"status":"FAIL","ErrorCode":"20","ErrorDesc":"x"}`, exchange.Unreachable},
		{200, `{"status":"FAIL","ErrorCode":"21","ErrorDesc":"x"}`, exchange.Unreachable},
		{200, `{"status":"OK","ErrorCode":"00","DocId":"a"}`, exchange.Unreachable},
		{200, `{"status":"OK","ErrorCode":"0"}`, exchange.Unreachable}, // taken, but nobody knows as what
		{200, `{"status":"OK"}`, exchange.Unreachable},
		{502, `<html>`, exchange.Unreachable},
		{302, ``, exchange.Unreachable},
		{200, ``, exchange.Unreachable},
	}
	for _, test := range tests {
		w := serve(t, test.status, test.answer)
		_, err := client(t, w.URL, "").Send(context.Background(), parcel(t, Documents, "sdk-01-new.edxml", "H12.12"))
		if got := exchange.CodeOf(err); got != test.want {
			t.Errorf("%d %s: %v, want code %s", test.status, test.answer, err, test.want)
		}
	}
	w := serve(t, 200, "")
	c := client(t, w.URL, "")
	w.Close()
	if err := c.Done(context.Background(), "a"); exchange.CodeOf(err) != exchange.Unreachable {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := c.Send(context.Background(), parcel(t, Documents, "sdk-01-new.edxml", "Sở Tài chính")); exchange.CodeOf(err) != exchange.Refused {
		t.Errorf("a code that no header carries: %v", err)
	}
}

// TestListsThatAreNone holds that an axis out of order is not one with nothing new.
func TestListsThatAreNone(t *testing.T) {
	for answer, good := range map[string]bool{
		`{"status":"OK","ErrorCode":"0","ErrorDesc":"","data":[]}`:                                       true,
		`{"status":"OK","ErrorCode":"0","ErrorDesc":"","data":[{"docId":7,"to":["a","b"],"from":null}]}`: true,
		`{"status":"OK","ErrorCode":"0","ErrorDesc":""}`:                                                 false,
		`{"status":"OK","ErrorCode":"0","ErrorDesc":"","data":null}`:                                     false,
		`{}`: false, `[]`: false, ``: false,
	} {
		w := serve(t, 200, answer)
		list, err := client(t, w.URL, "").Received(context.Background(), Documents, time.Time{}, time.Time{})
		if (err == nil) != good {
			t.Errorf("%s: %v", answer, err)
		}
		if len(list) == 1 && (list[0].DocID != "7" || list[0].To != "a;b") {
			t.Errorf("%s is read as %+v", answer, list[0])
		}
	}
}

// TestFetched holds what is taken for a package, and what is not.
func TestFetched(t *testing.T) {
	long := strings.Repeat("Văn bản ÿþ?>", 20_000)
	std, web := base64.StdEncoding.EncodeToString([]byte(long)), base64.URLEncoding.EncodeToString([]byte(long))
	escaped := strings.ReplaceAll(strings.ReplaceAll(std, "/", `\/`), "+", `\u002b`)
	folded := std[:76] + `\r\n` + std[76:]
	tests := []struct {
		answer string
		want   exchange.Code // none: good
	}{
		{`{"status":"OK","ErrorCode":"0","ErrorDesc":"Th\u00e0nh c\"ông","data":"` + std + `"}`, ""},
		{`{ "data" : "` + web + `" , "ErrorCode" : 0 , "status":null}`, ""},
		{`{"ErrorCode":"0","data":"` + escaped + `"}`, ""},
		{`{"ErrorCode":"0","data":"` + folded + `"}`, ""},
		{`{"data":"` + std + `","ErrorCode":"20"}`, exchange.Unreachable},
		{`{"ErrorCode":"22","ErrorDesc":"x","data":""}`, exchange.Refused},
		{`{"data":"","ErrorCode":"22"}`, exchange.Refused},
		{`{"ErrorCode":"15"}`, exchange.Unauthenticated},
		{`{"ErrorCode":"0","data":""}`, exchange.Unreachable},
		{`{"ErrorCode":"0","data":null}`, exchange.Unreachable},
		{`{"ErrorCode":"0"}`, exchange.Unreachable},
		{`{"data":"` + std + `"}`, exchange.Unreachable},
		{`{"ErrorCode":"0","data":"` + std + `","data":"` + std + `"}`, exchange.Unreachable},
		{`{"ErrorCode":"0","data":"` + std[:len(std)-5] + `"}`, exchange.Unreachable},
		{`{"ErrorCode":"0","data":"` + std[:800] + `!` + std[800:] + `"}`, exchange.Unreachable},
		{`{"ErrorCode":"0","data":"` + std[:800], exchange.Unreachable},
		{`{"ErrorCode":"0","data":"` + std + `"`, exchange.Unreachable},
		{`{"ErrorCode":{"a":"0"},"data":"` + std + `"}`, exchange.Unreachable},
		{`<html>`, exchange.Unreachable},
		{``, exchange.Unreachable},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := serve(t, 200, test.answer)
			in, err := client(t, w.URL, "").Fetch(context.Background(), "a")
			var got []byte
			if err == nil {
				defer in.Close()
				got, err = io.ReadAll(iotest.OneByteReader(in))
			}
			if exchange.CodeOf(err) != test.want {
				t.Fatalf("%.80s: %v, want code %q", test.answer, err, test.want)
			}
			if err == nil && string(got) != long {
				t.Errorf("%.80s: %d bytes, want %d, or others", test.answer, len(got), len(long))
			}
		})
	}
}

// TestSignedAsAServerReads checks a request as strictly as a server can.
func TestSignedAsAServerReads(t *testing.T) {
	w := serve(t, 200, `{"ErrorCode":"0","DocId":"a"}`)
	if _, err := client(t, w.URL, "").Send(context.Background(), parcel(t, Documents, "sdk-01-new.edxml", `H12"<&>\12`)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r, err := http.ReadRequest(bufio.NewReader(&w.seen))
	if err != nil {
		t.Fatal(err)
	}
	signed := r.Header.Get("XroadVnpt-sign-header")
	mac := hmac.New(sha256.New, []byte("c2VjcmV0LXRyYW0="))
	_, _ = io.WriteString(mac, signed)
	if got := r.Header.Get("XroadVnpt-hash-header"); got != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("hash-header %s is not of sign-header", got)
	}
	var pairs map[string]string
	if err := json.Unmarshal([]byte(signed), &pairs); err != nil {
		t.Fatal(err)
	}
	for name, value := range pairs {
		if r.Header.Get(name) != value {
			t.Errorf("%s is signed as %q, sent as %q", name, value, r.Header.Get(name))
		}
	}
	var to []string
	if err := json.Unmarshal([]byte(pairs["XroadVnpt-to"]), &to); err != nil || !slices.Equal(to, []string{`H12"<&>\12`}) {
		t.Errorf("to is %v, %v", to, err)
	}
	if age := time.Since(stamped(t, pairs["XroadVnpt-timestamp"])); age < 0 || age > time.Minute {
		t.Errorf("the time-stamp %s is %v old", pairs["XroadVnpt-timestamp"], age)
	}
}

func stamped(t *testing.T, stamp string) time.Time {
	t.Helper()
	when, err := time.ParseInLocation("02012006T150405", stamp[:15], time.FixedZone("", 7*3600))
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// TestASilentAxis is not waited for.
func TestASilentAxis(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"ErrorCode":"0","data":"QUJD`)
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	c, err := New(Config{Name: "a", URL: server.URL, System: "s", Secret: "s", Plain: true, Patience: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.Fetch(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.ReadAll(in); exchange.CodeOf(err) != exchange.Unreachable {
		t.Errorf("an answer that stops: %v", err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	good := Config{Name: "a", URL: "https://axis.example/", System: "s", Secret: "s"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no secret":                       func(c *Config) { c.Secret = "" },
		"no TLS":                          func(c *Config) { c.URL = "http://axis.example/" },
		"no host":                         func(c *Config) { c.URL = "/axis" },
		"a user":                          func(c *Config) { c.URL = "https://a:b@axis.example/" },
		"a query":                         func(c *Config) { c.URL = "https://axis.example/?a" },
		"a system that no header carries": func(c *Config) { c.System = "Sở" },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
