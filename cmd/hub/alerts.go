package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func alertsCommand(o *options) *cobra.Command {
	var q exchange.AlertQuery
	var kind, acknowledged, reason string
	c := asking(o, "alerts", "List what is overdue and what waits for people, or acknowledge one", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		if (acknowledged == "") != (reason == "") {
			return usageError{errors.New("--ack and --reason go together: an alert, and why it may stand")}
		}
		if acknowledged != "" {
			a, err := hub.AcknowledgeAlert(c.Context(), acknowledged, reason)
			if err != nil {
				return err
			}
			return o.show(c, a, func(w io.Writer) { fmt.Fprintf(w, "%s\t%s\n", a.ID, answerOf(a)) })
		}
		q.Kind = exchange.AlertKind(kind)
		page, err := hub.Alerts(c.Context(), q)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) { listAlerts(w, page) })
	})
	c.Long = `alerts lists what people should look into, the oldest first. Working time is counted
by the calendar (calendar in hub.yaml):

  no-arrival            nothing heard of the recipient's software for an hour of working time; one for an agency
  no-answer-by-day-end  neither accepted nor refused by the end of the working day
  sent-late             sent after the morning of the working day that follows its date; stands for a week
  urgent-not-fetched    urgent, and not fetched within 15 minutes
  request-unanswered    a recall or an update without 15 or 16 for a working day
  trouble               the recipient's software could not take it in
  orphan-status         a status whose document has not come for an hour
  quarantine            held for malware, or for want of a scan

An alert goes by itself when its cause does. Until then you may acknowledge it: it
no longer counts as open, and your reason stays on record.`
	c.Example = `  hub alerts --open
  hub alerts --ack no-arrival.H12.12 --reason 'đã gọi, đang sửa mạng'`
	c.Flags().StringVar(&kind, "kind", "", "only of this kind")
	c.Flags().StringVar(&q.Agency, "agency", "", "only with this sender or recipient")
	c.Flags().BoolVar(&q.Open, "open", false, "only those that nobody has acknowledged")
	c.Flags().IntVar(&q.Limit, "limit", 200, "how many at most")
	c.Flags().StringVar(&acknowledged, "ack", "", "acknowledge the alert with this `ID`; needs --reason")
	c.Flags().StringVar(&reason, "reason", "", "why it may stand, or who looks into it; it stays on record")
	return watch(c)
}

func listAlerts(w io.Writer, page httpclient.AlertPage) {
	fmt.Fprintln(w, "ALERT\tSINCE\tFROM\tTO\tDETAIL\tACKNOWLEDGED")
	kinds := map[exchange.AlertKind]string{}
	for _, a := range page.Alerts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, moment(a.Since), a.Sender, a.Recipient, a.Detail, answerOf(a))
		kinds[a.Kind] = a.En
	}
	for _, k := range exchange.AlertKinds {
		if words := kinds[k]; words != "" {
			fmt.Fprintf(w, "%s: %s\n", k, words)
		}
	}
	if page.More {
		fmt.Fprintln(w, "there are more: narrow it down with --kind, --agency or --open")
	}
}

func answerOf(a httpclient.Alert) string {
	if a.Acknowledged == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s: %s", a.Acknowledged.By, moment(a.Acknowledged.At), a.Acknowledged.Reason)
}
