package edxml

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"tram/exchange"
)

// Samples implements exchange.Format: a package of each kind, about one document,
// as Write writes it.
func (f Format) Samples() ([]exchange.Sample, error) {
	var list []exchange.Sample
	for _, kind := range exchange.Kinds {
		var b bytes.Buffer
		if err := Write(&b, sampleOf(kind)); err != nil {
			return nil, fmt.Errorf("writing the sample of kind %s: %w", kind, err)
		}
		list = append(list, exchange.Sample{Kind: kind, Document: b.String()})
	}
	return list, nil
}

func sampleOf(kind exchange.Kind) Document {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	d := Document{
		Kind: kind, From: Organ{Code: "H12.07", Name: "Sở Tài chính"}, To: []Organ{{Code: "H12.12", Name: "Sở Y tế"}},
		Number: "1250", Notation: "STC-NS", Place: "Cà Mau", Date: day, Type: 2, TypeDetail: 18, TypeName: "Công văn",
		Subject: "V/v phân bổ kinh phí quý IV", Signer: Signer{"KT. GIÁM ĐỐC", "Phó Giám đốc", "Nguyễn Văn A"},
		Sent: day.Add(2 * time.Hour), Staff: Staff{Department: "Văn phòng", Name: "Trần Thị B"},
	}
	file := []Attachment{{Name: "CV_1250_STC.pdf", Description: "Văn bản chính",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("%PDF-1.4\n…\n")), nil }}}
	const about = "H12.07,2026/11/20,1250/STC-NS"
	switch kind {
	case exchange.KindNew:
		d.Attachments = file
	case exchange.KindRecall:
		d.Target, d.Reason = about, "Gửi nhầm phụ lục"
	case exchange.KindUpdate:
		d.Target, d.Reason, d.Corrected, d.Subject = about, "Sửa trích yếu, thêm nơi nhận", true, "V/v phân bổ kinh phí quý IV năm 2026"
		d.Added, d.Attachments = []string{"H12.40"}, file
	case exchange.KindReplace:
		d.Number, d.Reason, d.Replaced, d.Attachments = "1268", "Thay thế Công văn số 1250/STC-NS", []Replaced{{ID: about}}, file
	case exchange.KindStatus:
		d = Document{Kind: kind, From: Organ{Code: "H12.12", Name: "Sở Y tế"}, Sent: d.Sent, Staff: d.Staff,
			Status: Status{Code: "03", To: "H12.07", ID: about, Notation: "1250/STC-NS", Date: day, Description: "Văn thư đã tiếp nhận"}}
	}
	return d
}
