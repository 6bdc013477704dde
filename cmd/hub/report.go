package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/directory"
	"tram/adapters/httpclient"
	"tram/exchange"
)

func reportCommand(o *options) *cobra.Command {
	var from, to string
	var asCSV bool
	var silent int
	c := asking(o, "report --from DAY --to DAY", "Count what went through the hub, by agency and in total", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		begin, err := exchange.SearchBegin(from)
		end, wrong := exchange.SearchEnd(to)
		if err := errors.Join(err, wrong); err != nil {
			return usageError{err}
		}
		r, err := hub.Report(c.Context(), begin, end)
		if err != nil {
			return err
		}
		if silent > 0 {
			r.Agencies = silentOnes(r.Agencies, silent)
		}
		if asCSV {
			return writeReportCSV(c.OutOrStdout(), r)
		}
		return o.show(c, r, func(w io.Writer) { describeReport(w, r) })
	})
	c.Long = `report counts the packages that were accepted from the beginning of one day to the end
of another, with what became of them until now. "In the day" is judged by the calendar
(calendar in hub.yaml). Statuses are counted apart; documents are all other packages.
SIGNED is the share of documents whose package is signed, PDF SIGNED of those with a PDF
file inside whose signatures were all valid when it was accepted, and that nothing was
appended to later. Times are from the hub's acceptance; the median is within 2 percent.

--csv writes a table for spreadsheets, a line for each agency and one for all; --json
has more: refused deliveries with reasons, refused submissions by code.`
	c.Example = `  hub report --from 2026-11-01 --to 2026-11-30
  hub report --from 2026-11-01 --to 2026-11-30 --csv > thang-11.csv
  hub report --from 2026-11-01 --to 2026-11-30 --silent 7`
	c.Flags().StringVar(&from, "from", "", "the first day (2026-11-01), or moment")
	c.Flags().StringVar(&to, "to", "", "the last day, or the moment before which")
	c.Flags().BoolVar(&asCSV, "csv", false, "write CSV (UTF-8 with BOM)")
	c.Flags().IntVar(&silent, "silent", 0, "only agencies without traffic for so many days")
	_, _ = c.MarkFlagRequired("from"), c.MarkFlagRequired("to") // the flags are there
	return watch(c)
}

// silentOnes are agencies without traffic for some days, or ever.
func silentOnes(rows []exchange.ReportRow, days int) []exchange.ReportRow {
	list := []exchange.ReportRow{}
	for _, row := range rows {
		if row.SilentDays < 0 || row.SilentDays >= days {
			list = append(list, row)
		}
	}
	return list
}

func describeReport(w io.Writer, r exchange.Report) {
	fmt.Fprintf(w, "from\t%s\nto\t%s\n", moment(r.From), moment(r.To))
	fmt.Fprintln(w, "AGENCY\tSENT\tSIGNED\tPDF SIGNED\tLATE\tRECEIVED\tACCEPTED\tREFUSED\tOPEN\tFAILED\tNOT IN DAY\tTO FETCHED\tTO ACCEPTED\tSILENT")
	for _, row := range append(r.Agencies, r.Total) {
		name := row.Agency
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", name, row.Documents, share(row.Signed, row.Documents), share(row.PDFSigned, row.Documents), row.SentLate, row.Received,
			row.ByState[exchange.HandedOver], row.Refused, openOf(row), row.ByState[exchange.Failed], row.NotInTheDay,
			delay(row.ToFetched), delay(row.ToAccepted), silence(row))
	}
	for code, n := range r.Rejections {
		fmt.Fprintf(w, "submissions refused\t%s\t%d\n", code, n)
	}
	for _, k := range exchange.AlertKinds {
		if n := r.Alerts[k]; n > 0 {
			fmt.Fprintf(w, "alerts open now\t%s\t%d\n", k, n)
		}
	}
}

func openOf(row exchange.ReportRow) (n int64) {
	for state, count := range row.ByState {
		if !state.Final() {
			n += count
		}
	}
	return n
}

func share(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(whole))
}

