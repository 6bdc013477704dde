package vxp

import (
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tram/exchange"
)

func TestFileOfBody(t *testing.T) {
	const one = "<edXML>hello</edXML>"
	const correct, squeezed = "51f70257c838cd8146331253c573d9b3318872e94d77f6da1a7a71b985352a9e", "51f7257c838cd8146331253c573d9b3318872e94d77f6da1a7a71b985352a9e"
	if sum := sha256.Sum256([]byte(one)); shortHex(sum[:]) != squeezed {
		t.Errorf("as the SDK writes it: %s", shortHex(sum[:]))
	}
	long := strings.Repeat("0123456789\r\n", 10_000)
	longSum := sha256.Sum256([]byte(long))
	for _, c := range []struct{ name, body, want, file string }{
		{"file and CRLF", one + "\r\n", squeezed, one},
		{"file and CRLF, a correct digest", one + "\r\n", correct, one},
		{"the file alone", one, squeezed, one},
		{"a file that ends with CRLF, and CRLF", long + "\r\n", shortHex(longSum[:]), long},
		{"a file that ends with CRLF, alone", long, shortHex(longSum[:]), long},
		{"two CRLF too many", one + "\r\n\r\n", correct, ""},
		{"another file", "<edXML>hallo</edXML>", correct, ""},
		{"nothing", "", correct, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, body := range map[string]io.Reader{
				"at once": strings.NewReader(c.body), "byte by byte": iotest.OneByteReader(strings.NewReader(c.body)),
				"with its end": iotest.DataErrReader(strings.NewReader(c.body)),
			} {
				got, err := io.ReadAll(newFile(body, c.want))
				if (err == nil) != (c.file != "") || err == nil && string(got) != c.file {
					t.Errorf("%s: %d bytes, %v", way, len(got), err)
				}
			}
			got, err := io.ReadAll(iotest.OneByteReader(newFile(strings.NewReader(c.body), c.want)))
			if (err == nil) != (c.file != "") || err == nil && string(got) != c.file {
				t.Errorf("read with little room: %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestSentEntries(t *testing.T) {
	at := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	p := exchange.Package{ID: "0199d000-0000-7000-8000-000000000000", Recipients: []exchange.Recipient{{Code: "H12.12"}}, Unknown: []exchange.Recipient{{As: "H12.99"}}}
	for _, c := range []struct {
		name     string
		d        exchange.Delivery
		send, to string
	}{
		{"on its way", exchange.Delivery{State: exchange.Queued}, "processing", "Chờ nhận"},
		{"in the inbox", exchange.Delivery{State: exchange.Consigned, ConsignedAt: at}, "done", "Chờ nhận"},
		{"not to be brought", exchange.Delivery{State: exchange.Failed}, "fail", "Không nhận được"},
		{"accepted", exchange.Delivery{State: exchange.HandedOver, ConsignedAt: at, Statuses: []exchange.BusinessStatus{{Code: "01"}, {Code: "03", Description: "Đã tiếp nhận"}}}, "done", "03: Đã tiếp nhận"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.d.Package, c.d.Index, c.d.Recipient = p.ID, 1, "H12.12"
			item := exchange.InboxItem{Delivery: c.d, Package: p}
			if e := sentTo(item, "edoc"); e.SendStatus != c.send || e.ReceiveWords != c.to {
				t.Errorf("%+v", e)
			}
			if list := sentToNobody(item, "edoc"); len(list) != 1 || list[0].To != "H12.99" || list[0].SendStatus != "fail" || list[0].ReceiverDocID != "" {
				t.Errorf("of the one who is not known: %+v", list)
			}
		})
	}
	if said := unreached(p.Unknown); !strings.Contains(said, "H12.99") || unreached(nil) != "" {
		t.Errorf("the sender is told %q", said)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(`{"XroadVnpt-systemid":"H12.07","XroadVnpt-to":"[\"H12.12\"]"}`, "00")
	f.Add(`{"XroadVnpt-docId":"1","XroadVnpt-docid":"2"}`, "ff")
	f.Add(`{"XroadVnpt-a":null}`, "0")
	f.Add(`{"XroadVnpt-a":"1"}{}`, "")
	f.Fuzz(func(t *testing.T, text, mac string) {
		s, err := parse(http.Header{http.CanonicalHeaderKey(prefix + "sign-header"): {text}, http.CanonicalHeaderKey(prefix + "hash-header"): {mac}})
		if err != nil {
			return
		}
		if s.text != text || len(s.mac) == 0 {
			t.Errorf("the proof is about %q, not about what was sent", s.text)
		}
	})
}
