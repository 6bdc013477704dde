package bolt

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// goldenReceipts are of every kind that the hub issues.
func goldenReceipts(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "receipts", "*.xml"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	var list [][]byte
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

var someKnown = known{texts: []string{"0197a1b2-c3d4-7000-8000-000000000001", "0197a1b2-c3d4-7000-8000-000000000000", "H12.07", ""}, values: [][]byte{make([]byte, 32)}}

// TestReceiptsAreSqueezed uses golden receipts, sealed by RSA: their signatures
// alone have 256 bytes.
func TestReceiptsAreSqueezed(t *testing.T) {
	t.Parallel()
	s := newShapes()
	for range 2 {
		for _, raw := range goldenReceipts(t) {
			packed, _ := s.pack(raw, "receipt", someKnown)
			text, err := s.unpack(packed, someKnown)
			if err != nil || !bytes.Equal(text, raw) {
				t.Fatalf("%d bytes came back as %d, %v", len(raw), len(text), err)
			}
			if len(packed) > 750 { // the longest has the identifier of another axis too
				t.Errorf("a text of %d bytes takes %d", len(raw), len(packed))
			}
		}
	}
	if len(s.numbers) > 8 {
		t.Errorf("the receipts made %d shapes", len(s.numbers))
	}
}

// TestAnyTextComesBack changes receipts as no hub writes them, and squeezes what
// is no receipt at all.
func TestAnyTextComesBack(t *testing.T) {
	t.Parallel()
	s, golden := newShapes(), goldenReceipts(t)
	rapid.Check(t, func(t *rapid.T) {
		text := bytes.Clone(rapid.SampledFrom(golden).Draw(t, "receipt"))
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			end := min(len(text), at+rapid.SampledFrom([]int{0, 1, 3, 40, 300}).Draw(t, "cut"))
			text = append(append(text[:at:at], rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "put")...), text[end:]...)
		}
		checkPacking(t, s, text)
	})
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.SampledFrom([]string{"<", ">", `"`, "<a b=\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "0197a1b2-c3d4-7000-8000-000000000001",
			"2026-11-20T02:20:36.120Z", "2026-11-20T02:20:36Z", "2026-02-30T02:20:36Z", "PEFja25vd2xlZGdlbWVudD4NCgE8L0Fja25vd2xlZGdlbWVudD4=", "</element-of-a-name>"}), rapid.String())
		var text []byte
		for _, w := range rapid.SliceOf(word).Draw(t, "words") {
			text = append(text, w...)
		}
		checkPacking(t, s, text)
	})
}

func checkPacking(t interface{ Fatalf(string, ...any) }, s *shapes, text []byte) {
	packed, _ := s.pack(text, "receipt", someKnown)
	again, err := s.unpack(packed, someKnown)
	if err != nil || !bytes.Equal(again, text) {
		t.Fatalf("%q came back as %q, %v", text, again, err)
	}
	if len(packed) > len(text)+1 {
		t.Fatalf("%d bytes take %d", len(text), len(packed))
	}
}

func FuzzSqueeze(f *testing.F) {
	golden := goldenReceipts(f)
	for _, raw := range golden {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newShapes()
		s.pack(golden[0], "receipt", known{})
		checkPacking(t, s, text)
	})
}

// FuzzUnpack reads what was damaged: an error or another text, and nothing worse.
func FuzzUnpack(f *testing.F) {
	s := newShapes()
	for _, raw := range goldenReceipts(f) {
		packed, _ := s.pack(raw, "receipt", someKnown)
		f.Add(packed)
		packed, _ = s.pack(bytes.ReplaceAll(raw, []byte("Sở"), []byte("Uỷ ban")), "receipt", someKnown)
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		if text, err := s.unpack(packed, someKnown); err == nil && len(text) > 2*mostUnpacked {
			t.Errorf("%d bytes came back as %d", len(packed), len(text))
		}
	})
}

// TestWhatFollowsFromASealedTextIsNotKept: of a seal stays the value, the time, and
// what all seals of the signatory have.
func TestWhatFollowsFromASealedTextIsNotKept(t *testing.T) {
	t.Parallel()
	for _, raw := range goldenReceipts(t) {
		p := takeApart(raw, 0, nil)
		if bytes.Count(p.seal, []byte{markDigest}) != 1 || bytes.Count(p.seal, []byte{markProperties}) != 1 ||
			bytes.Count(p.seal, []byte{markSealed}) != 4 || bytes.Count(p.properties, []byte{markSealed}) != 2 {
			t.Errorf("a seal was left as %q and %q", p.seal, p.properties)
		}
	}
	province := newProvince(t)
	w := province.way()
	p := takeApart(w.receipts[1].Raw, 0, nil)
	if p.form != formSealed|formWithin || bytes.Count(p.body, []byte{markOfWithin}) != 1 || takeApart(p.within, 1, nil).form != formSealed {
		t.Errorf("a handover was taken apart as %d, its body is %q", p.form, p.body)
	}
}
