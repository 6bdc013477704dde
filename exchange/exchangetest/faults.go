package exchangetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// ErrInjected is what a failed call returns, wrapped with the call's name. It
// has no code: to the exchange it is an internal error.
var ErrInjected = errors.New("injected fault")

// When says on which side of its work a call fails.
type When int

const (
	// Before the work: nothing happened, and the caller is told that it failed.
	Before When = iota
	// After the work: all of it happened, and the caller is told that it failed,
	// as when an answer is lost. Results are withheld.
	After
)

func (w When) String() string {
	if w == After {
		return "after"
	}
	return "before"
}

// Faults fails one call to the ports it wraps, once. Calls to all ports are
// counted together, from 1, in the order in which they begin. Counted are:
//
//   - Ledger: every method; reading hashes through LogHashes counts, getting the
//     reader does not.
//   - Vault: Create, Open, Sweep, Backup, Free; of a Draft, Write and Keep.
//     Discard cannot fail, and reading Content is not wrapped.
//   - Queue: Publish. Consume is passed through: it has no end that could fail.
//   - Courier: Send.
//
// A call that fails by itself is not made to fail again, and the fault counts as
// done. To meet the same call in every run, a test calls the exchange from one
// goroutine and does not start Exchange.Run; it calls Deliver and Sweep itself.
type Faults struct {
	nth  int
	when When

	mu    sync.Mutex
	calls []string
	done  bool
}

// NewFaults fails the nth call; 0 fails none and only counts.
func NewFaults(nth int, when When) *Faults { return &Faults{nth: nth, when: when} }

// Calls are the names of the calls so far, for example "Ledger.Accept".
func (f *Faults) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Happened reports whether the call that was to fail was made.
func (f *Faults) Happened() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// EachFault runs once without a fault, and then once for every call that this
// first run made and each side of its work. run makes its own stores, wraps them
// with f, does what is tested, expects at most one failure, and checks what is
// left. It must make the same calls each time, up to the one that fails.
func EachFault(t *testing.T, run func(t *testing.T, f *Faults)) {
	none := NewFaults(0, Before)
	if !t.Run("no fault", func(t *testing.T) { run(t, none) }) {
		return // what fails without a fault says nothing about faults
	}
	for n, name := range none.Calls() {
		for _, when := range []When{Before, After} {
			t.Run(fmt.Sprintf("%s call %d, %s", when, n+1, name), func(t *testing.T) {
				f := NewFaults(n+1, when)
				run(t, f)
				if !f.Happened() {
					t.Errorf("the run made only %d calls: %v", len(f.Calls()), f.Calls())
				}
			})
		}
	}
}

// call counts a call and makes it, unless it is the one to fail.
func call(f *Faults, name string, work func() error) error {
	_, err := call1(f, name, func() (struct{}, error) { return struct{}{}, work() })
	return err
}

// call1 is call for work with a result.
func call1[T any](f *Faults, name string, work func() (T, error)) (T, error) {
	var none T
	fails, when := f.begin(name)
	if fails && when == Before {
		return none, fmt.Errorf("%s: %w before its work", name, ErrInjected)
	}
	v, err := work()
	if err != nil {
		return v, err
	}
	if fails {
		return none, fmt.Errorf("%s: %w after its work", name, ErrInjected)
	}
	return v, nil
}

func (f *Faults) begin(name string) (fails bool, when When) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
	fails = len(f.calls) == f.nth
	f.done = f.done || fails
	return fails, f.when
}
