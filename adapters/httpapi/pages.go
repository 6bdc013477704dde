package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

//go:embed pages/pages.html
var pagesHTML string

//go:embed pages/pages.css
var pagesCSS string

var pages = template.Must(template.New("pages").Parse(pagesHTML))

// pagePolicy lets a page have its own style sheet and send its own form, and
// nothing else (CSP 3, 2.3).
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pagesCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// page is what every page has.
type page struct {
	Lang, Path, Title, Hub string
	T                      words
	Style                  template.CSS
}

// page begins a page. Pages are Vietnamese unless ?lang=en asks for English.
func (s *Server) page(c *gin.Context, title func(words) string) (page, error) {
	q, err := query(c, "lang")
	if err != nil {
		return page{}, err
	}
	p := page{Lang: "vi", Path: c.Request.URL.Path, Hub: s.x.Keys().Hub.Name, Style: template.CSS(pagesCSS)} //nolint:gosec // our own file
	if q.Get("lang") == "en" {
		p.Lang = "en"
	}
	p.T = pageWords[p.Lang]
	p.Title = title(p.T) + " – " + p.Hub
	return p, nil
}

// html answers with a page.
func (s *Server) html(c *gin.Context, status int, name, lang string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("writing the page %s: %w", name, err)
	}
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("Content-Language", lang)
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// rulesPage lists every rule that a package can break.
type rulesPage struct {
	page
	Groups  []ruleGroup
	Samples []exchange.Sample
}

// ruleGroup are the rules of one code.
type ruleGroup struct {
	Code  exchange.Code
	Title string
	Rules []ruleText
}

type ruleText struct {
	exchange.RuleHelp
	Text string
}

func (s *Server) rules(c *gin.Context, _ exchange.Caller) error {
	base, err := s.page(c, func(w words) string { return w.RulesTitle })
	if err != nil {
		return err
	}
	p := rulesPage{page: base}
	if p.Samples, err = s.x.Samples(); err != nil {
		return err
	}
	for _, r := range s.x.Rules() {
		i := slices.IndexFunc(p.Groups, func(g ruleGroup) bool { return g.Code == r.Rule.Code })
		if i < 0 {
			i = len(p.Groups)
			p.Groups = append(p.Groups, ruleGroup{Code: r.Rule.Code, Title: titleOf(r.Rule.Code, p.Lang)})
		}
		p.Groups[i].Rules = append(p.Groups[i].Rules, ruleText{r, r.Rule.Plain(p.Lang)})
	}
	return s.html(c, 200, "rules", p.Lang, p)
}

// words are those of the pages, in one language.
type words struct {
	OtherLang, Other, Skip, Navigation, Validate, Rules                          string
	ValidateTitle, Promise, PublicOnly, File, Check, Failed, NoFile              string
	Taken, Refused, Kind, Document, Signature, BadSignature, NoSignature         string
	Registry, Asked, NotAsked, Findings, Severity, Rule, Place, What, Line, More string
	IsRefused, IsWarning, Found, Expected, Example, Nothing                      string
	RulesTitle, RulesIntro, Good, Bad, Samples                                   string
}

// pageWords are by language; it is never written.
var pageWords = map[string]words{
	"vi": {
		OtherLang: "en", Other: "English", Skip: "Tới nội dung", Navigation: "Các trang", Validate: "Kiểm tra gói tin", Rules: "Các quy tắc",
		ValidateTitle: "Kiểm tra gói tin edXML",
		Promise:       "Gói tin được đọc đúng như khi gửi thật, và mọi quy tắc bị vi phạm được nêu cùng lúc. Không có gì được lưu lại, không có gì được chuyển đi.",
		PublicOnly:    "Bạn chưa đăng nhập nên danh bạ cơ quan và chứng thư số đã đăng ký không được đối chiếu.",
		File:          "Tệp gói tin (.edxml)", Check: "Kiểm tra", Failed: "Chưa kiểm tra được", NoFile: "Chưa có tệp nào; hãy chọn tệp gói tin rồi bấm Kiểm tra.",
		Taken: "được chấp nhận", Refused: "bị từ chối", Kind: "Loại gói tin", Document: "Mã định danh văn bản",
		Signature: "Chữ ký số", BadSignature: "có, nhưng không hợp lệ", NoSignature: "không có",
		Registry: "Danh bạ", Asked: "đã đối chiếu với danh bạ và các văn bản đã gửi", NotAsked: "không đối chiếu",
		Findings: "Những điểm tìm thấy", Severity: "Mức độ", Rule: "Quy tắc", Place: "Vị trí", What: "Nội dung", Line: "dòng", More: "Số điểm khác chưa liệt kê:",
		IsRefused: "bị từ chối", IsWarning: "cảnh báo", Found: "Tìm thấy", Expected: "Giá trị đúng", Example: "Ví dụ đúng",
		Nothing:    "Không tìm thấy điểm nào sai.",
		RulesTitle: "Các quy tắc của gói tin edXML",
		RulesIntro: "Mỗi quy tắc có tên cố định. Dấu … là chỗ ghi những gì tìm thấy trong gói tin.",
		Good:       "Đúng", Bad: "Sai", Samples: "Gói tin mẫu đúng (chưa ký số)",
	},
	"en": {
		OtherLang: "vi", Other: "Tiếng Việt", Skip: "To the content", Navigation: "Pages", Validate: "Validate a package", Rules: "Rules",
		ValidateTitle: "Validate an edXML package",
		Promise:       "The package is read as if it were submitted, and every rule that it breaks is told at once. Nothing is kept and nothing is sent on.",
		PublicOnly:    "You did not say who you are, so the directory and the registered certificates are not asked.",
		File:          "Package file (.edxml)", Check: "Validate", Failed: "It could not be validated", NoFile: "There is no file; choose the package's file, then press Validate.",
		Taken: "would be accepted", Refused: "would be refused", Kind: "Kind", Document: "Document identifier",
		Signature: "Signature", BadSignature: "there is one, and it does not hold", NoSignature: "there is none",
		Registry: "Registry", Asked: "compared with the directory and with earlier documents", NotAsked: "not asked",
		Findings: "Findings", Severity: "Severity", Rule: "Rule", Place: "Place", What: "What is wrong", Line: "line", More: "Further findings that are not listed:",
		IsRefused: "refused", IsWarning: "warning", Found: "Found", Expected: "Expected", Example: "Correct example",
		Nothing:    "Nothing is wrong with it.",
		RulesTitle: "Rules of edXML packages",
		RulesIntro: "Every rule has a name that stays. Where … stands, a finding says what was found.",
		Good:       "Right", Bad: "Wrong", Samples: "Correct packages (not signed)",
	},
}
