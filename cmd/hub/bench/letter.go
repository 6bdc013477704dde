package bench

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// copies are buffers for bodies on their way.
var copies = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// letter is a signed package that waits in a store to be submitted.
type letter struct {
	from     *Agency
	to       []*Agency
	document string
	digest   exchange.Digest
	store    *os.File
	at, size int64
}

// draft is a letter that is not written yet.
type draft struct {
	from    *Agency
	to      []*Agency
	number  int
	subject string
	size    int64 // of the package, about; 0: as small as it gets
	status  *edxml.Status
}

// letters write, sign and keep packages in one file: however many there are, they
// take no memory.
type letters struct {
	file  *os.File
	end   atomic.Int64
	run   string    // sets the documents of one run apart from those of another
	today time.Time // that documents bear
	made  atomic.Int64
	took  time.Duration
}

func newLetters(dir string, now time.Time) (*letters, error) {
	file, err := os.CreateTemp(dir, "letters-*")
	if err != nil {
		return nil, err
	}
	return &letters{file: file, run: fmt.Sprintf("B%x", now.UnixMilli()), today: now}, os.Remove(file.Name()) // it lives until it is closed
}

func (l *letters) close() error { return l.file.Close() }

// write signs the drafts on all cores and returns the letters in their order.
func (l *letters) write(drafts []draft) ([]letter, error) {
	began := time.Now()
	list := make([]letter, len(drafts))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range drafts {
		group.Go(func() (err error) {
			list[i], err = l.one(drafts[i])
			return err
		})
	}
	err := group.Wait()
	l.took += time.Since(began)
	return list, err
}

// id is the identifier of the draft's document.
func (l *letters) id(d draft) string {
	return fmt.Sprintf("%s,%s,%d/%s", d.from.Code, l.today.Format("2006/01/02"), d.number, l.run)
}

func (l *letters) one(d draft) (letter, error) {
	doc := edxml.Document{From: edxml.Organ{Code: d.from.Code, InCharge: "H12", Name: d.from.Name},
		Place: "Cà Mau", Date: l.today, Sent: time.Now(), Staff: edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"}}
	done := letter{from: d.from, to: d.to, store: l.file}
	if d.status != nil {
		doc.Kind, doc.Status = exchange.KindStatus, *d.status
	} else {
		done.document = l.id(d)
		doc.ID, doc.Number, doc.Notation = done.document, fmt.Sprint(d.number), l.run
		doc.Type, doc.TypeDetail, doc.TypeName = 2, 18, "Công văn"
		doc.Subject, doc.Signer = d.subject, edxml.Signer{Position: "Người ký", FullName: "Nguyễn Văn A"}
		for _, to := range d.to {
			doc.To = append(doc.To, edxml.Organ{Code: to.Code, InCharge: "H12", Name: to.Name})
		}
		doc.Attachments = files(d)
	}
	// The signed package is made in memory, or in a file of its own if it is large:
	// signing reads what it signs twice.
	plain, err := spooled(d.size)
	if err != nil {
		return done, err
	}
	defer plain.close()
	if err := edxml.Write(plain, doc); err != nil {
		return done, err
	}
	signed, err := spooled(d.size)
	if err != nil {
		return done, err
	}
	defer signed.close()
	digest := sha256.New()
	if err := signing.Sign(io.MultiWriter(signed, digest), plain.reader(), d.from.Key, []*x509.Certificate{d.from.Certificate}, edxml.SignaturePlace()); err != nil {
		return done, err
	}
	done.size = signed.size
	done.at = l.end.Add(signed.size) - signed.size
	done.digest = exchange.Digest(digest.Sum(nil))
	buffer := copies.Get().(*[]byte)
	defer copies.Put(buffer)
	_, err = io.CopyBuffer(io.NewOffsetWriter(l.file, done.at), struct{ io.Reader }{signed.reader()}, *buffer)
	l.made.Add(1)
	return done, err
}

// spool is a document in memory or in a file.
type spool struct {
	buffer bytes.Buffer
	file   *os.File // nil: it is in memory
	size   int64
}

func spooled(size int64) (*spool, error) {
	s := &spool{}
	if size <= 8<<20 {
		s.buffer.Grow(int(size))
		return s, nil
	}
	var err error
	if s.file, err = os.CreateTemp("", "tram-bench-*"); err != nil {
		return nil, err
	}
	return s, os.Remove(s.file.Name())
}

func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file != nil {
		return s.file.Write(p)
	}
	return s.buffer.Write(p)
}

func (s *spool) reader() io.ReadSeeker {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return bytes.NewReader(s.buffer.Bytes())
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name: it is gone
	}
}

// bare is about what a package takes without its attachments.
const bare = 5100

// files are one PDF or two for a package of the draft's size: base64 takes four
// bytes for three.
func files(d draft) []edxml.Attachment {
	most := max(d.size-bare-300*int64(len(d.to)), 0) * 3 / 4
	if most == 0 {
		return nil
	}
	main := edxml.Attachment{Name: fmt.Sprintf("van-ban-%d.pdf", d.number), Description: "Văn bản chính"}
	if most < 1<<20 {
		main.Open = func() (io.ReadCloser, error) { return pdf(d.number, most), nil }
		return []edxml.Attachment{main}
	}
	annex := edxml.Attachment{Name: fmt.Sprintf("phu-luc-%d.pdf", d.number), Description: "Phụ lục"}
	main.Open = func() (io.ReadCloser, error) { return pdf(d.number, most/4), nil }
	annex.Open = func() (io.ReadCloser, error) { return pdf(d.number+1, most-most/4), nil }
	return []edxml.Attachment{main, annex}
}

// pdf is a page that holds a stream of size bytes that do not compress, as scans
// do not.
func pdf(n int, size int64) io.ReadCloser {
	head := "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n" +
		"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n" + fmt.Sprintf("4 0 obj<</Length %d>>stream\n", size)
	tail := "\nendstream\nendobj\ntrailer<</Size 5/Root 1 0 R>>\n%%EOF\n"
	var seed [32]byte
	copy(seed[:], fmt.Sprint(n))
	scan := io.LimitReader(rand.NewChaCha8(seed), max(size-int64(len(head)+len(tail)), 16))
	return io.NopCloser(io.MultiReader(bytes.NewReader([]byte(head)), scan, bytes.NewReader([]byte(tail))))
}

// subjects are what offices write about. Documents take them in turn.
var subjects = []string{
	"V/v báo cáo tình hình thực hiện nhiệm vụ phát triển kinh tế - xã hội quý IV năm 2026",
	"V/v tăng cường công tác phòng, chống thiên tai trên địa bàn tỉnh",
	"Quyết định phê duyệt kế hoạch lựa chọn nhà thầu công trình nâng cấp tuyến đường liên xã",
	"V/v góp ý dự thảo Nghị quyết của Hội đồng nhân dân tỉnh về mức thu phí, lệ phí",
	"Giấy mời họp giao ban công tác chuyển đổi số tháng 11",
	"V/v cung cấp thông tin, số liệu phục vụ công tác thanh tra",
	"Kế hoạch triển khai tiêm chủng mở rộng năm 2027",
	"V/v giải quyết đơn kiến nghị của công dân xã Đất Mũi",
	"Thông báo kết luận của Chủ tịch Ủy ban nhân dân tỉnh tại buổi làm việc với Sở Xây dựng",
	"V/v đính chính phụ lục kèm theo Quyết định số 1250/QĐ-UBND",
}

// Subject is the nth of the subjects that documents take in turn.
func Subject(n int) string { return subjects[n%len(subjects)] }
