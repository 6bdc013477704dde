package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tram/adapters/httpapi"
	"tram/adapters/vxp"
	"tram/exchange"
)

// axisKeyBytes is the length of an AES-256 key.
const axisKeyBytes = 32

// writeAxisKey makes the key that seals shared secrets.
func writeAxisKey(path string) error {
	var key [axisKeyBytes]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	return writeNew(path, []byte(base64.StdEncoding.EncodeToString(key[:])+"\n"), 0o600)
}

// readAxisKey is nil where no file is named.
func readAxisKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != axisKeyBytes {
		return nil, fmt.Errorf("%s does not hold the base64 of %d bytes, as \"hub keys axis\" makes it", path, axisKeyBytes)
	}
	return key, nil
}

// axisOver is the national axis's protocol over the exchange.
func axisOver(x *exchange.Exchange) httpapi.Face {
	f := vxp.New(x, now)
	face := httpapi.Face{Refuse: f.Refuse}
	for _, r := range f.Routes {
		face.Routes = append(face.Routes, httpapi.FaceRoute{Method: r.Method, Path: r.Path, Package: r.Package, Caller: f.Caller, Serve: r.Serve})
	}
	return face
}

func axisKeyCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "axis FILE",
		Short: "Make the key that seals secrets which systems share with the hub, in FILE",
		Long: `axis makes the key that seals, in the ledger, the secrets by which software of the
national axis signs its requests. Name FILE as axis.key in the hub's configuration
and start the hub again. "hub init" makes one; it is never exchanged for another,
since what the former one sealed would be lost.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := writeAxisKey(args[0]); err != nil {
				return err
			}
			return o.show(c, map[string]string{"key": args[0]}, func(w io.Writer) { fmt.Fprintln(w, args[0]) })
		},
	}
}
