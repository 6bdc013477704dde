package exchange_test

import (
	"bytes"
	"testing"

	"tram/exchange"
)

func TestWhatPeopleDidIsReadBack(t *testing.T) {
	p := newProvince(t)
	id := p.sent("1250", health)
	delivery := exchange.NewDeliveryID(id, 1)
	if _, err := p.x.Hold(t.Context(), operator, delivery, "chờ <xác minh>"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.x.PutUser(t.Context(), administrator, exchange.User{ID: "dung", Role: exchange.Auditor}); err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]exchange.Caller{"an operator": operator, "an auditor": auditor, "an administrator": administrator} {
		list, cursor, err := p.x.Actions(t.Context(), by, "", 2)
		if err != nil || len(list) != 2 || cursor == "" {
			t.Fatalf("%s is shown %+v, cursor %q: %v", name, list, cursor, err)
		}
		if put := list[0]; put.Actor != "user:an" || put.Verb != "put-user" || put.Object != "dung" || put.Entry.IsZero() {
			t.Errorf("%s sees last %+v", name, put)
		}
		if hold := list[1]; hold.Actor != "user:binh" || hold.Verb != "hold" || hold.Object != string(delivery) || hold.Reason != "chờ <xác minh>" {
			t.Errorf("%s sees before it %+v", name, hold)
		}
		for _, a := range list {
			leaf, err := p.ledger.LogEntries(t.Context(), a.Leaf, a.Leaf+1)
			if err != nil || !bytes.Equal(leaf[0], a.LogEntry().Bytes()) {
				t.Errorf("leaf %d is %q, the action's %q: %v", a.Leaf, leaf, a.LogEntry().Bytes(), err)
			}
		}
	}
	for name, by := range map[string]exchange.Caller{"an agency's system": system(health), "nobody": {}} {
		if list, _, err := p.x.Actions(t.Context(), by, "", 0); exchange.CodeOf(err) != exchange.NotPermitted || list != nil {
			t.Errorf("%s is shown %v: %v", name, list, err)
		}
	}
}
