package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// A BehindError says that a ledger does not go on from a tree that its hub signed
// before: it is older, or another.
type BehindError struct {
	Leaves int64     // of the ledger
	Root   tlog.Hash // of the ledger
	Seen   tlog.Tree // what was signed before
}

// Fork reports whether the ledger is not just shorter.
func (e *BehindError) Fork() bool { return e.Leaves >= e.Seen.N }

func (e *BehindError) Error() string {
	if e.Fork() {
		return fmt.Sprintf("the ledger is another record than the one that was signed before: its log has %d leaves, and the first %d are not those of the checkpoint with root %s",
			e.Leaves, e.Seen.N, e.Seen.Hash)
	}
	return fmt.Sprintf("the ledger is older than what was signed before: its log has %d leaves, and a checkpoint was signed for %d", e.Leaves, e.Seen.N)
}

// Follows reports, by a BehindError, that a ledger's log is not the one, or its
// continuation, that the tree commits to. It costs some reads, whatever the sizes.
func Follows(ctx context.Context, l Ledger, seen tlog.Tree) error {
	size, err := l.LogSize(ctx)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(size, l.LogHashes(ctx))
	if err != nil {
		return fmt.Errorf("the log's root at %d: %w", size, err)
	}
	behind := &BehindError{Leaves: size, Root: root, Seen: seen}
	if size < seen.N {
		return behind
	}
	if root, err = tlog.TreeHash(seen.N, l.LogHashes(ctx)); err != nil {
		return fmt.Errorf("the log's root at %d: %w", seen.N, err)
	}
	if root != seen.Hash {
		return behind
	}
	return nil
}

const acceptRollback = "accept-rollback"

// AcceptRollback puts on record that the hub goes on from a ledger that does not
// follow from what it signed before. The leaf names both trees, so that auditors
// find the words for what they notice anyway.
func (x *Exchange) AcceptRollback(ctx context.Context, reason string, e *BehindError) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("a rollback is accepted with a reason: it stays on record")
	}
	action, err := x.actionOf("hub serve", acceptRollback, treeText(tlog.Tree{N: e.Leaves, Hash: e.Root})+", "+seenText(e.Seen), reason, nil)
	if err != nil {
		return err
	}
	return x.c.Ledger.Update(ctx, Change{Actions: []Action{action}})
}

// RollbackAccepted reports whether the ledger has it on record that it does not
// follow from the tree.
func RollbackAccepted(ctx context.Context, l Ledger, seen tlog.Tree) (bool, error) {
	for cursor := ""; ; {
		list, next, err := l.Actions(ctx, cursor, 0)
		if err != nil {
			return false, err
		}
		for _, a := range list {
			if a.Verb == acceptRollback && strings.HasSuffix(a.Object, ", "+seenText(seen)) {
				return true, nil
			}
		}
		if cursor = next; cursor == "" {
			return false, nil
		}
	}
}

func seenText(t tlog.Tree) string { return "not of " + treeText(t) }

func treeText(t tlog.Tree) string { return fmt.Sprintf("%d leaves %s", t.N, t.Hash) }
