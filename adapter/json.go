package adapter

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth is how deeply nested JSON may be, read or written.
const maxJSONDepth = 100

// jsonWriter writes JSON values as one legacy system does. Its output is
// always valid JSON (RFC 8259), whatever the value.
type jsonWriter struct {
	indent            string // "" is compact
	escapeSlash       bool
	ascii             bool
	rawLineSeparators bool
}

func newJSONWriter(s JSONStyle) *jsonWriter {
	w := &jsonWriter{escapeSlash: s.EscapeSlash, ascii: s.ASCII, rawLineSeparators: s.RawLineSeparators}
	if s.Style == "pretty" {
		w.indent = strings.Repeat(" ", max(s.Indent, 0))
		if s.Indent == 0 {
			w.indent = "    "
		}
	}
	return w
}

// text is v as JSON.
func (w *jsonWriter) text(v any) string { return w.value("", v) }

// value is v as JSON, where nested lines begin with margin.
func (w *jsonWriter) value(margin string, v any) string {
	return string(w.appendValue(nil, margin, v, 0))
}

// content is the text of v as the inside of a JSON string.
func (w *jsonWriter) content(v any) string { return string(w.appendContent(nil, toText(v))) }

func (w *jsonWriter) appendValue(b []byte, margin string, v any, depth int) []byte {
	if depth > maxJSONDepth {
		return append(b, "null"...)
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		n, _ := json.Marshal(v) // cannot fail for a finite number
		return append(b, n...)
	case json.Number:
		if json.Valid([]byte(v)) && isNumber(string(v)) {
			return append(b, v...)
		}
	case []string:
		return appendNested(w, b, nest{margin, depth, '[', ']'}, len(v), func(b []byte, in string, i int) []byte {
			return w.appendValue(b, in, v[i], depth+1)
		})
	case []any:
		return appendNested(w, b, nest{margin, depth, '[', ']'}, len(v), func(b []byte, in string, i int) []byte {
			return w.appendValue(b, in, v[i], depth+1)
		})
	case map[string]any:
		return w.appendObject(b, margin, v, depth)
	}
	b = append(b, '"')
	b = w.appendContent(b, toText(v))
	return append(b, '"')
}

// appendObject writes members in the order of their names.
func (w *jsonWriter) appendObject(b []byte, margin string, m map[string]any, depth int) []byte {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return appendNested(w, b, nest{margin, depth, '{', '}'}, len(names), func(b []byte, in string, i int) []byte {
		b = append(b, '"')
		b = w.appendContent(b, names[i])
		b = append(b, `":`...)
		if w.indent != "" {
			b = append(b, ' ')
		}
		return w.appendValue(b, in, m[names[i]], depth+1)
	})
}

// nest is where an array or object stands, and its brackets.
type nest struct {
	margin      string
	depth       int
	open, close byte
}

func appendNested(w *jsonWriter, b []byte, n nest, count int, member func([]byte, string, int) []byte) []byte {
	b = append(b, n.open)
	inner := n.margin + w.indent
	for i := range count {
		if i > 0 {
			b = append(b, ',')
		}
		if w.indent != "" {
			b = append(append(b, '\n'), inner...)
		}
		b = member(b, inner, i)
	}
	if count > 0 && w.indent != "" {
		b = append(append(b, '\n'), n.margin...)
	}
	return append(b, n.close)
}

const hexDigits = "0123456789abcdef"

// appendContent writes s between the quotes of a JSON string. What is not
// UTF-8 becomes U+FFFD.
func (w *jsonWriter) appendContent(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/' && w.escapeSlash:
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = appendControl(b, r)
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case w.ascii || (r == '\u2028' || r == '\u2029') && !w.rawLineSeparators:
			b = appendUnicode(b, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func appendControl(b []byte, c rune) []byte {
	switch c {
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendUnicode writes r as \uXXXX, or as two surrogates (RFC 8259, section 7).
func appendUnicode(b []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		return appendUnicode(appendUnicode(b, 0xD800+r>>10), 0xDC00+r&0x3FF)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// isNumber reports whether a text that is valid JSON is a number.
func isNumber(s string) bool { return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') }
