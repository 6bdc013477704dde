package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"tram/adapters/httpapi"
)

// TestProfile shows the program's insides only where that was asked for, and never
// to agencies.
func TestProfile(t *testing.T) {
	w := newWorld(t, httpapi.Limits{})
	with := must[*httpapi.Server](t)(httpapi.New(httpapi.Config{Exchange: w.x, Profile: true}))
	for _, c := range []struct {
		name string
		at   http.Handler
		path string
		want int
	}{
		{"asked for", with.Operators(), "/debug/pprof/goroutine", 200},
		{"a short one of the CPU", with.Operators(), "/debug/pprof/profile?seconds=1", 200},
		{"no such profile", with.Operators(), "/debug/pprof/secrets", 404},
		{"agencies", with.Handler(), "/debug/pprof/goroutine", 404},
		{"not asked for", w.server.Operators(), "/debug/pprof/goroutine", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			got := httptest.NewRecorder()
			c.at.ServeHTTP(got, r)
			if got.Code != c.want {
				t.Errorf("%s answers %d, want %d: %.200s", c.path, got.Code, c.want, got.Body)
			}
		})
	}
}
