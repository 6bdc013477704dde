// Package axis is a client of the national document axis's protocol (VXP, VPCP):
// the hub sends packages to another axis through it, and fetches what is there.
//
// A call's parameters travel in headers, each as XroadVnpt-NAME, signed together
// with HMAC-SHA256 by the secret shared with the axis. Names, their order in
// sign-header, and values are those of the SDK, as it was recorded. Not sent are
// its Expect, Pragma, Cache-Control and Accept-Encoding, which the protocol does
// not need; the order of header lines is Go's.
//
// Every call may be repeated: an axis answers sendEdoc of the same document with
// the first DocId, and marks what was marked before. So nothing is tried again in
// here; who calls does, when it suits.
//
// Errors have the code refused if asking again cannot help, unauthenticated if the
// axis does not know the system or its secret, and unreachable if it may help.
package axis
