package audit

import (
	"context"
	"maps"
	"math"
	"slices"

	"tram/exchange"
)

// deeds are the leaves of what people did, as they were walked.
type deeds struct {
	leaves  map[int64]exchange.LogEntry
	walked  int64 // leaves of any kind
	inLog   int64
	checked int64
}

// leaf notes a leaf of the record.
func (d *deeds) leaf(i int64, e exchange.LogEntry) {
	d.walked = i + 1
	if e.Type != "action" {
		return
	}
	if d.leaves == nil {
		d.leaves = map[int64]exchange.LogEntry{}
	}
	d.leaves[i] = e
	d.inLog++
}

// compare holds every action that the hub tells of to its leaf, from the newest
// down. What is newer than the walk is left for the next one.
func (d *deeds) compare(ctx context.Context, c *checking) error {
	last, cursor := int64(math.MaxInt64), ""
	for {
		page, err := c.hub.Actions(ctx, cursor, 0)
		if err != nil && !absent(err) {
			return err
		}
		for _, a := range page.Actions {
			if a.Leaf < 0 || a.Leaf >= last { // and so the list has an end
				c.add(finding(actionChanged, "the hub's list of actions does not lead from the newest to the oldest: after leaf %d it has leaf %d", last, a.Leaf))
				return nil
			}
			last = a.Leaf
			d.action(a, c)
		}
		if cursor = page.Cursor; cursor == "" || len(page.Actions) == 0 {
			break
		}
	}
	for _, i := range slices.Sorted(maps.Keys(d.leaves)) {
		e := d.leaves[i]
		c.add(finding(actionMissing, "the hub does not tell of action %s, %s by %s: it was dropped, or is kept from you", e.ID, e.Event, e.Actor).at(i))
	}
	return nil
}

// action holds one action to its leaf: the digest there is of all of it.
func (d *deeds) action(a exchange.Action, c *checking) {
	if a.Leaf >= d.walked {
		return
	}
	e, ok := d.leaves[a.Leaf]
	delete(d.leaves, a.Leaf)
	said := a.LogEntry().Bytes()
	if !ok {
		c.add(finding(actionChanged, "the hub tells of the action %s, and the leaf is of no action", said).at(a.Leaf))
		return
	}
	d.checked++
	if leaf := e.Bytes(); string(leaf) != string(said) {
		c.add(finding(actionChanged, "what the hub tells of the action makes the leaf %s, the log has %s", said, leaf).at(a.Leaf))
	}
}
