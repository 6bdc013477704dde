package exchange

import (
	"cmp"
	"strings"
)

// Words are a part of a refusal that is no mere data, in both languages.
// Identifiers, states, codes and names of elements are data: they are the same
// in every language.
type Words struct{ En, Vi string }

// In is the part in "vi" or, for any other language, English.
func (w Words) In(lang string) string {
	if lang == "vi" {
		return w.Vi
	}
	return w.En
}

// nouns are what refusals name, in Vietnamese; it is never written.
var nouns = map[string]string{
	"package":                 "gói tin",
	"document":                "văn bản",
	"digest":                  "mã băm",
	"sender":                  "cơ quan gửi",
	"recipient":               "cơ quan nhận",
	"delivery":                "lượt chuyển",
	"receipt":                 "biên nhận",
	"content":                 "nội dung gói tin",
	"agency":                  "cơ quan",
	"recheck":                 "mục chờ tra cứu thu hồi",
	"agency with certificate": "cơ quan dùng chứng thư số",
	"system":                  "hệ thống",
	"system with certificate": "hệ thống dùng chứng thư số",
	"user":                    "người dùng",
	"inbox":                   "hộp thư đến",
	"tile":                    "mảnh cây Merkle",
	"entries":                 "nhóm bản ghi nhật ký",
	"leaf":                    "bản ghi nhật ký",
	"alert":                   "cảnh báo",
}

// noun is the noun in both languages; what has no word of its own is an entry.
func noun(en string) Words { return Words{en, cmp.Or(nouns[en], "mục")} }

// deeds are what people do, by the verb that the action is recorded under; it
// is never written.
var deeds = map[string]Words{
	"hold":                {"hold deliveries", "tạm giữ lượt chuyển"},
	"release":             {"release deliveries", "cho chuyển tiếp lượt chuyển đang tạm giữ"},
	"retry":               {"retry deliveries", "yêu cầu chuyển lại"},
	"cancel":              {"cancel deliveries", "hủy lượt chuyển"},
	"purge":               {"purge packages", "tiêu hủy nội dung gói tin"},
	"backup":              {"make backups", "sao lưu dữ liệu của trục"},
	"compact":             {"compact the ledger", "thu gọn sổ cái của trục"},
	"restore-drill":       {"record restore drills", "ghi nhận việc diễn tập khôi phục"},
	"rotate-seal":         {"change the sealing keys", "thay khóa ký biên nhận"},
	"put-agency":          {"change agencies", "sửa danh bạ cơ quan"},
	"import-directory":    {"import a directory", "nhập danh bạ cơ quan"},
	"merge-agency":        {"merge agencies", "sáp nhập cơ quan"},
	"put-system":          {"change systems", "sửa danh sách hệ thống"},
	"put-user":            {"change users", "sửa danh sách người dùng"},
	"issue-system-secret": {"issue secrets", "cấp mật khẩu"},
	"issue-user-secret":   {"issue secrets", "cấp mật khẩu"},
	acknowledgeAlert:      {"acknowledge alerts", "xác nhận cảnh báo"},
}

// shortened is a piece of what a caller sent, short enough to be shown to it.
func shortened(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// Excerpt is a piece of what a caller sent, in whatever bytes, short enough to be
// shown to it.
func Excerpt(s string) string { return shortened(strings.ToValidUTF8(s, "?")) }
