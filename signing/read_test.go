package signing

import (
	"os"
	"testing"
)

const nsQCVN = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

// inHeader is where edXML has its signature.
func inHeader() Options {
	return Options{SignatureIn: [][]Name{{{nsQCVN, "edXML"}, {nsQCVN, "edXMLEnvelope"}, {nsQCVN, "edXMLHeader"}}}}
}

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
