package vxp

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

// face serves the calls.
type face struct {
	x   *exchange.Exchange
	now func() time.Time
}

// A Route is one call of the protocol.
type Route struct {
	Method, Path string
	Package      bool // its body is a package
	Serve        func(w http.ResponseWriter, r *http.Request, by exchange.Caller) error
}

// Face is the protocol over an exchange: who asks, what is served, and how a
// refusal is told.
type Face struct {
	Routes []Route
	Caller func(*http.Request) (exchange.Caller, error)
	Refuse func(w http.ResponseWriter, r *http.Request, refused *exchange.Error)
}

// New is the protocol's face of an exchange. now is time.Now when nil.
func New(x *exchange.Exchange, now func() time.Time) Face {
	if now == nil {
		now = time.Now
	}
	f := &face{x: x, now: now}
	const get, post = http.MethodGet, http.MethodPost
	return Face{Caller: f.caller, Refuse: f.refuse, Routes: []Route{
		{post, "/sendEdoc", true, f.sendEdoc},
		{post, "/getReceivedEdocList", false, f.received},
		{post, "/getSentEdocList", false, f.sent},
		{post, getPath, false, f.getEdoc},
		{post, "/updateStatus", false, f.updateStatus},
		{post, "/getAgenciesList", false, f.agencies},
		{post, "/getSynchronizeUnit", false, f.units},
		{post, "/registerAgency", false, f.register},
		{post, "/deleteAgency", false, f.remove},
		{get, "/countReceiveEdoc", false, f.count(false)},
		{get, "/countReceiveStatus", false, f.count(true)},
		{get, "/downloadEdoc", false, f.download},
		{post, "/downloadEdoc", false, f.download},
	}}
}

const getPath = "/getEdoc"

func isGet(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, getPath) }

// asked are a request's parameters. Its body, "{}" or nothing, is read to its end:
// who announced it waits to be asked for it.
func asked(r *http.Request) (parameters, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	s, err := parse(r.Header)
	return s.parameters, err
}

// sendEdoc takes a package in. Sent again it has the same DocId.
func (f *face) sendEdoc(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	s, err := parse(r.Header)
	if err != nil {
		return err
	}
	if s.parameters["hash-file"] == "" {
		return noHash.With()
	}
	submission, err := f.x.Submit(r.Context(), by, newFile(r.Body, s.parameters["hash-file"]))
	if err != nil {
		return err
	}
	answer := good
	answer.DocID = exchange.Package{ID: submission.Package}.DocID()
	// The package is taken in. If it cannot be read back, the list of what was sent
	// still tells of recipients that are not known.
	if view, err := f.x.Package(r.Context(), by, submission.Package); err == nil {
		answer.Text += unreached(view.Package.Unknown)
	}
	return answer.send(w)
}

// unreached names the first few recipients that a package did not go to.
func unreached(unknown []exchange.Recipient) string {
	const most = 20
	if len(unknown) == 0 {
		return ""
	}
	var codes []string
	for _, r := range unknown[:min(most, len(unknown))] {
		codes = append(codes, r.As)
	}
	if len(unknown) > most {
		codes = append(codes, "…")
	}
	return "; không có trong danh bạ nên không chuyển tới: " + strings.Join(codes, ", ")
}

// open is the package that a request asks for.
func (f *face) open(r *http.Request, by exchange.Caller) (exchange.Package, exchange.Content, error) {
	p, err := asked(r)
	if err != nil {
		return exchange.Package{}, nil, err
	}
	return f.x.DocumentContent(r.Context(), by, p["docId"])
}

// getEdoc gives a package out, as base64. It is fetched as often as one likes.
func (f *face) getEdoc(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	pkg, content, err := f.open(r, by)
	if err != nil {
		return err
	}
	defer content.Close()
	head, err := encode(good.Text)
	if err != nil {
		return err
	}
	before, after := `{"status":"OK","ErrorCode":"0","ErrorDesc":`+string(head)+`,"data":"`, `"}`
	length := int64(len(before)+len(after)) + (pkg.Size+2)/3*4
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	if _, err := io.WriteString(w, before); err != nil {
		return nil //nolint:nilerr // the client is gone, and asks again
	}
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(encoder, content); err != nil {
		panic(http.ErrAbortHandler) // an answer that is cut off is taken for none
	}
	if err := encoder.Close(); err == nil {
		_, _ = io.WriteString(w, after) // a client that is gone asks again
	}
	return nil
}

// download gives a package out as it is.
func (f *face) download(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	pkg, content, err := f.open(r, by)
	if err != nil {
		return err
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(pkg.Size, 10))
	if _, err := io.Copy(w, content); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// updateStatus says what became of a package at the client: done hands it over,
// fail leaves it open.
func (f *face) updateStatus(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	p, err := asked(r)
	if err != nil {
		return err
	}
	id := p["docid"] // this call's own; docId may be left from another
	if id == "" {
		id = p["docId"]
	}
	switch p["status"] {
	case "done":
		_, _, err = f.x.TakeOver(r.Context(), by, id)
	case "fail":
		err = f.x.ReportTrouble(r.Context(), by, id)
	default:
		err = badStatus.With(p["status"])
	}
	if err != nil {
		return err
	}
	return good.send(w)
}

// register answers for an agency that is there already: software registers its
// agency whenever it starts.
func (f *face) register(w http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	body, err := io.ReadAll(r.Body) // limited
	if err != nil {
		return err
	}
	var agency struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(body, &agency); err != nil {
		return badHeader.With(err.Error())
	}
	_, err = f.x.Agency(r.Context(), agency.Code)
	if exchange.CodeOf(err) == exchange.NotFound {
		return registered.With(agency.Code)
	}
	if err != nil {
		return err
	}
	return good.send(w)
}

func (f *face) remove(_ http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	p, err := asked(r)
	if err != nil {
		return err
	}
	code := p["AgencyCode"]
	if code == "" {
		code = p["agencyCode"]
	}
	return undeleted.With(code)
}
