package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// Report is what a run found.
type Report struct {
	Scenario  string  `json:"scenario"`
	Processor string  `json:"processor"`
	Cores     int     `json:"cores"`
	Load      string  `json:"load"` // how it comes, in words
	Pairs     int     `json:"pairs,omitempty"`
	Rate      float64 `json:"rate,omitempty"` // packages in a second; absent: as fast as it goes
	Unit      string  `json:"unit"`           // what one of Done is: "cycle", "package" or "delivery"
	// Signed is how many packages were signed before the load, PackageBytes what
	// each has.
	Signed         int     `json:"signed"`
	SigningSeconds float64 `json:"signingSeconds"`
	PackageBytes   int64   `json:"packageBytes"`

	Done      int     `json:"done"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	Steps     []Step  `json:"steps"`
	Hub       HubUse  `json:"hub"`
	// GeneratorMicros is the CPU time of making the load, for one of Done.
	GeneratorMicros float64 `json:"generatorMicros"`
	// OtherCores is what other programs kept busy meanwhile. It should be near 0.
	OtherCores float64 `json:"otherCores"`
	Floor      Floor   `json:"floor"`

	StartMillis float64 `json:"startMillis"` // of the hub, until it listened
	Seeded      int64   `json:"seeded,omitempty"`
	Lists       []List  `json:"lists,omitempty"`

	// What was checked: deliveries that reached their final state, leaves that the
	// log has more, receipts verified whole.
	Deliveries int   `json:"deliveries"`
	Leaves     int64 `json:"leaves"`
	Verified   int   `json:"verified"`
}

// HubUse is what the hub's process used, for one of Done where it says micros or
// bytes.
type HubUse struct {
	CPUMicros    float64 `json:"cpuMicros"`
	UserMicros   float64 `json:"userMicros"`
	SystemMicros float64 `json:"systemMicros"`
	Cores        float64 `json:"cores"` // busy on average
	Parts        []Part  `json:"parts"`
	MemoryPeak   int64   `json:"memoryPeakBytes"` // of its own, without mapped files
	MemoryEnd    int64   `json:"memoryEndBytes"`
	WrittenBytes int64   `json:"writtenBytes"` // to the disk
	LedgerBytes  int64   `json:"ledgerBytes"`  // that the ledger's file grew by
	VaultBytes   int64   `json:"vaultBytes"`
	LedgerFile   int64   `json:"ledgerFileBytes"`
}

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("%s: %s on %d cores (%s), hub and load together", r.Scenario, plural(r.Done, r.Unit), r.Cores, r.Processor)
	line("%s", r.Load)
	line("packages of %s, signed with RSA-2048 before (%d in %.1f s); answers sealed with P-256 on the way", bytesOf(r.PackageBytes), r.Signed, r.SigningSeconds)
	line("")
	line("%.1f %s a second for %.1f s", r.PerSecond, strings.TrimPrefix(plural(0, r.Unit), "0 "), r.Seconds)
	line("")
	line("ms\tp50\tp99\tp99.9\tmax\tcount\t")
	for _, s := range r.Steps {
		line("%s\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t", s.Name, s.P50, s.P99, s.P999, s.Max, s.N)
	}
	line("")
	line("CPU for one %s\tµs\tof the hub\t", r.Unit)
	line("the hub\t%.0f\t(user %.0f, system %.0f)\t", r.Hub.CPUMicros, r.Hub.UserMicros, r.Hub.SystemMicros)
	for _, p := range r.Hub.Parts {
		line("%s\t%.0f\t%.0f %%\t", p.Name, p.Micros, 100*p.Share)
	}
	line("making the load\t%.0f\t\t", r.GeneratorMicros)
	if r.Floor.CycleMicros > 0 && r.Unit == "cycle" {
		line("floor: cryptography alone\t%.0f\t%.1f times\t", r.Floor.CycleMicros, r.Hub.CPUMicros/r.Floor.CycleMicros)
	}
	line("")
	line("the hub used %.2f cores, all else on this machine but the load %.2f; memory of its own %s at most, %s at the end; started in %.0f ms", r.Hub.Cores, r.OtherCores, bytesOf(r.Hub.MemoryPeak), bytesOf(r.Hub.MemoryEnd), r.StartMillis)
	line("for one %s: %s written to disk, ledger's file grew by %s, vault by %s", r.Unit, bytesOf(r.Hub.WrittenBytes), bytesOf(r.Hub.LedgerBytes), bytesOf(r.Hub.VaultBytes))
	f := r.Floor
	line("this machine: RSA-2048 verify %.0f µs, P-256 sign %.0f µs, verify %.0f µs, SHA-256 %.0f µs/MB, fsync of a new 11.5 kB file %.0f µs, of 4 kB in place %.0f µs",
		f.RSAVerify, f.ECSign, f.ECVerify, f.SHA256, f.NewFile, f.Overwrite)
	if r.Seeded > 0 {
		line("")
		line("ledger of %d deliveries given beforehand, and those of this run and of earlier ones: %s", r.Seeded, bytesOf(r.Hub.LedgerFile))
		line("lists of deliveries\tmedian ms\tmax\tfound\t")
		for _, l := range r.Lists {
			line("%s\t%.1f\t%.1f\t%d\t", l.Name, l.Millis, l.Most, l.Found)
		}
	}
	line("")
	line("checked: all %d deliveries handed over, none open; log goes on from before with %d leaves; %d receipts verified whole", r.Deliveries, r.Leaves, r.Verified)
	return w.Flush()
}

func plural(n int, unit string) string {
	switch {
	case n == 1:
		return "1 " + unit
	case unit == "delivery":
		return fmt.Sprintf("%d deliveries", n)
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// bytesOf writes bytes as disks are sold: a MB is a million.
func bytesOf(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "kB", "MB"} {
		if v < 1000 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.4g GB", v)
}

// processor is the machine's own word for it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	defer f.Close() // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}
