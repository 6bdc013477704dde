// Package httpclient speaks the hub's HTTP API for agencies, operators and
// auditors. The agency, auditor and hub commands are made with it.
//
// # A document's way
//
// The sender's system makes a signed package (edxml.Write and signing.Sign, or
// software of its own) and keeps its bytes. Submit sends them and returns the
// hub's receipt: the hub has the package, durably, and answers for it. The
// recipient's system waits in Inbox, gets the bytes with FetchFile, makes them
// durable, and says so with Acknowledge: an exchange.NewAcknowledgement, sealed
// with the agency's key (signing.NewSealer). The receipt of that, like all others,
// is among the Receipts of the package for both sides. Example shows it whole.
//
// # Trying again
//
// A busy hub (429, 503) is asked again, after the time that it names in
// Retry-After or a growing one, Config.Attempts times. A lost connection is tried
// again only where asking twice does no more than asking once. That is every call
// that reads, Submit of what can be wound back (an io.Seeker), and Acknowledge.
// After the last attempt, or after a crash, call Submit or Acknowledge with the
// identical bytes: the hub returns the first receipt, byte for byte. A package
// that is signed again has other bytes, and is a duplicate. Calls that change
// something for operators (Hold, PutAgency, …) are not repeated; look first.
//
// # Errors
//
// A refusal of the hub is a *Problem, with a stable code and rule, words in the
// Config's Language, the place in the document, and the receipt that attests to
// it. errors.Is compares codes:
//
//	errors.Is(err, &httpclient.Problem{Code: exchange.Duplicate})
//
// What Fetch got that is not what was announced is a *DigestError. Other errors
// are of the network, of TLS, of the disk, or the context's.
//
// # Streams and waits
//
// Submit and Fetch stream: memory does not grow with a package. There is no
// time-out over a whole call, as packages may be large; the context is the limit.
// A download whose content stops flowing for a minute goes on by a new request
// where it broke off, and FetchFile also after a crash. Inbox waits at the hub for
// something to come; with something in it, it answers at once.
//
// # What is verified
//
// A receipt that Submit or Acknowledge returns has a seal whose mathematics hold.
// Whose seal it is, is for the caller: keep the hub's Keys, compare them once with
// what its operators say by another way, and look the certificate up in
// exchange.Keys.Seals. exchange.VerifyProof shows that a receipt is in the log.
// Example does both. Tiles and tlog.TileHashReader check what comes from the log
// against a checkpoint.
//
// # Use
//
// A Client is made by New, and its zero value is of no use; the zero value of each
// field of Config is said there. All its methods may be called by several
// goroutines at once, but a Tiles is for one. Close gives idle connections back
// and may be left out. Secrets go over TLS, or to this machine; a redirection is
// not followed.
//
// The module's path is tram, which no proxy knows. Another module imports it from
// a checkout beside it:
//
//	go mod edit -require tram@v0.0.0 -replace tram=../tram
//	go mod tidy
//
// or with both in one workspace (go work init . ../tram); go mod vendor copies
// what is used.
package httpclient
