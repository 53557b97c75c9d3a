package adapter

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"text/template"
	"unicode/utf8"
)

// encoding is what a template's output is, and so how every value in it is
// written.
type encoding string

const (
	encodeJSON   encoding = "json"
	encodeXML    encoding = "xml"
	encodeHTML   encoding = "html"
	encodeText   encoding = "text"
	encodeHeader encoding = "header" // also a status
	encodePath   encoding = "path"   // a directory's name
)

// encodingOf tells from a file's name what it holds.
func encodingOf(name string) (encoding, bool) {
	switch path.Ext(strings.TrimSuffix(name, ".tmpl")) + path.Ext(name) {
	case ".json.tmpl":
		return encodeJSON, true
	case ".xml.tmpl":
		return encodeXML, true
	case ".html.tmpl":
		return encodeHTML, true
	case ".txt.tmpl":
		return encodeText, true
	}
	return "", false
}

// mediaType is the Content-Type of a reply that names none.
func (e encoding) mediaType() string {
	switch e {
	case encodeJSON:
		return "application/json"
	case encodeXML:
		return "text/xml; charset=utf-8"
	case encodeHTML:
		return "text/html; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

// The encoders. No template can name them: the loader refuses names that
// begin with an underscore.
const (
	encoderJSON    = "_json"
	encoderContent = "_content" // the inside of a JSON string
)

// encoders are the functions in which every printed value ends.
func encoders(style JSONStyle) template.FuncMap {
	w := newJSONWriter(style)
	return template.FuncMap{
		encoderJSON:                w.value,
		encoderContent:             w.content,
		"_" + string(encodeXML):    func(v any) string { return escapeXML(toText(v)) },
		"_" + string(encodeHTML):   func(v any) string { return escapeHTML(cleanText(toText(v))) },
		"_" + string(encodeText):   func(v any) string { return cleanText(toText(v)) },
		"_" + string(encodePath):   func(v any) string { return url.PathEscape(cleanText(toText(v))) },
		"_" + string(encodeHeader): headerText,
	}
}

// errHeader does not quote the value: it may be anything.
var errHeader = errors.New("a value with a line break or NUL cannot stand in a header")

func headerText(v any) (string, error) {
	s := toText(v)
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return "", errHeader
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD"), nil
}

// cleanText is s as valid UTF-8 without NUL, which neither a text nor a
// database can hold.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// escapeXML leaves only characters that XML 1.0, section 2.2, allows.
func escapeXML(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&apos;")
		case r == '\r':
			b.WriteString("&#13;") // a parser would read a bare one as a line feed
		case r < ' ' && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF:
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
