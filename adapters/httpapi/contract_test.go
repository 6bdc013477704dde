package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// registerDecoders lets the validator read what this interface speaks.
func registerDecoders() {
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		b, err := io.ReadAll(body)
		return string(b), err
	}
	openapi3filter.RegisterBodyDecoder("application/xml", text)
	openapi3filter.RegisterBodyDecoder("text/xml", text)
	openapi3filter.RegisterBodyDecoder("text/html", text)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", text)
}

func load(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := strictly()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// strictly reads openapi.yaml and makes it strict: an object has no members but
// those that are described.
func strictly() (*openapi3.T, error) {
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	s := strictness{}
	for _, schema := range doc.Components.Schemas {
		s.schema(schema)
	}
	for _, path := range doc.Paths.Map() {
		for _, operation := range path.Operations() {
			if operation.RequestBody != nil {
				s.content(operation.RequestBody.Value.Content)
			}
			for _, response := range operation.Responses.Map() {
				s.content(response.Value.Content)
			}
		}
	}
	return doc, nil
}

type strictness map[*openapi3.Schema]bool

func (s strictness) content(c openapi3.Content) {
	for _, media := range c {
		s.schema(media.Schema)
	}
}

func (s strictness) schema(r *openapi3.SchemaRef) {
	if r == nil || r.Value == nil || s[r.Value] {
		return
	}
	s[r.Value] = true
	if len(r.Value.Properties) > 0 {
		no := false
		r.Value.AdditionalProperties = openapi3.BoolSchema{Has: &no}
	}
	for _, p := range r.Value.Properties {
		s.schema(p)
	}
	s.schema(r.Value.Items)
}

// contract is a transport that holds every request and answer to openapi.yaml.
type contract struct {
	t      testing.TB
	next   http.RoundTripper
	router routers.Router

	mu   sync.Mutex
	seen map[string]bool // "operation status"
	read int             // refusals in Vietnamese
}

// described is the router over openapi.yaml, made once: that takes long.
var described = sync.OnceValues(func() (routers.Router, error) {
	doc, err := strictly()
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	for _, path := range doc.Paths.InMatchingOrder() { // a tile's number has slashes, which OpenAPI cannot say
		if strings.HasSuffix(path, "/{index}") {
			item := doc.Paths.Value(path)
			doc.Paths.Delete(path)
			doc.Paths.Set(strings.Replace(path, "{index}", "{index:.+}", 1), item)
		}
	}
	return gorillamux.NewRouter(doc)
})

func newContract(t testing.TB, next http.RoundTripper) *contract {
	t.Helper()
	router, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return &contract{t: t, next: next, router: router, seen: map[string]bool{}}
}

func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := drained(req)
	if err != nil {
		return nil, err
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read whole
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.Header.Get("Content-Language") == "vi" && resp.Header.Get("Content-Type") == "application/problem+json" {
		c.inVietnamese(body)
	}
	c.check(req, sent, resp, body)
	return resp, nil
}

// english are words that no refusal in Vietnamese has outside of quotation
// marks, where data stands.
var (
	english = regexp.MustCompile(`\b(the|is|of|not|and|was|are|has|with|from|must|than|only|expected|missing|its|which|neither)\b`)
	quoted  = regexp.MustCompile(`"[^"]*"`)
)

// inVietnamese holds a problem to the language that was asked for.
func (c *contract) inVietnamese(body []byte) {
	c.t.Helper()
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		c.t.Errorf("%v: %s", err, body)
	}
	for _, text := range []string{p.Title, p.Detail} {
		if word := english.FindString(quoted.ReplaceAllString(text, "")); word != "" || !vietnamese.MatchString(text) || strings.Contains(text, "%!") {
			c.t.Errorf("%s says %q, with %q in it", p.Rule, text, word)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read++
}

// drained reads a request's body and puts it back.
func drained(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	sent, err := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(sent))
	return sent, err
}

func (c *contract) check(req *http.Request, sent []byte, resp *http.Response, body []byte) {
	c.t.Helper()
	asked := req.Clone(req.Context())
	asked.URL = &url.URL{Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	if req.Method == http.MethodHead {
		asked.Method = http.MethodGet
	}
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		undescribed := resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed
		if !undescribed && req.URL.Path != "/metrics" { // which is for operators, on a listener of its own
			c.t.Errorf("%s %s is not in openapi.yaml and was answered %d", req.Method, req.URL.Path, resp.StatusCode)
		}
		return
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true}
	in := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: options}
	if resp.StatusCode < 400 {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			c.t.Errorf("%s %s was taken, but is not as described: %v", req.Method, req.URL, err)
		}
	}
	if req.Method == http.MethodHead {
		return // no body to judge
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: options}
	out.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(req.Context(), out); err != nil {
		c.t.Errorf("%s %s: answer %d is not as described: %v\n%s", req.Method, req.URL, resp.StatusCode, err, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[route.Operation.OperationID] = true
}
