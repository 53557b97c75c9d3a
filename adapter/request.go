package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxBody  = 64 << 10 // bytes of a request's body
	maxParts = 200      // parts of a multipart body
	// maxBoundary is far above the 70 characters of RFC 2046, section 5.1.1.
	maxBoundary = 1 << 10

	byteOrderMark = "\xEF\xBB\xBF"
)

// input is what a request brought, before any field is looked at.
type input struct {
	request *http.Request
	rules   *Input
	query   map[string]value
	form    map[string]value // of a form or multipart body
	json    map[string]any   // of a JSON body
}

// value is one value of a request.
type value struct {
	text      string
	notString bool // an array, an object, null, or a scalar where only strings count
	null      bool // a field takes it for absent; no other source is asked
}

// readInput reads the request as the rules say. The outcome is "" when all
// is well; the input can be asked in any case.
func readInput(w http.ResponseWriter, r *http.Request, rules *Input) (*input, Outcome) {
	in := &input{request: r, rules: rules, query: parseForm(r.URL.RawQuery)}
	if r.Body == nil || r.Body == http.NoBody {
		return in, ""
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return in, OutcomeTooLarge
	case err != nil:
		return in, OutcomeMalformed
	case len(body) == 0, rules.BodyMethods != nil && !slices.Contains(rules.BodyMethods, r.Method):
		return in, ""
	}
	return in, in.readBody(body)
}

func (in *input) readBody(body []byte) Outcome {
	header := in.request.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		kind = header
		if i := strings.IndexAny(kind, ";,"); i >= 0 {
			kind = kind[:i]
		}
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	good := true
	switch {
	case kind == "application/x-www-form-urlencoded" && in.rules.Form:
		in.form = parseForm(string(body))
	case kind == "multipart/form-data" && in.rules.Multipart:
		in.form, good = parseMultipart(body, boundaryOf(header))
	case in.rules.readsJSON(kind):
		if in.rules.JSON == "any" {
			body = bytes.TrimPrefix(body, []byte(byteOrderMark)) // Express strips it, PHP does not parse it
		}
		in.json, good = parseJSON(body)
	case in.rules.JSON == "any" && kind == "text/plain":
	default:
		return in.rules.Other
	}
	if !good {
		return in.rules.Malformed
	}
	return ""
}

func (in *Input) readsJSON(kind string) bool {
	switch in.JSON {
	case "exact":
		return kind == "application/json"
	case "contains":
		return strings.Contains(kind, "/json") || strings.Contains(kind, "+json")
	case "any":
		return kind != "application/x-www-form-urlencoded" && kind != "multipart/form-data" && kind != "text/plain"
	}
	return false
}

// parseForm reads a form or query as leniently as the legacy systems do: a
// broken escape stays as it is, the last of equal names wins.
func parseForm(s string) map[string]value {
	out := map[string]value{}
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		setFormValue(out, unescapeForm(name), unescapeForm(text))
	}
	return out
}

// setFormValue stores one pair; "name[...]" makes name an array.
func setFormValue(out map[string]value, name, text string) {
	if i := strings.IndexByte(name, '['); i > 0 && strings.IndexByte(name[i:], ']') > 0 {
		out[cleanText(name[:i])] = value{notString: true}
		return
	}
	out[cleanText(name)] = value{text: text}
}

func unescapeForm(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c, _ := url.QueryUnescape(s[i : i+3]) // it is a whole escape
			b.WriteString(c)
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// boundaryOf reads the boundary out of a Content-Type as PHP does: whatever
// stands behind the word and its equals sign, up to a quote where it is quoted,
// else up to a comma or semicolon. Clients send it with characters that need
// quotes (RFC 2046, section 5.1.1) and without these.
func boundaryOf(contentType string) string {
	i := strings.Index(strings.ToLower(contentType), "boundary")
	if i < 0 {
		return ""
	}
	_, text, ok := strings.Cut(contentType[i:], "=")
	if !ok {
		return ""
	}
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		text, _, _ = strings.Cut(quoted, `"`)
	} else if end := strings.IndexAny(text, ",;"); end >= 0 {
		text = text[:end]
	}
	if text = strings.TrimRight(text, " \t"); len(text) > maxBoundary {
		return ""
	}
	return text
}

// parseMultipart reads the text fields of a multipart body; files are passed
// over.
func parseMultipart(body []byte, boundary string) (map[string]value, bool) {
	if boundary == "" {
		return nil, false
	}
	out := map[string]value{}
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out, true
		}
		if err != nil {
			return out, false
		}
		text, err := io.ReadAll(io.LimitReader(part, maxBody))
		if err != nil {
			return out, false
		}
		if name := part.FormName(); name != "" && part.FileName() == "" {
			setFormValue(out, name, string(text))
		}
	}
	return out, false
}

// parseJSON reads a JSON object; the last of equal names wins. An array has no
// members, and any other value is malformed.
func parseJSON(body []byte) (map[string]any, bool) {
	if tooDeep(body) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false // something follows
	}
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case []any:
		return map[string]any{}, true
	}
	return nil, false
}

// tooDeep reports whether JSON nests deeper than [maxJSONDepth], without
// building it.
func tooDeep(b []byte) bool {
	depth, inString, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '[' || c == '{':
			if depth++; depth > maxJSONDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
