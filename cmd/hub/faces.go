package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"log/slog"

	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/provincial"
	"tram/exchange"
	"tram/signing"
)

// format is the packages' format within the hub's limits.
func format(cfg config) edxml.Format {
	return edxml.New(edxml.Options{Document: signing.Limits{Bytes: int64(cfg.Limits.Package)}})
}

// tokenKey is derived from the log's key, which every node of a hub has: tokens
// outlive a restart, and there is one secret less to keep.
func tokenKey(logKey string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(logKey), nil, "tram tokens", sha256.Size)
}

// openFaces makes the protocols that are served beside /v1.
func openFaces(cfg config, x *exchange.Exchange, keys keyring, log *slog.Logger) ([]httpapi.Face, error) {
	open := axisFaces(x, keys)
	if !cfg.Provincial {
		return open, nil
	}
	f, err := provincial.New(provincial.Config{Exchange: x, TokenKey: keys.tokens, Unpack: format(cfg).Unpack, Log: log, Now: now})
	if err != nil {
		return nil, err
	}
	face := httpapi.Face{Refuse: f.Refuse}
	for _, r := range f.Routes() {
		face.Routes = append(face.Routes, httpapi.FaceRoute(r))
	}
	return append(open, face), nil
}
