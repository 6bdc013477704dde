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
	if r.ReceiptsChecked == 0 && r.Receipts > 0 && !h.behind {
		line(&b, "", "name an auditor with --user to have every receipt checked")
	}
	if len(h.receipts)+len(h.trees) > 0 {
		line(&b, "Compared", "with %s", h)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s\n", c.bad("✗"), oneLine(f.String()))
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}
