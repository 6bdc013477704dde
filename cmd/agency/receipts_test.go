package main

import (
	"strings"
	"testing"

	"tram/exchange"
)

// A hub that lies must not choose where files are written.
func TestReceiptsThatNameNoFile(t *testing.T) {
	for _, id := range []exchange.ReceiptID{"../../outside", "/etc/passwd", `..\outside`, "", ".hidden", exchange.ReceiptID(strings.Repeat("a", 101))} {
		t.Run(string(id), func(t *testing.T) {
			_, err := saveReceipt(t.Context(), nil, exchange.Receipt{ID: id}, t.TempDir()) // no client: nothing may be asked for
			if err == nil || !strings.Contains(err.Error(), "names no file") {
				t.Errorf("receipt %q: %v", id, err)
			}
		})
	}
}
