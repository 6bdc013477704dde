package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tram/exchange"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"agency": main})
}

// TestScripts runs the program as people do, against a hub of this process.
func TestScripts(t *testing.T) {
	hub := newHub(t)
	admin := hub.admin
	key, err := x509.MarshalPKCS8PrivateKey(hub.roots.key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := os.ReadFile(hub.keysFile(t))
	if err != nil {
		t.Fatal(err)
	}
	other := hub.keys
	other.Sealing = []string{hub.roots.pem()}
	otherKeys, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HUB", hub.url)
			e.Setenv("LANG", "en_US.UTF-8")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else every command of the race detector lingers
			return errors.Join(
				os.WriteFile(e.WorkDir+"/other-keys.json", otherKeys, 0o600),
				os.WriteFile(e.WorkDir+"/ca.crt", []byte(hub.roots.pem()), 0o600),
				os.WriteFile(e.WorkDir+"/ca.key", inPEM("PRIVATE KEY", key), 0o600),
				os.WriteFile(e.WorkDir+"/hub-keys.json", keys, 0o600))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			// register CODE NAME CERTIFICATE SECRET-FILE
			"register": func(ts *testscript.TestScript, _ bool, args []string) {
				secret := hub.agency(t, args[0], args[1], ts.ReadFile(args[2]))
				ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(secret+"\n"), 0o600))
			},
			// hold DELIVERY: what an operator does.
			"hold": func(ts *testscript.TestScript, _ bool, args []string) {
				_, err := hub.x.Hold(context.Background(), admin, exchange.DeliveryID(args[0]), "looking into it")
				ts.Check(err)
			},
			"pick": pick,
		},
	})
}

// exits CODE program args…: runs a program that must end with the code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != want || (err != nil && exit == nil) {
		ts.Fatalf("exits with %d, want %d (%v)", got, want, err)
	}
}
