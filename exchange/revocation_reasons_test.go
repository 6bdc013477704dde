package exchange

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestEveryRevocationReasonHasWords reads the constants from their file, so that
// a new one cannot be forgotten.
func TestEveryRevocationReasonHasWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "revocation_reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	for _, name := range crlReasons {
		reasons[name] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		declared, ok := n.(*ast.GenDecl)
		if !ok || declared.Tok != token.CONST {
			return true
		}
		for _, spec := range declared.Specs {
			text, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil || reasons[text] {
				t.Errorf("%s: %v, or a reason twice", text, err)
			}
			reasons[text] = true
		}
		return true
	})
	if len(reasons) != len(revocationWords) {
		t.Errorf("%d reasons, %d with words", len(reasons), len(revocationWords))
	}
	for reason := range reasons {
		words := RevocationWords(reason)
		if words.En == "" || words.Vi == "" || words.En == reason || words.En == words.Vi {
			t.Errorf("%s has no words of its own: %+v", reason, words)
		}
	}
	if got := RevocationWords("elsewhere"); got.In("vi") != "elsewhere" {
		t.Errorf("a strange reason is %+v", got)
	}
	if got := CRLReason(7); got != "unspecified" {
		t.Errorf("reason 7 is %q", got)
	}
}
