package exchange

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tram/signing"
)

var verbs = regexp.MustCompile(`%[a-z]`)

// ruleText is a rule as it stands in the source.
type ruleText struct{ name, code, en, vi string }

// sources are the package's files, without its tests.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	return sourcesIn(t, token.NewFileSet())
}

// sourcesIn are the same, for those who need the places.
func sourcesIn(t *testing.T, places *token.FileSet) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(places, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// rulesIn finds every rule by the variable that holds it.
func rulesIn(t *testing.T, files []*ast.File) map[string]ruleText {
	t.Helper()
	found := map[string]ruleText{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			lit, ok := spec.Values[0].(*ast.CompositeLit)
			if !ok || fmt.Sprint(lit.Type) != "Rule" {
				return true
			}
			var parts [4]string
			for i, el := range lit.Elts {
				switch v := el.(type) {
				case *ast.BasicLit:
					parts[i], _ = strconv.Unquote(v.Value)
				case *ast.Ident:
					parts[i] = v.Name
				}
			}
			found[spec.Names[0].Name] = ruleText{parts[0], parts[1], parts[2], parts[3]}
			return true
		})
	}
	return found
}

func TestEveryRuleHasItsWordsTwice(t *testing.T) {
	rules := rulesIn(t, sources(t))
	text, err := os.ReadFile("rules.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "= Rule{"); len(rules) < n || n < 20 {
		t.Fatalf("found %d rules, rules.go has %d", len(rules), n)
	}
	names := map[string]bool{}
	for variable, r := range rules {
		switch {
		case r.name == "" || r.code == "" || r.en == "" || r.vi == "" || r.en == r.vi:
			t.Errorf("%s has not all its words: %+v", variable, r)
		case names[r.name] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(r.name):
			t.Errorf("%s: %q is no name, or another rule's", variable, r.name)
		}
		names[r.name] = true
		en, vi := verbs.FindAllString(r.en, -1), verbs.FindAllString(r.vi, -1)
		if fmt.Sprint(en) != fmt.Sprint(vi) {
			t.Errorf("%s takes %v in English and %v in Vietnamese", variable, en, vi)
		}
	}
}

// TestEveryRefusalFillsItsWords compares each rule's verbs with the arguments
// that it is called with.
func TestEveryRefusalFillsItsWords(t *testing.T) {
	files := sources(t)
	rules, calls := rulesIn(t, files), 0
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			with, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || with.Sel.Name != "With" {
				return true
			}
			rule, known := rules[fmt.Sprint(with.X)]
			if !known {
				t.Errorf("With is called on %v, which is no rule", with.X)
				return true
			}
			calls++
			if want := len(verbs.FindAllString(rule.en, -1)); len(call.Args) != want {
				t.Errorf("%s takes %d arguments and is given %d", rule.name, want, len(call.Args))
			}
			return true
		})
	}
	if calls < len(rules) {
		t.Errorf("%d refusals found for %d rules: are there rules that nothing refuses by?", calls, len(rules))
	}
}

// TestTheValidatorKnowsEveryRefusalOfAdmission follows the calls that admission
// makes: what they refuse by is what the validator's rules list.
func TestTheValidatorKnowsEveryRefusalOfAdmission(t *testing.T) {
	places := token.NewFileSet()
	files := sourcesIn(t, places)
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	lenient := types.Config{Error: func(error) {}} // other packages are not read
	_, _ = lenient.Check("exchange", places, files, info)
	bodies, byName := map[types.Object]*ast.BlockStmt{}, map[string]types.Object{}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				made := info.Defs[fn.Name].(*types.Func)
				bodies[made], byName[made.FullName()] = fn.Body, made
			}
		}
	}
	rules, refuses := rulesIn(t, files), map[string]bool{}
	// documentOfNumber takes a number that cannot be searched for as one that nobody has.
	seen := map[types.Object]bool{byName["(exchange.Search).check"]: true}
	var follow func(fn types.Object)
	follow = func(fn types.Object) {
		if seen[fn] || bodies[fn] == nil {
			return
		}
		seen[fn] = true
		ast.Inspect(bodies[fn], func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if r, ok := rules[id.Name]; ok {
					refuses[r.name] = true
				}
				follow(info.Uses[id])
			}
			return true
		})
	}
	for _, step := range []string{"sender", "admit", "screen"} {
		follow(byName["(*exchange.Exchange)."+step])
	}
	listed := map[string]bool{}
	for _, h := range admissionRules() {
		listed[h.Rule.Name] = true
	}
	if !maps.Equal(listed, refuses) {
		t.Errorf("the validator's rules are %v, admission refuses by %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(refuses)))
	}
}

func TestErrors(t *testing.T) {
	plain := NotFoundError("package", "x").At("/edXML/To[2]", 7)
	if got := plain.Error(); got != `not-found (not-found): there is no package "x", or it is not yours to see; check the identifier [/edXML/To[2], line 7]` {
		t.Errorf("says %q", got)
	}
	if vi := plain.Text("vi"); !strings.HasPrefix(vi, `không có gói tin "x"`) {
		t.Errorf("in Vietnamese: %q", vi)
	}
	wrapped := fmt.Errorf("reading: %w", plain)
	if CodeOf(wrapped) != NotFound || CodeOf(nil) != "" || CodeOf(io.EOF) != Internal {
		t.Errorf("codes %q, %q, %q", CodeOf(wrapped), CodeOf(nil), CodeOf(io.EOF))
	}
	if !errors.Is(TruncatedError(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF) {
		t.Error("a truncated body forgets its cause")
	}
	if got := (Rule{Name: "x", Code: Malformed, En: "100% wrong"}).With().Text("en"); got != "100% wrong" {
		t.Errorf("words without arguments became %q", got)
	}
}

// TestRefusalsOfReading turns what signing says into the exchange's own words.
func TestRefusalsOfReading(t *testing.T) {
	for _, rule := range signing.Rules() {
		err := &signing.Error{Kind: rule.Kind(), Rule: rule, Path: "/a", Line: 3, Detail: "100%d"}
		var e *Error
		if !errors.As(refusal(fmt.Errorf("reading: %w", err)), &e) {
			t.Fatalf("%s is no refusal", rule)
		}
		if e.Rule.Name != string(rule) || string(e.Code()) != string(rule.Kind()) || e.Path != "/a" || e.Line != 3 {
			t.Errorf("%s became %+v", rule, e)
		}
		for _, lang := range []string{"en", "vi"} {
			if text := e.Text(lang); !strings.HasPrefix(text, rule.Text(lang)) || !strings.HasSuffix(text, "(100%d)") {
				t.Errorf("%s in %s: %q", rule, lang, text)
			}
		}
	}
	if err := refusal(io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF {
		t.Errorf("an error of the disk became %v", err)
	}
}
