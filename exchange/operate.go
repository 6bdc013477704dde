package exchange

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Hold takes a delivery out of its recipient's sight until it is released.
func (x *Exchange) Hold(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "hold", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Hold(reason)
		return d, "", err
	})
}

// Release puts a held delivery back to where it was.
func (x *Exchange) Release(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "release", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Release(x.now())
		return d, "", err
	})
}

// Retry makes a queued delivery's next attempt due now.
func (x *Exchange) Retry(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "retry", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Retry(x.now())
		return d, "", err
	})
}

// Cancel fails an open delivery; sender and recipient get the receipt of it.
func (x *Exchange) Cancel(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "cancel", id, reason, func(d Delivery) (Delivery, Event, error) {
		return d.Cancel(reason, x.now())
	})
}

// operate changes a delivery at an operator's word. The action is a leaf of the
// log, in the transaction that carries it out.
func (x *Exchange) operate(ctx context.Context, by Caller, verb string, id DeliveryID, reason string,
	change func(Delivery) (Delivery, Event, error)) (Delivery, error) {
	if !by.Operates() {
		return Delivery{}, notPermitted.With(by, deeds[verb])
	}
	if strings.TrimSpace(reason) == "" {
		return Delivery{}, InvalidError("give a reason: it stays on record", "hãy ghi lý do (reason); lý do được lưu vào hồ sơ")
	}
	for attempt := 1; ; attempt++ {
		d, err := x.c.Ledger.Delivery(ctx, id)
		if err != nil {
			return Delivery{}, err
		}
		d, event, err := change(d)
		if err != nil {
			return Delivery{}, err
		}
		action, err := x.action(by, verb, string(id), reason, nil)
		if err != nil {
			return Delivery{}, err
		}
		err = x.keep(ctx, d, event, action)
		if CodeOf(err) == Conflict && attempt < mostTries {
			continue // a worker, or its recipient, changed the delivery meanwhile
		}
		if err != nil {
			return Delivery{}, err
		}
		d.Version++
		x.afterwards(ctx, d)
		return d, nil
	}
}

// keep writes what was done to a delivery, with a receipt if that is an event.
func (x *Exchange) keep(ctx context.Context, d Delivery, event Event, action Action) error {
	if event == "" {
		return x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d}, Actions: []Action{action}})
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	return x.settle(ctx, m, d, event, action)
}

// afterwards tells those whom a change of a delivery concerns.
func (x *Exchange) afterwards(ctx context.Context, d Delivery) {
	if d.State == Consigned {
		x.bells.ring(d.Recipient)
	}
	if d.State != Queued {
		return
	}
	if err := x.c.Queue.Publish(ctx, jobOf(d)); err != nil {
		x.c.Log.WarnContext(ctx, "queue did not hear of a delivery; the sweep will tell it", "delivery", d.ID, "err", err)
	}
}

// action is what a person does, as it goes on record: in words that JSON gives
// back as they are, or its leaf could not be made of it again. entry is the
// registry entry as it becomes, if one changes.
func (x *Exchange) action(by Caller, verb, object, reason string, entry any) (Action, error) {
	now := x.now()
	id, err := x.newID(now)
	if err != nil {
		return Action{}, err
	}
	a := Action{ID: id, Time: now, Actor: by.String(), Verb: verb, Object: strings.ToValidUTF8(object, "\ufffd"),
		Reason: strings.ToValidUTF8(reason, "\ufffd")}
	if entry != nil {
		a.Entry = digestOfJSON(entry)
	}
	return a, nil
}

// Backup copies the ledger and the packages into a directory of the hub's
// machine while the hub works. The ledger goes first: whatever it names is in
// the vault by then.
func (x *Exchange) Backup(ctx context.Context, by Caller, dir string) error {
	if !by.Administers() {
		return notPermitted.With(by, deeds["backup"])
	}
	if !filepath.IsAbs(dir) || len(dir) > maxPath {
		return InvalidError("the directory is %q; give an absolute path of at most 4096 bytes, such as /srv/backup",
			"thư mục sao lưu là %q; hãy ghi đường dẫn tuyệt đối dài tối đa 4096 byte, ví dụ /srv/backup", shortened(dir))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	action, err := x.action(by, "backup", dir, "", nil)
	if err != nil {
		return err
	}
	if err := x.c.Ledger.Update(ctx, Change{Actions: []Action{action}}); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(dir, "ledger.db"), func(w io.Writer) error { return x.c.Ledger.Backup(ctx, w) }); err != nil {
		return err
	}
	return x.c.Vault.Backup(ctx, filepath.Join(dir, "vault"))
}

// maxPath is what Linux takes. The path goes into a leaf, whose length must fit
// the two bytes that an entry bundle has for it.
const maxPath = 4096

// writeSynced writes a file that is whole and durable, or not there.
func writeSynced(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".partial-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path)) // or the name is lost in a crash
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
