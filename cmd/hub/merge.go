package main

import (
	"fmt"
	"io"
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
		merged, err := hub.Merge(c.Context(), args[0], into, at)
		if err != nil {
			return err
		}
		return o.show(c, merged, func(w io.Writer) { describeAgency(w, merged) })
	})
	c.Long = `merge closes an agency from a day on and names its successor. New documents to or
from the old code are refused then, with the successor's code. From that day on the
successor's systems, present and future ones, speak for the old code: its open
deliveries are in the successor's inbox, and the successor's certificates sign answers
and recalls for it. Its own systems and certificates go on to work for what is open.

It is one change and one action on record; given again, it can change the day.`
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
	at, err := time.ParseInLocation(time.DateOnly, day, exchange.Vietnam)
	if err != nil {
		return at, fmt.Errorf("--on %s: the date is not yyyy-mm-dd", day)
	}
	return at, nil
}
