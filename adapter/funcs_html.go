package adapter

import "strings"

// stripTags takes HTML and PHP tags and comments out of s, as PHP's
// strip_tags does: "<" begins a tag unless white space follows it, quotes inside a
// tag hide ">", and a tag that is never closed swallows the rest.
func stripTags(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == 0:
			i++
		case s[i] != '<' || i+1 < len(s) && isSpace(s[i+1]):
			b.WriteByte(s[i])
			i++
		case strings.HasPrefix(s[i:], "<!--"):
			i = after(s, i+4, "-->")
		default:
			i = endOfTag(s, i+1)
		}
	}
	return b.String()
}

// endOfTag returns the offset behind the ">" that closes the tag which
// begins before i.
func endOfTag(s string, i int) int {
	quote, depth := byte(0), 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			depth++
		case c == '>' && depth > 0:
			depth--
		case c == '>':
			return i + 1
		}
	}
	return len(s)
}

func after(s string, i int, mark string) int {
	if j := strings.Index(s[i:], mark); j >= 0 {
		return i + j + len(mark)
	}
	return len(s)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// escapeHTML is PHP's htmlspecialchars with ENT_QUOTES.
func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#039;").Replace(s)
}
