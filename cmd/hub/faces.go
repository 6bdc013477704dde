package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/provincial"
	"tram/exchange"
	"tram/signing"
)

const (
	axisFace       = "axis"
	provincialFace = "provincial"
)

// faces are the protocols that "faces" of the configuration may name.
var faces = []string{axisFace, provincialFace}

// format is the packages' format within the hub's limits.
func format(cfg config) edxml.Format {
	return edxml.New(edxml.Options{Types: edxml.Types(cfg.Attachments.Types), Document: signing.Limits{Bytes: int64(cfg.Limits.Package)}})
}

// tokenKey is derived from the log's key, which every node of a hub has: tokens
// outlive a restart, and there is one secret less to keep.
func tokenKey(logKey string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(logKey), nil, "tram tokens", sha256.Size)
}

// openFaces makes the protocols that are served beside /v1.
func openFaces(cfg config, x *exchange.Exchange, keys keyring, log *slog.Logger) ([]httpapi.Face, error) {
	var open []httpapi.Face
	for _, name := range cfg.Faces {
		switch name {
		case axisFace:
			open = append(open, axisOver(x))
		case provincialFace:
			f, err := provincial.New(provincial.Config{Exchange: x, TokenKey: keys.tokens, Unpack: format(cfg).Unpack, Log: log, Now: now})
			if err != nil {
				return nil, err
			}
			face := httpapi.Face{Refuse: f.Refuse}
			for _, r := range f.Routes() {
				face.Routes = append(face.Routes, httpapi.FaceRoute(r))
			}
			open = append(open, face)
		default:
			return nil, fmt.Errorf("there is no face %q", name) // validated with the configuration
		}
	}
	return open, nil
}
