package exchange

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// BackupOrder says where a backup goes, and what is in it beside ledger and
// packages.
type BackupOrder struct {
	// Directory is an absolute path on the hub's machine. Backups in the same
	// directory share the packages' bytes.
	Directory string `json:"directory"`
	// KeysTo is whom keys and configuration are encrypted for, an age recipient
	// ("age1…"); empty: they are not in the backup.
	KeysTo string `json:"keysTo,omitempty"`
}

// Backup is one that was made.
type Backup struct {
	Directory string    `json:"directory"` // of this backup, inside the order's
	Time      time.Time `json:"time"`
	// Leaves are those of the log in it, and Checkpoint the signed note on them.
	Leaves      int64  `json:"leaves"`
	Checkpoint  string `json:"checkpoint"`
	LedgerBytes int64  `json:"ledgerBytes"`
	Packages    Copied `json:"packages"`
	Keys        bool   `json:"keys"` // keys and configuration are in it, encrypted
}

// maxPath is what Linux takes. The path goes into a leaf, whose length must fit
// the two bytes that an entry bundle has for it.
const maxPath = 4096

// Backup makes a backup while the hub works. That it was asked for is a leaf of
// the log, and so of the backup too.
func (x *Exchange) Backup(ctx context.Context, by Caller, o BackupOrder) (Backup, error) {
	if !by.Administers() {
		return Backup{}, notPermitted.With(by, deeds["backup"])
	}
	if !filepath.IsAbs(o.Directory) || len(o.Directory) > maxPath {
		return Backup{}, InvalidError("the directory is %q; give an absolute path of at most 4096 bytes, such as /srv/backup",
			"thư mục sao lưu là %q; hãy ghi đường dẫn tuyệt đối dài tối đa 4096 byte, ví dụ /srv/backup", shortened(o.Directory))
	}
	if o.KeysTo != "" && !strings.HasPrefix(o.KeysTo, "age1") {
		return Backup{}, InvalidError("keysTo is %q; give an age recipient, which begins with age1 (\"hub keys recipient\" makes one)",
			"keysTo là %q; hãy ghi khóa công khai age, bắt đầu bằng age1 (tạo bằng lệnh \"hub keys recipient\")", shortened(o.KeysTo))
	}
	if x.c.Archive == nil {
		return Backup{}, errors.New("this hub has no archive to make backups with")
	}
	action, err := x.action(by, "backup", o.Directory, "", nil)
	if err != nil {
		return Backup{}, err
	}
	if err := x.c.Ledger.Update(ctx, Change{Actions: []Action{action}}); err != nil {
		return Backup{}, err
	}
	return x.c.Archive.Write(ctx, o, x.Keys(), func(leaves int64) ([]byte, error) { return x.checkpointAt(ctx, leaves) })
}

// Drill is how it went when a backup was restored aside to see whether it can be.
type Drill struct {
	Backup string `json:"backup"` // its directory
	// Checkpoint is the backup's; empty if it has none that could be read.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Failure is what did not hold; empty: everything did.
	Failure string `json:"failure,omitempty"`
}

// mostFailure is how much of a drill's failure goes on record.
const mostFailure = 4096

// RecordDrill puts a drill on record, as a leaf of the log. One that went well is
// taken only for a backup of this very log.
func (x *Exchange) RecordDrill(ctx context.Context, by Caller, d Drill) (Action, error) {
	if !by.Administers() {
		return Action{}, notPermitted.With(by, deeds["restore-drill"])
	}
	if d.Backup == "" || len(d.Backup) > maxPath {
		return Action{}, InvalidError("backup is %q; give the backup's directory, of at most 4096 bytes",
			"backup là %q; hãy ghi thư mục của bản sao lưu, dài tối đa 4096 byte", shortened(d.Backup))
	}
	object := "of no readable checkpoint: " + d.Backup
	if d.Checkpoint != "" || d.Failure == "" {
		tree, err := x.ownTree(ctx, d.Checkpoint)
		switch {
		case err == nil:
			object = treeText(tree) + ": " + d.Backup
		case d.Failure == "":
			return Action{}, InvalidError("the checkpoint is not of this hub's log; record the drill at the hub that made the backup",
				"điểm kiểm tra không thuộc nhật ký của trục này; hãy ghi nhận ở đúng trục đã tạo bản sao lưu")
		}
	}
	outcome := "passed"
	if d.Failure != "" {
		outcome = "failed"
		if len(d.Failure) > mostFailure {
			d.Failure = d.Failure[:mostFailure]
		}
	}
	action, err := x.action(by, "restore-drill", outcome+" "+object, d.Failure, nil)
	if err != nil {
		return Action{}, err
	}
	return action, x.c.Ledger.Update(ctx, Change{Actions: []Action{action}})
}

// ownTree is what a checkpoint of this hub's log commits to, if the log still
// follows from it.
func (x *Exchange) ownTree(ctx context.Context, signed string) (tlog.Tree, error) {
	v, err := note.NewVerifier(x.c.Keys.LogKey)
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := ParseCheckpoint([]byte(signed), x.c.Origin, v)
	if err != nil {
		return tlog.Tree{}, err
	}
	return tree, Follows(ctx, x.c.Ledger, tree)
}
