package bolt

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

var benchPackages = flag.Int("packages", 20_000, "how many packages BenchmarkSearch searches")

// What subjects of administrative documents are made of.
var (
	deeds = strings.Split("Về việc phê duyệt|Về việc triển khai|Về việc tăng cường|Về việc đôn đốc|Về việc góp ý dự thảo|Về việc báo cáo kết quả|Về việc cung cấp thông tin|"+
		"Về việc giải quyết kiến nghị của cử tri|Về việc bổ nhiệm cán bộ|Về việc thu hồi đất|Về việc điều chỉnh|Về việc ban hành|Về việc thẩm định|Về việc kiểm tra|Về việc xử lý vi phạm|"+
		"Về việc hướng dẫn thực hiện|Về việc công bố|Về việc giao chỉ tiêu|Về việc cử cán bộ tham gia|Về việc mời họp|Thông báo kết luận cuộc họp về|Kế hoạch tổ chức thực hiện|"+
		"Báo cáo tình hình|Tờ trình đề nghị|Quyết định phê duyệt|Quyết định thành lập|Quyết định ban hành|Giấy mời dự hội nghị|Công điện khẩn về|Chỉ thị về việc", "|")
	matters = strings.Split("dự toán ngân sách nhà nước|kế hoạch sử dụng đất|thủ tục hành chính lĩnh vực hộ tịch|công tác phòng cháy chữa cháy|chuyển đổi số|an toàn thông tin mạng|"+
		"công tác phòng, chống thiên tai|phòng chống dịch bệnh trên cây trồng|tiêm chủng mở rộng|kỳ thi tốt nghiệp trung học phổ thông|đầu tư công trung hạn|giải phóng mặt bằng dự án đường tỉnh|"+
		"cải cách hành chính|hòa giải ở cơ sở|tiếp công dân, giải quyết khiếu nại tố cáo|xây dựng nông thôn mới|giảm nghèo bền vững|chính sách đối với người có công|bảo hiểm y tế hộ gia đình|"+
		"quản lý tài sản công|bán đấu giá quyền sử dụng đất|quy hoạch chi tiết khu dân cư|môi trường làng nghề|khai thác khoáng sản|trật tự an toàn giao thông|vệ sinh an toàn thực phẩm|"+
		"lao động, việc làm|tuyển dụng viên chức|thi đua khen thưởng|lễ hội truyền thống|dân số và phát triển|dữ liệu dân cư|kiểm kê rừng|thủy lợi nội đồng|điện lực nông thôn|cấp nước sạch|"+
		"cho vay vốn ưu đãi|quản lý thị trường dịp Tết|kiểm soát tài sản, thu nhập|quốc phòng, quân sự địa phương|tuyển quân|hợp tác xã|văn thư lưu trữ|thanh tra chuyên ngành", "|")
	scopes = strings.Split("trên địa bàn tỉnh|năm 2026|giai đoạn 2026-2030|quý IV năm 2026|6 tháng đầu năm|theo Nghị định số 123/2026/NĐ-CP|theo Công văn số 456/VPCP-KSTT|của các xã, phường|"+
		"tại các đơn vị sự nghiệp công lập|đối với hộ gia đình, cá nhân|cho các cơ quan, đơn vị|theo ý kiến chỉ đạo của Chủ tịch Ủy ban nhân dân tỉnh|phục vụ Đại hội Đảng bộ|", "|")
	syllables = strings.Split("An|Bình|Châu|Đông|Giang|Hà|Hòa|Hưng|Khánh|Lâm|Long|Minh|Mỹ|Nam|Ninh|Phú|Phước|Quang|Sơn|Tân|Thanh|Thạnh|Thọ|Tiên|Trung|Vĩnh|Xuân|Yên", "|")
	organs    = strings.Split("UBND|STC|SNV|SYT|SGDĐT|SXD|SCT|SNNMT|SKHCN|STP|TTr|VP|CAT|BCH|PTC|PNV", "|")
	forms     = strings.Split("QĐ|BC|TTr|TB|KH|CV|GM|CT", "|")
)

type offices struct {
	random   *rand.Rand
	agencies *rand.Zipf
	matter   *rand.Zipf
}

func newOffices(seed uint64) *offices {
	r := rand.New(rand.NewPCG(seed, 2026))
	return &offices{random: r, agencies: rand.NewZipf(r, 1.1, 8, 439), matter: rand.NewZipf(r, 1.2, 4, uint64(len(matters)-1))}
}

func (v *offices) agency() string          { return fmt.Sprintf("H12.%03d", v.agencies.Uint64()) }
func (v *offices) of(list []string) string { return list[v.random.IntN(len(list))] }

