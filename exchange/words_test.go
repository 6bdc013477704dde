package exchange

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// english are words that only English has here; quoted is what is data.
var (
	english = regexp.MustCompile(`\b(the|is|of|not|and|was|are|has|with|from|must|than|only|expected|missing|its|which|neither)\b`)
	quoted  = regexp.MustCompile(`"[^"]*"`)
)

func vietnameseOnly(t *testing.T, text string) {
	t.Helper()
	if word := english.FindString(quoted.ReplaceAllString(text, "")); word != "" {
		t.Errorf("English (%q) in %q", word, text)
	}
}

// textOf joins the string literals of an expression.
func textOf(e ast.Expr) string {
	var b strings.Builder
	ast.Inspect(e, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			b.WriteString(text)
		}
		return true
	})
	return b.String()
}

// inBothLanguages reports whether an argument of a refusal is data or Words: any
// other text would be English in a Vietnamese sentence.
func inBothLanguages(e ast.Expr) bool {
	switch v := e.(type) {
	case *ast.CompositeLit:
		return fmt.Sprint(v.Type) == "Words"
	case *ast.IndexExpr:
		return fmt.Sprint(v.X) == "deeds"
	case *ast.CallExpr:
		if f := fmt.Sprint(v.Fun); f == "noun" || f == "ofAgency" {
			return true
		}
	}
	return textOf(e) == ""
}

func TestNoArgumentIsInOneLanguageOnly(t *testing.T) {
	withs, invalid, words := 0, 0, 0
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && fmt.Sprint(lit.Type) == "Words" && len(lit.Elts) == 2 {
				words++
				vietnameseOnly(t, textOf(lit.Elts[1]))
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			args := call.Args
			switch fun := call.Fun.(type) {
			case *ast.SelectorExpr:
				if fun.Sel.Name != "With" {
					return true
				}
				withs++
			case *ast.Ident:
				if fun.Name != "InvalidError" {
					return true
				}
				invalid++
				en, vi := textOf(args[0]), textOf(args[1])
				args = args[2:]
				vietnameseOnly(t, vi)
				if v := verbs.FindAllString(en, -1); fmt.Sprint(v) != fmt.Sprint(verbs.FindAllString(vi, -1)) || len(v) != len(args) {
					t.Errorf("%q and %q do not take the same %d arguments", en, vi, len(args))
				}
				if en == vi || !strings.Contains(vi, "hãy ") {
					t.Errorf("%q does not say what to do", vi)
				}
			default:
				return true
			}
			for _, arg := range args {
				if !inBothLanguages(arg) {
					t.Errorf("a refusal is given %q, in one language only", textOf(arg))
				}
			}
			return true
		})
	}
	if withs < 30 || invalid < 10 || words < 10 {
		t.Fatalf("looked at %d refusals, %d invalid entries, %d words", withs, invalid, words)
	}
}

func TestVietnameseWordsAreVietnamese(t *testing.T) {
	for _, r := range rulesIn(t, sources(t)) {
		vietnameseOnly(t, r.vi)
		if !strings.Contains(r.vi, "hãy ") || !strings.Contains(r.en, "; ") {
			t.Errorf("%s does not say what to do", r.name)
		}
	}
	for en, vi := range nouns {
		vietnameseOnly(t, vi)
		if err := NotFoundError(en, "x"); !strings.HasPrefix(err.Text("en"), "there is no "+en) || !strings.HasPrefix(err.Text("vi"), "không có "+vi) {
			t.Errorf("%s: %q, %q", en, err.Text("en"), err.Text("vi"))
		}
	}
	for verb, w := range deeds {
		vietnameseOnly(t, w.Vi)
		if w.En == "" || w.Vi == "" {
			t.Errorf("%s has not all its words: %+v", verb, w)
		}
	}
	if err := NotFoundError("thing", "x"); !strings.HasPrefix(err.Text("vi"), `không có mục "x"`) {
		t.Errorf("what has no word: %q", err.Text("vi"))
	}
	if err := ConflictError("delivery", "x.1"); !strings.HasPrefix(err.Text("vi"), "lượt chuyển x.1 ") || !strings.HasPrefix(err.Text("en"), "delivery x.1 ") {
		t.Errorf("a conflict: %q, %q", err.Text("vi"), err.Text("en"))
	}
}

// TestEveryDeedHasItsWords finds the verbs that actions are recorded under.
func TestEveryDeedHasItsWords(t *testing.T) {
	found := 0
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || (fun.Sel.Name != "operate" && fun.Sel.Name != "register") {
				return true
			}
			verb := textOf(call.Args[2])
			found++
			if deeds[verb].En == "" {
				t.Errorf("%s by %q, which has no words", fun.Sel.Name, verb)
			}
			return true
		})
	}
	if found < 9 {
		t.Errorf("found %d actions", found)
	}
}
