package httpapi

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tram/exchange"
)

// parameter is a parameter in gin's paths.
var parameter = regexp.MustCompile(`[:*]([a-z]+)`)

func TestEveryRouteIsDescribedAndNamesWhoMayCome(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	undescribed := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			undescribed[method+" "+path] = operation
		}
	}
	s := &Server{x: &exchange.Exchange{}}
	for _, r := range s.routes() {
		name := r.method + " " + parameter.ReplaceAllString(r.path, "{$1}")
		operation := undescribed[name]
		if operation == nil {
			t.Errorf("%s is served and not described", name)
			continue
		}
		delete(undescribed, name)
		if r.who == nobody {
			t.Errorf("%s names nobody who may come", name)
		}
		if got, want := security(doc, operation), schemes[r.who]; got != want {
			t.Errorf("%s is for %s: its security is %q, not %q", name, permissions[r.who].en, got, want)
		}
		if takes := operation.RequestBody != nil; takes != (r.takes != noBody) {
			t.Errorf("%s: described as taking a body is %v", name, takes)
		}
	}
	for name := range undescribed {
		t.Errorf("%s is described and not served", name)
	}
}

// schemes are the security schemes of a permission.
var schemes = map[permission]string{
	public: "", anyone: "certificate system user", systems: "certificate system",
	guests: "certificate system user",
	people: "user", operators: "user", administrators: "user",
}

func security(doc *openapi3.T, o *openapi3.Operation) string {
	requirements := doc.Security
	if o.Security != nil {
		requirements = *o.Security
	}
	var names []string
	for _, r := range requirements {
		for name := range r {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func TestPermissions(t *testing.T) {
	system := exchange.Caller{System: &exchange.System{ID: "s"}}
	person := func(r exchange.Role) exchange.Caller { return exchange.Caller{User: &exchange.User{ID: "u", Role: r}} }
	for _, tt := range []struct {
		name     string
		by       exchange.Caller
		admitted string
	}{
		{"the public", exchange.Caller{}, "anyone, anyone"},
		{"a system", system, "anyone, systems and users, agencies' systems, anyone"},
		{"an auditor", person(exchange.Auditor), "anyone, systems and users, users, anyone"},
		{"an operator", person(exchange.Operator), "anyone, systems and users, users, operators, anyone"},
		{"an administrator", person(exchange.Administrator), "anyone, systems and users, users, operators, administrators, anyone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var admitted []string
			for p := nobody; p <= guests; p++ {
				if p.admits(tt.by) {
					admitted = append(admitted, permissions[p].en)
				}
			}
			if got := strings.Join(admitted, ", "); got != tt.admitted {
				t.Errorf("admitted to %q, not %q", got, tt.admitted)
			}
		})
	}
}

func TestEveryCodeHasItsAnswer(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, code := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		described[code.(string)] = true
	}
	for code, a := range answers {
		if a.status < 400 || http.StatusText(a.status) == "" || a.en == "" || a.vi == "" || a.en == a.vi {
			t.Errorf("%s is answered %+v", code, a)
		}
		if !described[string(code)] {
			t.Errorf("%s is not described", code)
		}
	}
	if len(described) != len(answers) {
		t.Errorf("%d codes are described, %d answered", len(described), len(answers))
	}
}

func TestTileIndex(t *testing.T) {
	for _, tt := range []struct {
		path  string
		n     int64
		width int
		ok    bool
	}{
		{"/000", 0, 256, true},
		{"/067", 67, 256, true},
		{"/067.p/8", 67, 8, true},
		{"/x001/x234/067", 1234067, 256, true},
		{"/x001/000.p/255", 1000, 255, true},
		{"/x999/x999/x999/x999/x999/999", 999999999999999999, 256, true},
		{"/x001/x999/x999/x999/x999/x999/999", 0, 0, false},
		{"/67", 0, 0, false},
		{"/0067", 0, 0, false},
		{"/x067", 0, 0, false},
		{"/001/067", 0, 0, false},
		{"/x000/067", 0, 0, false},
		{"/067.p/256", 0, 0, false},
		{"/067.p/0", 0, 0, false},
		{"/067.p/08", 0, 0, false},
		{"/067.p/", 0, 0, false},
		{"/067.p/1/2", 0, 0, false},
		{"/+67", 0, 0, false},
		{"/-01", 0, 0, false},
		{"/", 0, 0, false},
	} {
		if n, width, ok := tileIndex(tt.path); n != tt.n || width != tt.width || ok != tt.ok {
			if ok || tt.ok {
				t.Errorf("tileIndex(%q) = %d, %d, %v", tt.path, n, width, ok)
			}
		}
	}
}
