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
// "receipt" are identifiers in 16 bytes (ids.go), and need no zero byte after
// them; "delivery" is the package and the recipient's place in four bytes; "leaf"
// is five bytes, "time" is twelve: seconds and nanoseconds; all big-endian. Package
// and receipt identifiers are UUIDs of version 7, so their order is that of time.
//
//	bucket                  key                                          value
//	meta                    "format"                                     number of the format, decimal
//	                        "block"                                      packages in a block of the search index, decimal
//	                        "erased-to"                                  the greatest package up to which all are erased
//	packages                package                                      exchange.Package, record
//	package-numbers         number of acceptance / 16, five bytes        packages, one after another
//	search-postings         block in four bytes, hash of a term          which packages of the block have the term
//	search-blocks           block, in five bytes                         first and last second of acceptance, by stretches
//	senders                 sender, package                              -
//	documents               sender, half a digest of document, "x"       leaf of the acceptance: a package has the identifier to itself
//	                        the same, "c" half a digest                  leaf of the acceptance: others, by kind and content
//	                        the same, "p" package                        -       others, by age
//	contents                half the digest of the bytes, package        -
//	deliveries              delivery                                     exchange.Delivery, record
//	delivery-states         state in one byte, delivery                  -       but not what was handed over
//	delivery-recipients     recipient, delivery                          -
//	inbox                   recipient, "0" if urgent else "1" delivery   -       consigned ones only
//	due                     recipient, time delivery                     -       open ones only
//	counts                  state                                        number of deliveries, decimal
//	                        "orphans"                                    number of packages in orphans, decimal
//	                        "unstamped"                                  number of receipts in unstamped, decimal
//	log                     leaf                                         receipt with its document, packed, or action; records
//	receipt-leaves          receipt                                      leaf    the newest, and those that marks do not find
//	receipt-marks           leaf / 64, five bytes                        half the receipt in the middle of these leaves
//	package-receipts        package                                      number of acceptance and one; leaves, by their distances
//	unstamped               receipt                                      leaf    those that wait for a time-stamp only
//	time-stamps             receipt                                      time-stamp token, DER
//	actions                 leaf                                         -
//	hashes                  255 - level / 4 in one byte, place / 16      hashes of the tree, 16 or as many as there are
//	shapes                  number, four bytes                           length of the label, label, exemplar; or a part of many records
//	agencies                code                                         exchange.Agency, JSON
//	agency-codes            code or alias                                code
//	agency-certificates     digest                                       code
//	agency-subjects         attribute's type, its value, code            code
//	systems                 system                                       exchange.System, JSON
//	system-certificates     digest                                       system
//	users                   user                                         exchange.User, JSON
//	rechecks                recheck                                      exchange.Recheck, JSON
//	erasures                package                                      exchange.Erasure, JSON
//	orphans                 package                                      -       status packages without a document only
//	rechecks-due            time, recheck                                recheck, open ones only
//
// Records are described in codec.go and listed in records.go, packed documents in
// squeeze.go. What the registry holds is little and stays JSON.
//
// Nothing that can be made again is kept. A leaf's bytes are made from the receipt
// or action that it records, and the tree's inner hashes from chunks of 16 (tree.go).
// A receipt's document is kept as what it does not have in common with its record,
// its package's record and an exemplar of its shape, and what does not follow from
// itself, as the digests in its seal do (parts.go). What a receipt rests on is
// never changed and never removed: shapes, the order of words, and what knownOf takes
// of packages. A purge leaves that as it is (exchange.Package.Purge), and takes the
// rest: the page that held it is free, and overwritten by what comes, or left out of
// the file that Compact makes.
//
// Receipts are found by their time (receiptindex.go), and an agency's deliveries as
// those of its packages.
//
// An agency's pages, of senders, delivery-recipients, inbox, due and documents, are
// its own: each delivery changes some five pages that a group of
// deliveries between other agencies does not. The page of contents is one among
// all, for digests have no order. All other buckets grow at their end.
//
// # Searching
//
// Packages are numbered as they are accepted. The search index has, for each full
// block of 16,384 numbers and each term (a word, a number with the word beside it,
// an agency, an identifier; exchange.SearchTerms), the set of those that have it,
// under a hash of the term. A block is written once, behind the writer's back, when
// it is full, and only what is purged leaves it; the newest one is in memory and is
// filled again when the ledger is opened, and when something was purged. So the
// acceptance of a package writes its number and nothing else of the index. A search
// intersects sets from the newest block to the oldest and reads the records of what
// is left: they decide, the index only spares reading. States change and are not in
// it: a state with few deliveries is a set of packages too, of one with many the
// deliveries are asked.
package bolt
