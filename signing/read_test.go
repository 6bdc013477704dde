package signing

import (
	"os"
	"testing"
)

func TestSample(t *testing.T) {
	f, err := os.Open("../testdata/samples/new-signed.edxml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Read(f, inHeader())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", d.Signature)
}
