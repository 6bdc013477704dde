package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func agencyClose(o *options) *cobra.Command {
	var on string
	c := asking(o, "close CODE", "Close an agency: it sends and receives nothing new", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		at, err := parseOn(on)
		if err != nil {
			return usageError{err}
		}
		a, err := hub.Agency(c.Context(), args[0])
		if err != nil {
			return err
		}
		a.Closed = at
		if a, err = hub.PutAgency(c.Context(), a); err != nil {
			return err
		}
		return o.show(c, a, func(w io.Writer) { describeAgency(w, a) })
	})
	c.Long = `close ends an agency. New documents from it or to it are refused; it still answers
what it has got, takes back what it sent, and takes the answers to that.
"hub agency merge" closes an agency that another one takes over.`
	c.Flags().StringVar(&on, "on", "", "yyyy-mm-dd: at the beginning of that day; now when absent")
	return c
}

func agencyMerge(o *options) *cobra.Command {
	var into, on string
	c := asking(o, "merge OLD", "Close an agency and let another one take its place", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		at, err := parseOn(on)
		if err != nil {
			return usageError{err}
		}
		merged, err := merge(c.Context(), hub, args[0], into, at)
		if err != nil {
			return err
		}
		return o.show(c, merged, func(w io.Writer) { describeAgency(w, merged) })
	})
	c.Long = `merge closes an agency from a day on and names its successor. New documents to or
from the old code are refused then, with the successor's code. The successor's
systems speak for the old code at once: its open deliveries are in the successor's
inbox, and the successor's certificates sign answers and recalls for it from that
day on. Its own systems and certificates go on to work for what is open.

Each entry that changes is an action on record. What was begun and broke off can be
done again.`
	c.Example = "  hub agency merge H04 --into H12 --on 2025-07-01"
	c.Flags().StringVar(&into, "into", "", "code of the agency that takes its place")
	c.Flags().StringVar(&on, "on", "", "yyyy-mm-dd: at the beginning of that day; now when absent")
	_ = c.MarkFlagRequired("into") // the flag is there
	return c
}

func parseOn(day string) (time.Time, error) {
	if day == "" {
		return time.Now().UTC().Truncate(time.Second), nil
	}
	at, err := time.ParseInLocation(time.DateOnly, day, vietnam)
	if err != nil {
		return at, fmt.Errorf("--on %s: the date is not yyyy-mm-dd", day)
	}
	return at, nil
}

// merge changes the systems first, then the successor, and the old entry last: once
// that is closed, all that answers for it is in place.
func merge(ctx context.Context, hub *httpclient.Client, from, into string, at time.Time) (exchange.Agency, error) {
	old, err := hub.Agency(ctx, from)
	if err != nil {
		return old, err
	}
	successor, err := hub.Agency(ctx, into)
	if err != nil {
		return old, err
	}
	if old.Code == successor.Code {
		return old, usageError{fmt.Errorf("%s and %s are codes of one agency", from, into)}
	}
	if !successor.Closed.IsZero() {
		return old, usageError{fmt.Errorf("agency %s is closed itself: it takes nobody's place", successor.Code)}
	}
	codes := append([]string{old.Code}, old.Merged...) // those merged into it before come along
	systems, err := hub.Systems(ctx)
	if err != nil {
		return old, err
	}
	for _, s := range systems {
		if !slices.Contains(s.Agencies, successor.Code) {
			continue
		}
		all := united(s.Agencies, codes)
		if len(all) == len(s.Agencies) {
			continue
		}
		s.Agencies = all
		if _, err := hub.PutSystem(ctx, s); err != nil {
			return old, err
		}
	}
	if all := united(successor.Merged, codes); len(all) > len(successor.Merged) {
		successor.Merged = all
		if _, err := hub.PutAgency(ctx, successor); err != nil {
			return old, err
		}
	}
	for _, code := range codes[1:] {
		earlier, err := hub.Agency(ctx, code)
		if err != nil {
			return old, err
		}
		earlier.Successor = successor.Code
		if _, err := hub.PutAgency(ctx, earlier); err != nil {
			return old, err
		}
	}
	old.Closed, old.Successor = at, successor.Code
	return hub.PutAgency(ctx, old)
}

// united are codes of both lists, each once.
func united(list, more []string) []string {
	all := slices.Clone(list)
	for _, code := range more {
		if !slices.Contains(all, code) {
			all = append(all, code)
		}
	}
	return all
}
