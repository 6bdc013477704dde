package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"agency": main})
}

// TestScripts runs the program as people do, against a hub of this process.
func TestScripts(t *testing.T) {
	hub := hubtest.New(t)
	admin := hub.Admin
	key, err := x509.MarshalPKCS8PrivateKey(hub.Roots.Signer)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := os.ReadFile(hub.KeysFile(t))
	if err != nil {
		t.Fatal(err)
	}
	other := hub.Keys
	other.Sealing = []string{hub.Roots.PEM()}
	otherKeys, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HUB", hub.URL)
			e.Setenv("LANG", "en_US.UTF-8")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else every command of the race detector lingers
			return errors.Join(
				os.WriteFile(e.WorkDir+"/other-keys.json", otherKeys, 0o600),
				os.WriteFile(e.WorkDir+"/ca.crt", []byte(hub.Roots.PEM()), 0o600),
				os.WriteFile(e.WorkDir+"/ca.key", inPEM("PRIVATE KEY", key), 0o600),
				os.WriteFile(e.WorkDir+"/hub-keys.json", keys, 0o600))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": hubtest.Exits,
			// register CODE NAME CERTIFICATE SECRET-FILE
			"register": func(ts *testscript.TestScript, _ bool, args []string) {
				secret := hub.Agency(t, args[0], args[1], ts.ReadFile(args[2]))
				ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(secret+"\n"), 0o600))
			},
			// hold DELIVERY: what an operator does.
			"hold": func(ts *testscript.TestScript, _ bool, args []string) {
				_, err := hub.Exchange.Hold(context.Background(), admin, exchange.DeliveryID(args[0]), "looking into it")
				ts.Check(err)
			},
			"pick": pick,
		},
	})
}
