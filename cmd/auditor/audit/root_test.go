package audit

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestUnknownAuthority: the hub's own authority is what a new auditor forgets.
func TestUnknownAuthority(t *testing.T) {
	hub := httptest.NewUnstartedServer(http.NotFoundHandler())
	hub.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshake that fails
	hub.StartTLS()
	defer hub.Close()
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"check", hub.URL}, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "with --roots") {
		t.Errorf("exits with %d: %s%s", code, &out, &errs)
	}
}
