package audit

import (
	"fmt"
	"io"
	"strings"
)

func (p *program) printCheck(r checkResult, h *held) error {
	if p.json {
		return p.printJSON(r)
	}
	c := p.colour()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Source, c.verdict(r.OK))
	line(&b, "Log", "%s, %d leaves, root %s", r.Origin, r.Leaves, r.Root)
	line(&b, "Keys", "%s", r.KeysFrom)
	line(&b, "Receipts", "%d in the log, %d of them fetched and checked", r.Receipts, r.ReceiptsChecked)
	line(&b, "Actions", "%d in the log, %d of them fetched and checked", r.Actions, r.ActionsChecked)
	if r.ReceiptsChecked+r.ActionsChecked == 0 && r.Receipts+r.Actions > 0 && !h.behind {
		line(&b, "", "name an auditor with --user to have every receipt and every action checked")
	}
	if r.Doubtful > 0 {
		line(&b, "Doubtful", "%d signatures were accepted while nothing was known of their certificates' revocation, and no receipt says more yet", r.Doubtful)
	}
	if len(h.receipts)+len(h.trees) > 0 {
		line(&b, "Compared", "with %s", h)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s\n", c.bad("✗"), oneLine(f.String()))
	}
	for _, line := range r.Do {
		fmt.Fprintf(&b, "  → %s\n", line)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}
