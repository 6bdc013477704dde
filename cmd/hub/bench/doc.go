// Package bench drives load against a hub over HTTPS, as agencies' systems do,
// and says what the hub's process spends on it, beside what the machine can do at
// best.
//
// The hub is another process: it is watched from outside, by what Linux keeps of
// it in /proc and by the profiles that it serves. The load is one goroutine for
// each connection, which writes a request and reads its answer, so that little of
// the machine goes to making the load. Every answer's status and identifiers are
// checked, every content's digest, and the final state of every delivery; one
// receipt in a hundred is verified whole.
package bench
