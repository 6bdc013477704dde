package httpapi

import (
	"reflect"
	"testing"
)

func TestPagesHaveAllTheirWords(t *testing.T) {
	vi, en := reflect.ValueOf(pageWords["vi"]), reflect.ValueOf(pageWords["en"])
	for i := range vi.NumField() {
		if a, b := vi.Field(i).String(), en.Field(i).String(); a == "" || b == "" || a == b {
			t.Errorf("%s is %q in Vietnamese and %q in English", vi.Type().Field(i).Name, a, b)
		}
	}
}