// submission is a document as a province's agencies send them: mostly to one or
// two, every three-hundredth to a hundred; ten years of them by the time of acceptance.
func (v *offices) submission(s *exchangetest.Samples, n int64) (exchange.Package, exchange.Change) {
	sender, year := v.agency(), 2017+n*10/int64(*benchPackages)
	p := s.Submission(sender, fmt.Sprintf("%s.%d.%d", sender, year, n))
	p.AcceptedAt = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * (10 * 365 * 24 * time.Hour / time.Duration(*benchPackages)))
	p.Number, p.Notation = fmt.Sprint(1+v.random.IntN(6000)), v.of(forms)+"-"+v.of(organs)
	p.TypeName = "Công văn"
	p.Subject = v.of(deeds) + " " + matters[v.matter.Uint64()] + " " + v.of(scopes) + " xã " + v.of(syllables) + " " + v.of(syllables)
	p.Attachments = []exchange.Attachment{{Name: "cong-van.pdf", ContentType: "application/pdf", Size: 100_000, Digest: exchange.DigestOf([]byte(p.ID))}}
	recipients := 1 + v.random.IntN(3)
	if v.random.IntN(300) == 0 {
		recipients = 100
	}
	for range recipients {
		p.Recipients = append(p.Recipients, exchange.Recipient{Code: v.agency()})
	}
	c := s.Acceptance(p)
	c.Receipts[0].Raw = []byte("<Evidence/>")
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		d.ConsignedAt, d.SettledAt = p.AcceptedAt, p.AcceptedAt
		switch n := v.random.IntN(1000); {
		case n < 3:
			d.State = exchange.Rejected
		case n < 30:
			d.State = exchange.Failed
		case n < 33:
			d.State = exchange.Consigned
		default:
			d.State = exchange.HandedOver
		}
	}
	return p, c
}

var filled = sync.OnceValues(func() (*Ledger, error) {
	dir, err := os.MkdirTemp("", "tram-search-*")
	if err != nil {
		return nil, err
	}
	path := dir + "/ledger"
	if err := Create(path); err != nil {
		return nil, err
	}
	l, err := Open(path, Options{Space: 64 << 30})
	if err != nil {
		return nil, err
	}
	l.file.db.NoSync = true // only to be filled sooner
	s := exchangetest.NewSamples()
	var next atomic.Int64
	errs := make(chan error)
	const writers = 512
	for w := range writers {
		go func() {
			v := newOffices(uint64(w))
			var err error
			for n := next.Add(1); n <= int64(*benchPackages) && err == nil; n = next.Add(1) {
				p, c := v.submission(s, n)
				_, _, err = l.Accept(context.Background(), p, c)
			}
			errs <- err
		}()
	}
	for range writers {
		err = errors.Join(err, <-errs)
	}
	return l, errors.Join(err, os.RemoveAll(dir)) // the open file stays until the process ends
})

