// Package httpapi serves the exchange over HTTP: to agencies' systems, to the
// people who operate and audit the hub, and to anyone who checks its log.
//
// openapi.yaml is the contract; it is served at /openapi.yaml. A handler
// decodes, makes one call of the exchange and encodes; what may be done is
// decided there. The table in routes.go says for every route who may come so
// far.
//
// Promises:
//
//   - A body is never held in memory whole, except JSON and acknowledgements,
//     which are small. A body that is announced too long is refused unread, one
//     that becomes too long or comes too slowly is cut off.
//   - Every refusal is a problem document (RFC 9457) with a stable code and
//     rule, in Vietnamese or English. An error without a code is on record
//     under the request's identifier and says nothing of the hub's inside.
//   - A request is logged once, at its end: who, what, how long; never content.
//   - An answer that nobody reads ends; one that is being read does not.
package httpapi