func delay(d exchange.Delays) string {
	if d.Count == 0 {
		return ""
	}
	return seconds(d.Median) + " (" + seconds(d.Worst) + ")"
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func silence(row exchange.ReportRow) string {
	if row.SilentDays < 0 {
		return "never"
	}
	return strconv.Itoa(row.SilentDays) + "d"
}

// reportColumns are the CSV's, in the words of those who read it.
var reportColumns = []struct {
	name  string
	value func(exchange.ReportRow) string
}{
	{"Mã cơ quan", func(r exchange.ReportRow) string { return r.Agency }},
	{"Tên cơ quan", func(r exchange.ReportRow) string { return r.Name }},
	{"Văn bản gửi", figure(func(r exchange.ReportRow) int64 { return r.Documents })},
	{"Có chữ ký số", figure(func(r exchange.ReportRow) int64 { return r.Signed })},
	{"Tỷ lệ ký số", func(r exchange.ReportRow) string { return share(r.Signed, r.Documents) }},
	{"Có tệp PDF ký số hợp lệ", figure(func(r exchange.ReportRow) int64 { return r.PDFSigned })},
	{"Tỷ lệ PDF ký số", func(r exchange.ReportRow) string { return share(r.PDFSigned, r.Documents) }},
	{"Gửi muộn", figure(func(r exchange.ReportRow) int64 { return r.SentLate })},
	{"Gói tin thu hồi", figure(func(r exchange.ReportRow) int64 { return r.Recalls })},
	{"Lượt gửi", figure(func(r exchange.ReportRow) int64 { return r.SentDeliveries })},
	{"Trạng thái gửi", figure(func(r exchange.ReportRow) int64 { return r.StatusesSent })},
	{"Lượt nhận", figure(func(r exchange.ReportRow) int64 { return r.Received })},
	{"Chờ chuyển", inState(exchange.Queued)},
	{"Bị giữ", inState(exchange.Held)},
	{"Đã vào hộp thư", inState(exchange.Consigned)},
	{"Đã tiếp nhận", inState(exchange.HandedOver)},
	{"Từ chối", inState(exchange.Rejected)},
	{"Không chuyển được", inState(exchange.Failed)},
	{"Bị thu hồi trước khi lấy", inState(exchange.Withdrawn)},
	{"Đồng ý thu hồi", figure(func(r exchange.ReportRow) int64 { return r.TakenBack })},
	{"Chưa có trạng thái", inStatus("")},
	{"01 Đã đến", inStatus(exchange.StatusArrived)},
	{"02 Từ chối", inStatus(exchange.StatusRefused)},
	{"03 Đã tiếp nhận", inStatus(exchange.StatusAccepted)},
	{"04 Phân công", inStatus(exchange.StatusAssigned)},
	{"05 Đang xử lý", inStatus(exchange.StatusWorking)},
	{"06 Hoàn thành", inStatus(exchange.StatusDone)},
	{"15 Đồng ý", inStatus(exchange.StatusAgreed)},
	{"Không trả lời trong ngày", figure(func(r exchange.ReportRow) int64 { return r.NotInTheDay })},
	{"Trung vị đến khi lấy (giây)", func(r exchange.ReportRow) string { return number(r.ToFetched, r.ToFetched.Median) }},
	{"Lâu nhất đến khi lấy (giây)", func(r exchange.ReportRow) string { return number(r.ToFetched, r.ToFetched.Worst) }},
	{"Trung vị đến khi tiếp nhận (giây)", func(r exchange.ReportRow) string { return number(r.ToAccepted, r.ToAccepted.Median) }},
	{"Lâu nhất đến khi tiếp nhận (giây)", func(r exchange.ReportRow) string { return number(r.ToAccepted, r.ToAccepted.Worst) }},
	{"Giao dịch gần nhất", func(r exchange.ReportRow) string {
		if r.LastTraffic.IsZero() {
			return ""
		}
		return r.LastTraffic.In(exchange.Vietnam).Format(time.DateTime)
	}},
	{"Số ngày không giao dịch", func(r exchange.ReportRow) string {
		if r.SilentDays < 0 {
			return ""
		}
		return strconv.Itoa(r.SilentDays)
	}},
}

func figure(of func(exchange.ReportRow) int64) func(exchange.ReportRow) string {
	return func(r exchange.ReportRow) string { return strconv.FormatInt(of(r), 10) }
}

func inState(s exchange.State) func(exchange.ReportRow) string {
	return figure(func(r exchange.ReportRow) int64 { return r.ByState[s] })
}

func inStatus(code string) func(exchange.ReportRow) string {
	return figure(func(r exchange.ReportRow) int64 { return r.ByStatus[code] })
}

func number(d exchange.Delays, seconds float64) string {
	if d.Count == 0 {
		return ""
	}
	return strconv.FormatFloat(seconds, 'f', 0, 64)
}

// writeReportCSV writes a line for each agency and one for all. The mark at the
// beginning tells spreadsheets that it is UTF-8.
func writeReportCSV(to io.Writer, r exchange.Report) error {
	if _, err := io.WriteString(to, "\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(to)
	w.UseCRLF = true
	line := make([]string, len(reportColumns))
	for i, c := range reportColumns {
		line[i] = c.name
	}
	if err := w.Write(line); err != nil {
		return err
	}
	r.Total.Name = "Tổng cộng"
	for _, row := range append(r.Agencies, r.Total) {
		for i, c := range reportColumns {
			line[i] = directory.Guarded(c.value(row))
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