// BenchmarkSearch shows each question's first page: its median and its worst, how
// many pages it takes to something, and what the index costs.
func BenchmarkSearch(b *testing.B) {
	l, err := filled()
	if err != nil {
		b.Fatal(err)
	}
	waitForIndex(b, l)
	some := must(l.Search(b.Context(), exchange.Search{All: true, Text: "QĐ-UBND", Limit: 1}))
	own := []string{"H12.400"}
	var many []string // for whom one system speaks
	for n := 100; n < 440; n++ {
		many = append(many, fmt.Sprintf("H12.%03d", n))
	}
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	for _, q := range []struct {
		name string
		q    exchange.Search
	}{
		{"the newest", exchange.Search{All: true}},
		{"one word that all have", exchange.Search{All: true, Text: "công"}},
		{"a phrase", exchange.Search{All: true, Text: `"ngân sách" năm 2026`}},
		{"without diacritics", exchange.Search{All: true, Text: "ngan sach nha nuoc"}},
		{"a rare word", exchange.Search{All: true, Text: "khoáng thạnh tiên"}},
		{"a word nobody wrote", exchange.Search{All: true, Text: "tuyệtchủng"}},
		{"two frequent words that never meet", exchange.Search{All: true, Text: "đôn thẩm"}},
		{"two words that meet, but not as a phrase", exchange.Search{All: true, Text: `"việc công"`}},
		{"number and notation", exchange.Search{All: true, Text: "123/QĐ-UBND"}},
		{"a number", exchange.Search{All: true, Text: "1250"}},
		{"a document", exchange.Search{All: true, Text: some[0].Package.DocumentID}},
		{"a package", exchange.Search{All: true, Text: string(some[0].Package.ID)}},
		{"an attachment's digest", exchange.Search{All: true, Text: some[0].Package.Attachments[0].Digest.String()}},
		{"sender and recipient", exchange.Search{All: true, Sender: "H12.001", Recipient: "H12.300"}},
		{"refused, with a frequent word", exchange.Search{All: true, State: exchange.Rejected, Text: "quyết định"}},
		{"refused, with a rare word", exchange.Search{All: true, State: exchange.Rejected, Text: "khoáng thạnh"}},
		{"failed, with two words", exchange.Search{All: true, State: exchange.Failed, Text: "khiếu nại"}},
		{"refused, of a large agency", exchange.Search{All: true, State: exchange.Rejected, Recipient: "H12.000"}},
		{"failed, of a large agency", exchange.Search{All: true, State: exchange.Failed, Recipient: "H12.000"}},
		{"failed, of a small agency", exchange.Search{All: true, State: exchange.Failed, Recipient: "H12.430"}},
		{"handed over to one agency, ten years back", exchange.Search{All: true, State: exchange.HandedOver, Recipient: "H12.200", From: day(2017, 2, 1), To: day(2017, 3, 1)}},
		{"one day, ten years back", exchange.Search{All: true, From: day(2017, 2, 1), To: day(2017, 2, 2)}},
		{"a word in one month, ten years back", exchange.Search{All: true, Text: "hòa giải", From: day(2017, 2, 1), To: day(2017, 3, 1)}},
		{"before the first", exchange.Search{All: true, To: day(2016, 1, 1)}},
		{"of one agency: a word", exchange.Search{Of: own, Text: "ngân sách"}},
		{"of one agency: refused", exchange.Search{Of: own, State: exchange.Rejected}},
		{"of 340 agencies: a rare word", exchange.Search{Of: many, Text: "khoáng thạnh tiên"}},
		{"of 340 agencies: a word", exchange.Search{Of: many, Text: "ngân sách"}},
		{"of 340 agencies: refused", exchange.Search{Of: many, State: exchange.Rejected}},
		{"of 340 agencies: nothing", exchange.Search{Of: many, Text: "đôn thẩm"}},
		{"of one agency: nothing", exchange.Search{Of: own, Text: "đôn thẩm"}},
	} {
		b.Run(q.name, func(b *testing.B) {
			q.q.Limit = 50
			var took []time.Duration
			var found []exchange.Found
			cursor := ""
			for b.Loop() {
				start := time.Now()
				found, cursor, err = l.Search(b.Context(), q.q)
				took = append(took, time.Since(start))
				if err != nil {
					b.Fatal(err)
				}
			}
			pages := 1.0
			for ; cursor != "" && len(found) == 0; pages++ {
				q.q.Cursor = cursor
				found, cursor, err = l.Search(b.Context(), q.q)
			}
			b.ReportMetric(0, "ns/op")
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)-1]), "max-ms")
			b.ReportMetric(float64(len(found)), "found")
			b.ReportMetric(pages, "pages")
		})
	}
	b.Run("bytes", func(b *testing.B) { indexBytes(b, l) })
	b.Run("indexing", func(b *testing.B) {
		tail := newBlock(0, largestBlock)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		n, before := int64(0), cpuTime(b)
		for ; b.Loop(); n++ {
			if tail.size == largestBlock {
				tail = newBlock(0, largestBlock)
			}
			found, err := l.indexer.read(b.Context(), n*mostRead%int64(*benchPackages-mostRead), mostRead)
			if err != nil {
				b.Fatal(err)
			}
			for _, p := range found[:min(len(found), largestBlock-tail.size)] {
				tail.add(p.terms, p.at)
			}
		}
		b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(n*mostRead)/1000, "cpu-µs/package")
	})
}

// cpuTime is what this thread has worked: on a machine that others use too, it
// tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func indexBytes(b *testing.B, l *Ledger) {
	var index, numbers, all int
	for b.Loop() {
		index, numbers, all = 0, 0, 0
		err := l.view(b.Context(), func(tx *bbolt.Tx) error {
			for _, name := range buckets() {
				s := tx.Bucket([]byte(name)).Stats()
				size := s.BranchAlloc + s.LeafAlloc
				switch name {
				case searchPostings, searchBlocks:
					index += size
				case packageNumbers:
					numbers += size
				}
				all += size
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(index)/float64(*benchPackages), "index-B/package")
	b.ReportMetric(float64(numbers)/float64(*benchPackages), "numbers-B/package")
	b.ReportMetric(float64(all)/float64(*benchPackages), "ledger-B/package")
}

func must(list []exchange.Found, _ string, err error) []exchange.Found {
	if err != nil || len(list) == 0 {
		panic(fmt.Sprint(len(list), " found: ", err))
	}
	return list
}
