package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// A system submits a package and keeps the receipt.
func ExampleClient_Submit() {
	ctx := context.Background()
	hub, err := httpclient.New(httpclient.Config{URL: "https://hub.example:8443", ID: "stc-vanban", Secret: os.Getenv("TRAM_SECRET")})
	if err != nil {
		log.Fatal(err)
	}
	defer hub.Close()
	f, err := os.Open("1250.signed.edxml")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	s, err := hub.Submit(ctx, f, -1)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("1250.receipt.xml", s.Receipt.Raw, 0o644); err != nil {
		log.Fatal(err)
	}
}

// A recipient's system waits for deliveries and fetches them.
func ExampleClient_Inbox() {
	ctx := context.Background()
	hub, err := httpclient.New(httpclient.Config{URL: "https://hub.example:8443", ID: "syt-vanban", Secret: os.Getenv("TRAM_SECRET")})
	if err != nil {
		log.Fatal(err)
	}
	page, err := hub.Inbox(ctx, "H12.12", "", 0, 30*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range page.Items {
		if err := hub.FetchFile(ctx, item, string(item.Delivery.ID)+".edxml"); err != nil {
			log.Fatal(err)
		}
	}
}

// A refusal has a stable code and rule, and words for people.
func ExampleProblem() {
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"code":"not-found","rule":"not-found","detail":"there is no package \"x\", or it is not yours to see; check the identifier"}`)
	}))
	defer hub.Close()
	c, err := httpclient.New(httpclient.Config{URL: hub.URL, Language: "en"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Package(context.Background(), "x")
	var p *httpclient.Problem
	fmt.Println(errors.As(err, &p), p.Status, p.Code == exchange.NotFound)
	fmt.Println(p)
	// Output:
	// true 404 true
	// not-found: there is no package "x", or it is not yours to see; check the identifier
}

// Every tile is checked against the checkpoint's tree before it is believed.
func ExampleTiles() {
	ctx := context.Background()
	hub, err := httpclient.New(httpclient.Config{URL: "https://hub.example:8443"})
	if err != nil {
		log.Fatal(err)
	}
	var tree tlog.Tree // of exchange.ParseCheckpoint
	root, err := tlog.TreeHash(tree.N, hub.Tiles(ctx, "cache").Hashes(tree))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(root == tree.Hash)
}

func ExampleTilePath() {
	fmt.Println(httpclient.TilePath(0, 1234067, 256))
	fmt.Println(httpclient.TilePath(1, 3, 17))
	fmt.Println(httpclient.TilePath(-1, 3, 256))
	// Output:
	// tile/0/x001/x234/067
	// tile/1/003.p/17
	// tile/entries/003
}
