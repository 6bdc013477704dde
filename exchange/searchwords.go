package exchange

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Word is one word of a text as searches compare it: in lower case, of letters
// and digits only, the same for every way to encode its letters.
type Word struct {
	// Plain is without diacritics, and đ is d.
	Plain string
	// Exact has them: the marks of a vowel behind it, the tone behind the word, so
	// that "hòa" and "hoà" are one word.
	Exact string
}

// matches reports whether w, asked for, is found as o: written with diacritics it
// is that word only, written without it is every word of these letters.
func (w Word) matches(o Word) bool {
	if w.Exact != w.Plain {
		return w.Exact == o.Exact
	}
	return w.Plain == o.Plain
}

// term is what the word is found by when it is asked for.
func (w Word) term() SearchTerm {
	if w.Exact != w.Plain {
		return SearchTerm{termExact, w.Exact}
	}
	return SearchTerm{termWord, w.Plain}
}

// wordsOf splits a text into words. They share one piece of memory, since every
// package that is accepted is taken apart.
func wordsOf(text string) []Word {
	b := splitter{plain: make([]byte, 0, len(text)), exact: make([]byte, 0, len(text)+len(text)/2)}
	for _, r := range text {
		b.add(unicode.ToLower(r))
	}
	b.end()
	plain, exact := string(b.plain), string(b.exact)
	list := make([]Word, len(b.ends))
	var from [2]int
	for i, to := range b.ends {
		list[i] = Word{plain[from[0]:to[0]], exact[from[1]:to[1]]}
		from = to
	}
	return list
}

// splitter takes a text apart, letter by letter.
type splitter struct {
	plain, exact, tones []byte
	ends                [][2]int // of each word, in plain and in exact
}

func (b *splitter) add(r rune) {
	switch l, marked := vietnamese[r]; {
	case r < utf8.RuneSelf && ('a' <= r && r <= 'z' || '0' <= r && r <= '9'):
		b.plain, b.exact = append(b.plain, byte(r)), append(b.exact, byte(r))
	case r < utf8.RuneSelf:
		b.end()
	case marked:
		b.plain = append(b.plain, l.plain)
		b.exact = append(b.exact, l.exact...)
		b.tones = append(b.tones, l.tone...)
	case strings.ContainsRune(toneMarks, r): // of a letter that was decomposed
		b.tones = utf8.AppendRune(b.tones, r)
	case unicode.Is(unicode.Mn, r):
		b.exact = utf8.AppendRune(b.exact, r)
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		b.plain, b.exact = utf8.AppendRune(b.plain, r), utf8.AppendRune(b.exact, r)
	default:
		b.end()
	}
}

// end ends a word, if one began. Marks without a letter are none.
func (b *splitter) end() {
	var begin [2]int
	if n := len(b.ends); n > 0 {
		begin = b.ends[n-1]
	}
	if len(b.plain) > begin[0] {
		b.exact = append(b.exact, b.tones...)
		b.ends = append(b.ends, [2]int{len(b.plain), len(b.exact)})
	} else {
		b.exact = b.exact[:begin[1]]
	}
	b.tones = b.tones[:0]
}

// letter is a letter with diacritics, taken apart.
type letter struct {
	plain byte
	exact string // with its mark, if it has one, as Unicode decomposes it
	tone  string
}

// toneMarks are the combining grave, acute, hook, tilde and dot below, in the order
// of the columns of vowels.
const toneMarks = "\u0300\u0301\u0309\u0303\u0323"

// vietnamese has every letter with diacritics; it is never written. x/text would
// decompose all of Unicode; the domain needs these letters only.
var vietnamese = takeApart()

func takeApart() map[rune]letter {
	// Before the tones of a vowel stands what it is without a tone.
	vowels := []struct{ exact, row string }{
		{"a", "aàáảãạ"}, {"a\u0306", "ăằắẳẵặ"}, {"a\u0302", "âầấẩẫậ"},
		{"e", "eèéẻẽẹ"}, {"e\u0302", "êềếểễệ"},
		{"i", "iìíỉĩị"},
		{"o", "oòóỏõọ"}, {"o\u0302", "ôồốổỗộ"}, {"o\u031b", "ơờớởỡợ"},
		{"u", "uùúủũụ"}, {"u\u031b", "ưừứửữự"},
		{"y", "yỳýỷỹỵ"},
	}
	tones := append([]rune{0}, []rune(toneMarks)...)
	// đ has no decomposition; eth and the African d look the same in old fonts.
	letters := map[rune]letter{'đ': {'d', "đ", ""}, 'ð': {'d', "đ", ""}, 'ɖ': {'d', "đ", ""}}
	for _, v := range vowels {
		for i, r := range []rune(v.row) {
			l := letter{plain: v.exact[0], exact: v.exact}
			if i > 0 {
				l.tone = string(tones[i])
			}
			letters[r] = l
		}
	}
	return letters
}
