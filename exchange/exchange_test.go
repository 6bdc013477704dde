package exchange

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIdentifiersGrow(t *testing.T) {
	x := &Exchange{c: Config{Random: rand.NewChaCha8([32]byte{})}}
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	last := ""
	for i := range 20_000 { // more than a millisecond can count
		at := noon
		if i%3 == 2 {
			at = noon.Add(-time.Hour) // the clock is set back
		}
		id, err := x.newID(at)
		if err != nil || !shape.MatchString(id) || id <= last {
			t.Fatalf("%s after %s, %v", id, last, err)
		}
		last = id
	}
	id, err := x.newID(noon.Add(time.Hour))
	if want := fmt.Sprintf("%012x", noon.Add(time.Hour).UnixMilli()); err != nil || strings.ReplaceAll(id, "-", "")[:12] != want {
		t.Errorf("%s does not begin with its time, %s, %v", id, want, err)
	}
}

func TestIdentifiersAreMadeByManyAtOnce(t *testing.T) {
	x := &Exchange{c: Config{Random: zeros{}}}
	var all sync.Map
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 500 {
				id, err := x.newID(noon)
				if _, twice := all.LoadOrStore(id, true); twice || err != nil {
					t.Errorf("%s twice, %v", id, err)
				}
			}
		})
	}
	wait.Wait()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type noRandom struct{}

func (noRandom) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWithoutRandomnessNothingIsIdentified(t *testing.T) {
	x := &Exchange{c: Config{Random: noRandom{}}}
	if id, err := x.newID(noon); id != "" || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%q, %v", id, err)
	}
	if j := x.jitter(); j != 0 {
		t.Errorf("jitter %v", j)
	}
	if _, _, err := NewSecret(noRandom{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a secret: %v", err)
	}
}
