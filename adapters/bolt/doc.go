// Package bolt keeps the ledger in one bbolt file.
//
// Promises, beside those of exchange.Ledger:
//
//   - The file has one process. A second one is told so within a second.
//   - Writes go through one goroutine that commits in groups: it takes whatever
//     waits and keeps it in one transaction, so that one sync serves many
//     writers. Nothing is delayed on purpose; who comes while a commit is under
//     way is in the next group.
//   - An operation is checked whole before its first change. One that is refused
//     leaves no trace and does not disturb its group. If a transaction fails, all
//     of its operations fail and no other.
//   - Reads, of the log too, return only what is synced. bbolt shows a commit to
//     readers shortly before it is on the disk; a read that saw one waits for the
//     sync, after its own transaction has ended.
//   - If a commit became visible and its sync failed, nobody can tell what is on
//     the disk. The ledger then refuses everything until it is opened again.
//   - No read transaction stays open while something is waited for, except for
//     Backup and Check: while one is open, the file cannot reuse freed pages.
//
// # Buckets
//
// Parts of a key are joined by a zero byte, which no part may hold. "package" and
// "receipt" are identifiers in 16 bytes, and need no zero byte after them;
// "delivery" is the package and the recipient's place in four bytes; "leaf" and "node" are eight bytes, "time" is twelve: seconds and
// nanoseconds; all big-endian. Package and receipt identifiers are UUIDs of
// version 7, so their order is that of time.
//
//	bucket                  key                                          value
//	meta                    "format"                                     number of the format, decimal
//	                        "block"                                      packages in a block of the search index, decimal
//	                        "erased-to"                                  the greatest package up to which all are erased
//	packages                package                                      exchange.Package, JSON
//	package-numbers         number of acceptance, from 0                 package
//	numbers-of-packages     package                                      the same number
//	search-postings         block in four bytes, hash of a term          which packages of the block have the term
//	search-blocks           block, eight bytes                           first and last second of acceptance, by stretches
//	senders                 sender, package                              -
//	documents               sender, document, "c", kind, content digest  receipt of the acceptance
//	                        sender, document, "p", package               -
//	                        sender, document, "x"                        package that has the identifier to itself
//	contents                digest of the bytes, package                 -
//	deliveries              delivery                                     exchange.Delivery, JSON
//	delivery-states         state, delivery                              -
//	delivery-senders        sender, delivery                             -
//	delivery-recipients     recipient, delivery                          -
//	inbox                   recipient, "0" if urgent else "1", delivery  -       consigned ones only
//	due                     recipient, time, delivery                    -       open ones only
//	counts                  state                                        number of deliveries, decimal
//	                        "unstamped"                                  number of receipts in unstamped, decimal
//	receipts                receipt                                      exchange.Receipt, JSON
//	receipt-raw             receipt                                      the sealed document
//	package-receipts        package, leaf                                receipt
//	unstamped               receipt                                      -       those that wait for a time-stamp only
//	time-stamps             receipt                                      time-stamp token, DER
//	agencies                code                                         exchange.Agency, JSON
//	agency-codes            code or alias                                code
//	agency-certificates     digest                                       code
//	agency-subjects         attribute's type, its value, code             code
//	systems                 system                                       exchange.System, JSON
//	system-certificates     digest                                       system
//	users                   user                                         exchange.User, JSON
//	rechecks                recheck                                      exchange.Recheck, JSON
//	erasures                package                                      exchange.Erasure, JSON
//	rechecks-due            time, recheck                                recheck, open ones only
//	actions                 leaf                                         exchange.Action, JSON
//	leaves                  leaf                                         exchange.LogEntry, its bytes
//	hashes                  node (tlog.StoredHashIndex)                  hash of the tree, 32 bytes
//
// A "c" entry recognises a resubmission, an "x" entry keeps a new or replacing
// document's identifier for one package, "p" entries find a document's packages;
// they share a prefix so that one page serves all three. Digests in keys are
// their 32 bytes; what follows one needs no zero byte before it. ids.go has how identifiers of packages and
// receipts are written.
//
// # Searching
//
// Packages are numbered as they are accepted. The search index has, for each full
// block of 16,384 numbers and each term (a word, a number, an agency, an
// identifier; exchange.SearchTerms), the set of those that have it, under a hash of
// the term. A block is written once, behind the writer's back, when it is full, and
// never changes; the newest one is in memory and is filled again when the ledger
// is opened. So the acceptance of a package writes its number and nothing else of
// the index. A search intersects sets from the newest block to the oldest and reads
// the records of what is left: they decide, the index only spares reading. States
// change and are not in it: a state with few deliveries is a set of packages too,
// of one with many the deliveries are asked.
package bolt
