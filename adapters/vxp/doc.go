// Package vxp serves the protocol of the national document axis (VXP, VPCP), so
// that software made for it works with the hub when its address is changed.
//
// Parameters of a call travel in headers, each as XroadVnpt-NAME. The client puts
// all of them into one JSON object, XroadVnpt-sign-header, and signs its text
// with HMAC-SHA256 by the secret that it shares with the hub. Nothing else is
// relied on: the SDK leaves parameters of former calls behind and sends some
// headers twice with different values, so the call's own parameter is the one that
// sign-header has under exactly its name.
//
// An SDK object makes its time-stamp once and repeats requests byte for byte, as
// retries and as ordinary polling. So no request is refused as a replay: every
// call may be repeated without harm, and a time-stamp may be old.
//
// The SDK reads the body and nothing else of an answer. All answers are 200 with
// status, ErrorCode and ErrorDesc, of which "0" alone means success; a member that
// it looks for is never missing or null, for that would hide the rest from it.
// Text is ASCII, with \u escapes: one call reads it in the machine's own code page.
package vxp
