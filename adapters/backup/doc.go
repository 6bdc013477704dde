// Package backup writes backups of a hub's ledger and vault while they are in
// use, and restores them.
//
// A directory of backups:
//
//	vault/                       packages' bytes, shared by all backups: a vault
//	20261125T150405.123Z/        one backup, named for its time
//	  ledger.db                  the ledger
//	  keys.age                   keys and configuration, encrypted; if asked for
//	  manifest.json              what is here: sizes, digests, the log's checkpoint
//
// Promises:
//
//   - A backup has its name when all of it, the packages' bytes too, is durable.
//     Until then its directory is called "unfinished-…", and has no manifest. The
//     next backup removes it.
//   - The vault is copied before the ledger and once more after it: whatever the
//     ledger names is there.
//   - What the ledger says was erased is not restored. Bytes that were erased after
//     a backup stay in its vault: remove them there when their time is over too.
//   - Only packages' bytes that no backup before had are copied, or linked on the
//     same file system. A content that no ledger names any more can be removed,
//     and so can any backup: each has a ledger of its own.
//   - Keys never leave the hub in plain: they are encrypted for an age recipient,
//     or not in the backup.
//   - A restored ledger has its name when all that it names is there, and
//     everything has been checked. Until then it is called "….restoring".
//
// The manifest is not signed. What counts is: the checkpoint is, and the log that
// it commits to has the digest of every receipt; a package is named by its digest.
package backup
