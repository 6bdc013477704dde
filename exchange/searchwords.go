package exchange

import (
	"strings"
	"unicode"
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
func (w Word) term() string {
	if w.Exact != w.Plain {
		return "x" + w.Exact
	}
	return "w" + w.Plain
}

// wordsOf splits a text into words.
func wordsOf(text string) []Word {
	var list []Word
	var plain, exact, tones strings.Builder
	end := func() {
		if plain.Len() > 0 {
			list = append(list, Word{plain.String(), exact.String() + tones.String()})
		}
		plain.Reset()
		exact.Reset()
		tones.Reset()
	}
	for _, r := range text {
		r = unicode.ToLower(r)
		l, marked := vietnamese[r]
		switch {
		case marked:
			plain.WriteRune(l.plain)
			exact.WriteString(l.exact)
			tones.WriteString(l.tone)
		case unicode.Is(unicode.Mn, r): // of a letter that was decomposed
			if strings.ContainsRune(toneMarks, r) {
				tones.WriteRune(r)
			} else {
				exact.WriteRune(r)
			}
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			plain.WriteRune(r)
			exact.WriteRune(r)
		default:
			end()
		}
	}
	end()
	return list
}

// letter is a letter with diacritics, taken apart.
type letter struct {
	plain rune
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
			l := letter{plain: rune(v.exact[0]), exact: v.exact}
			if i > 0 {
				l.tone = string(tones[i])
			}
			letters[r] = l
		}
	}
	return letters
}
