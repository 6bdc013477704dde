// Package httpclient speaks the hub's HTTP API for agencies, operators and
// auditors.
//
// Promises:
//
//   - A refusal of the hub is a *Problem, with its code, rule and place in the
//     document.
//   - A busy hub (429, 503) is asked again, after the time it names in
//     Retry-After or a growing one. A lost connection is tried again only where
//     asking twice does no more than asking once; the context ends all trying.
//   - Content is streamed, goes on where it broke off, and counts only when its
//     digest is the delivery's.
//   - Secrets go over TLS, or to this machine; a redirection is not followed.
//
// What comes from the log is as the hub gave it: who reads tiles through Tiles
// and tlog.TileHashReader checks them against a checkpoint.
package httpclient
