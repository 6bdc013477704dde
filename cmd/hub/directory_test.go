package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// TestDirectorySync has one hub follow another one's directory, over the axis's
// protocol: by hand, and by itself when it begins.
func TestDirectorySync(t *testing.T) {
	t.Parallel()
	upstream := newSite(t).start()
	upstream.axis("H12.01", "c2VjcmV0LXRyYW0=", "H12.01")
	closed := time.Date(2025, 7, 1, 0, 0, 0, 0, exchange.Vietnam)
	for _, a := range []exchange.Agency{{Code: "H12", Name: "UBND tỉnh Cà Mau"}, {Code: "H12.07", Name: "Sở Tài chính", Parent: "H12"}, {Code: "H04", Name: "Bạc Liêu", Closed: closed}} {
		_, err := upstream.admin.PutAgency(t.Context(), a)
		must(t, err)
	}

	s := newSite(t)
	must(t, os.WriteFile(s.path("directory.secret"), []byte("c2VjcmV0LXRyYW0=\n"), 0o600))
	s.configure(func(yaml string) string {
		return yaml + "\ndirectory: {url: 'https://" + upstream.address + "/', system: H12.01, secret_file: directory.secret, roots: '" + upstream.path("keys", "tls-root.pem") + "', old_codes: true}\n"
	})
	s.start()
	_, err := s.admin.PutAgency(t.Context(), exchange.Agency{Code: "H04", Name: "Bạc Liêu", Policy: exchange.IfPresent})
	must(t, err)
	out := s.mustHub("directory", "sync", "--dry-run", "--config", s.config())
	if !strings.Contains(out, "added") || !strings.Contains(out, "closed") || !strings.Contains(out, "dry run") {
		t.Errorf("the difference:\n%s", out)
	}
	s.mustHub("directory", "sync", "--config", s.config())
	if a, err := s.admin.Agency(t.Context(), "000.00.07.H12"); err != nil || a.Code != "H12.07" || a.Parent != "H12" || a.Name != "Sở Tài chính" {
		t.Errorf("added: %+v, %v", a, err)
	}
	if a, err := s.admin.Agency(t.Context(), "H04"); err != nil || !a.Closed.Equal(closed) || a.Policy != exchange.IfPresent {
		t.Errorf("closed: %+v, %v", a, err)
	}
	s.stop()

	_, err = upstream.admin.PutAgency(t.Context(), exchange.Agency{Code: "H12.12", Name: "Sở Y tế", Parent: "H12"})
	must(t, err)
	s.configure(setting("old_codes: true}", "every: 24h}"))
	s.start()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if a, err := s.admin.Agency(t.Context(), "H12.12"); err == nil && a.Name == "Sở Y tế" {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("the hub did not synchronize by itself:\n%s", s.log)
		}
	}
	if list, err := s.admin.Actions(t.Context(), "", 1); err != nil || len(list.Actions) != 1 || list.Actions[0].Actor != "hub directory" {
		t.Errorf("on record: %+v, %v", list, err)
	}
}
