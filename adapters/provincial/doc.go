// Package provincial is the REST protocol of provincial document hubs (after the
// guide of Lạng Sơn, version 2.2, 2026), over the same exchange as /v1.
//
// A system logs in with its identifier and secret, and gets a token for half an
// hour. Every later call carries three things: the token ("Authorization: Bearer"),
// X-SystemId and X-SecretKey. Tokens are stateless and signed (JWT, HS256), so that
// any node of a hub takes those of another.
//
// A docId is exchange's: the sender's names the package, a recipient's its delivery.
// Sending the same package again, here or at /v1, returns the same docId. updateStatus
// "done" hands a delivery over on the authenticated system's word; "fail" is noted,
// and leaves it open. Lists without dates are of what is not done yet; lists with
// dates of all that came in them.
//
// Failures have an HTTP status (4xx: do not repeat it, 5xx: come again), the
// protocol's number and words in Vietnamese, with the English ones behind.
package provincial
