package audit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tram/adapters/httpclient"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

// told changes what the hub tells of actions.
func told(t *testing.T, change func(*httpclient.ActionPage)) func(string, int, []byte) (int, []byte) {
	return func(path string, status int, b []byte) (int, []byte) {
		if path != "/v1/actions" {
			return status, b
		}
		var page httpclient.ActionPage
		if err := json.Unmarshal(b, &page); err != nil {
			t.Error(err)
		}
		change(&page)
		b, err := json.Marshal(page)
		if err != nil {
			t.Error(err)
		}
		return status, b
	}
}

// one changes the action with an object, on whatever page it is.
func one(object string, change func(*exchange.Action)) func(*httpclient.ActionPage) {
	return func(p *httpclient.ActionPage) {
		for i := range p.Actions {
			if p.Actions[i].Object == object {
				change(&p.Actions[i])
			}
		}
	}
}

func TestCheckActions(t *testing.T) {
	hub := hubtest.New(t)
	hub.Agency(t, "H12.07", "A", "")
	t.Setenv("TRAM_SECRET", hub.Person(t, "an", exchange.Auditor))
	for n := range 202 { // more than a page has
		if _, err := hub.Exchange.PutUser(t.Context(), hub.Admin, exchange.User{ID: fmt.Sprint("nguoi-", n), Role: exchange.Operator}); err != nil {
			t.Fatal(err)
		}
	}
	keys := hub.KeysFile(t)
	code, stdout, stderr := audit(t, "check", hub.URL, "--keys", keys, "--user", "an", "--json")
	if code != 0 || !strings.Contains(stdout, `"actions": 207`) || !strings.Contains(stdout, `"actionsChecked": 207`) {
		t.Errorf("exits with %d: %s%s", code, stdout, stderr)
	}
	code, stdout, _ = audit(t, "check", hub.URL, "--keys", keys)
	if code != 0 || !strings.Contains(stdout, "207 in the log, 0 of them fetched") || !strings.Contains(stdout, "every action checked") {
		t.Errorf("exits with %d: %s", code, stdout)
	}

	without := func(object string) func(*httpclient.ActionPage) {
		return func(p *httpclient.ActionPage) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a exchange.Action) bool { return a.Object == object })
		}
	}
	for _, m := range []struct {
		name   string
		meddle func(path string, status int, b []byte) (int, []byte)
		want   string
	}{
		{"as it is", told(t, func(*httpclient.ActionPage) {}), ""},
		{"an action by somebody else", told(t, one("nguoi-9", func(a *exchange.Action) { a.Actor = "user:binh" })), "action-changed"},
		{"an action to something else", told(t, one("H12.07", func(a *exchange.Action) { a.Object = "H12.08" })), "action-changed"},
		{"an action with another reason", told(t, one("an", func(a *exchange.Action) { a.Reason = "theo lệnh" })), "action-changed"},
		{"an action that made another entry", told(t, one("nguoi-9", func(a *exchange.Action) { a.Entry[5] ^= 1 })), "action-changed"},
		{"an action that is not told", told(t, without("nguoi-200")), "action-missing"},
		{"an action that is not told, on a later page", told(t, without("H12.07")), "action-missing"},
		{"an action at another's leaf", told(t, func(p *httpclient.ActionPage) {
			p.Actions[1].ID, p.Actions[2].ID = p.Actions[2].ID, p.Actions[1].ID
		}), "action-changed"},
		{"an action newer than the checkpoint", told(t, func(p *httpclient.ActionPage) {
			if newest := p.Actions[0].Leaf; newest == 206 {
				p.Actions = append([]exchange.Action{{ID: "x", Verb: "hold", Actor: "user:an", Leaf: newest + 1}}, p.Actions...)
			}
		}), ""},
		{"a list that repeats itself", told(t, func(p *httpclient.ActionPage) { p.Actions = append(p.Actions, p.Actions...) }), "action-changed"},
		{"a list below nothing", told(t, func(p *httpclient.ActionPage) { p.Actions[0].Leaf = -1 }), "action-changed"},
		{"a list without its end", told(t, func(p *httpclient.ActionPage) { p.Cursor = "" }), "action-missing"},
		{"pages of nothing", told(t, func(p *httpclient.ActionPage) { p.Actions, p.Cursor = nil, "1" }), "action-missing"},
		{"no list", func(path string, status int, b []byte) (int, []byte) {
			if path == "/v1/actions" {
				return http.StatusNotFound, nil
			}
			return status, b
		}, "action-missing"},
	} {
		t.Run(m.name, func(t *testing.T) {
			code, stdout, stderr := audit(t, "check", behind(t, hub, m.meddle), "--keys", keys, "--user", "an", "--json")
			if got := names(t, stdout); got != m.want || (code == 0) != (m.want == "") {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, m.want, stdout, stderr)
			}
		})
	}
}

// A receipt's leaf is not an action's, whatever the hub says.
func TestCheckFindsAnActionAtAReceiptsLeaf(t *testing.T) {
	hub := hubtest.New(t)
	correspond(t, hub, 1)
	t.Setenv("TRAM_SECRET", hub.Person(t, "an", exchange.Auditor))
	list, _, err := hub.Exchange.Actions(t.Context(), hub.Admin, "", 2) // a person's entry and secret, behind the receipts
	if err != nil {
		t.Fatal(err)
	}
	invented := exchange.Action{ID: "x", Verb: "hold", Actor: "user:an", Leaf: list[1].Leaf - 1}
	meddle := told(t, func(p *httpclient.ActionPage) { p.Actions = slices.Insert(p.Actions, 2, invented) })
	code, stdout, stderr := audit(t, "check", behind(t, hub, meddle), "--keys", hub.KeysFile(t), "--user", "an", "--json")
	if got := names(t, stdout); code != 1 || got != "action-changed" || !strings.Contains(stdout, "is of no action") {
		t.Errorf("exits with %d, finds %q\n%s%s", code, got, stdout, stderr)
	}
}
