package adapter

import (
	"fmt"
	"net/url"
	"strings"
	"text/template"
	"time"

	"keyway/provider/identity"
)

// viewFuncs are the functions that read the view. A template writes them
// without it: the loader puts "$" in front of their arguments.
var viewFuncs = map[string]any{
	"attr":     attr,
	"claim":    claim,
	"setting":  setting,
	"member":   member,
	"username": username,
}

// plainFuncs are the functions that see only their arguments. The subject
// comes last, so that they can stand behind a "|".
var plainFuncs = map[string]any{
	"int":    toInt,
	"string": toText,
	"bool":   toBool,
	"orNull": orNull,

	"textOrNull": func(v any) any {
		if v == nil {
			return nil
		}
		return toText(v)
	},
	"intOrNull": func(v any) (any, error) {
		if v == nil || v == "" {
			return nil, nil
		}
		return toInt(v)
	},
	"default": orDefault,

	"lower":   func(v any) string { return strings.ToLower(toText(v)) },
	"upper":   func(v any) string { return strings.ToUpper(toText(v)) },
	"trim":    func(v any) string { return strings.TrimSpace(toText(v)) },
	"join":    join,
	"concat":  concat,
	"printf":  fmt.Sprintf,
	"replace": func(old, with string, v any) string { return strings.ReplaceAll(toText(v), old, with) },
	"split":   func(sep string, v any) []string { return strings.Split(toText(v), sep) },
	"first":   func(sep string, v any) string { head, _, _ := strings.Cut(toText(v), sep); return head },
	"rest":    func(sep string, v any) string { _, tail, _ := strings.Cut(toText(v), sep); return tail },

	"unixtime": func(v any) (int64, error) { t, err := toTime(v); return t.Unix(), err },
	"date":     date,

	"md5":           md5Hex,
	"sha1":          sha1Hex,
	"base64":        base64Std,
	"random":        random,
	"opensslSalted": opensslSalted,

	"stripTags":  func(v any) string { return stripTags(toText(v)) },
	"htmlEscape": func(v any) string { return escapeHTML(toText(v)) },
	"urlencode":  func(v any) string { return url.QueryEscape(toText(v)) },
}

// builtinFuncs are what text/template brings and a template may use.
var builtinFuncs = map[string]bool{
	"and": true, "or": true, "not": true, "len": true, "index": true, "slice": true,
	"eq": true, "ne": true, "lt": true, "le": true, "gt": true, "ge": true,
}

// funcs is the whole vocabulary of templates.
//
// Of the account, the user, the settings and the request:
//
//	attr NAME DEFAULT        the account's attribute with its own JSON type (a null stays null);
//	                         DEFAULT where there is no account or no such attribute
//	claim NAME DEFAULT       the same of the user's claims; email and email_verified are among them
//	setting NAME             the setting, as .Settings.NAME
//	member PATH DEFAULT      the request's JSON member, dots reach into objects, with its own type
//	username                 the account's attribute "username" or "user_name", else the claim
//	                         preferred_username, else the first login name, not an e-mail if possible
//
// Types:
//
//	int V        a whole number, from a number or its text; true is 1, a duration its
//	                         seconds; an error for anything else
//	string V     the text of any value; of nothing ""
//	bool V       false for nothing, "", "0", "false", 0 and false; otherwise true
//	orNull V     V, but null for "" and for nothing
//	textOrNull V the text of V, but null for nothing; "" stays ""
//	intOrNull V  the whole number of V, but null for "" and for nothing
//	default D V  V, but D for "" and for nothing
//
// Text:
//
//	lower V, upper V, trim V
//	concat A B ...         the texts of all, one behind the other
//	join SEP A B ...       the texts of all with SEP between them; a list counts as its members
//	printf FORMAT A ...    as fmt.Sprintf
//	replace OLD NEW V      every OLD becomes NEW
//	split SEP V            a list
//	first SEP V, rest SEP V  what stands before and behind the first SEP; all of V and "" without one
//	stripTags V            without HTML tags, as PHP's strip_tags
//	htmlEscape V           & < > " ' as PHP's htmlspecialchars with ENT_QUOTES (&#039;)
//	urlencode V            as in a query
//
// Times (T is a time, Unix seconds, or text such as "2026-01-02 03:04:05",
// "2026-01-02" or RFC 3339):
//
//	unixtime T             whole seconds since 1970
//	date LAYOUT T          in UTC; LAYOUT is one of Go's, or "php" (2006-01-02 15:04:05), "iso-micro"
//	                       (2006-01-02T15:04:05.000000Z), "iso" (RFC 3339), "dmy" (02/01/2006),
//	                       "mdy" (01/02/2006), "ymd" (2006-01-02). Nothing and "" give ""; text that is
//	                       no time is left as it is
//
// Digests and random values:
//
//	md5 A B ..., sha1 A B ...  lower-case hexadecimal of the texts, one behind the other
//	base64 V                   with padding (RFC 4648, section 4)
//	random N ALPHABET          N random characters; ALPHABET is "hex", "HEX", "alnum", "lower",
//	                           "digits" or "base32hex" (0-9 a-v)
//	opensslSalted PASS V       V under AES-256-CBC with a key from PASS and a random salt, in base64, as
//	                           `openssl enc -md md5` and CryptoJS write it: "U2FsdGVkX1..."
//
// And of text/template: and, or, not, len, index, slice, eq, ne, lt, le, gt, ge.
// `{{ template "part.json.tmpl" $ }}` includes another file of the folder.
func funcs() template.FuncMap {
	m := make(template.FuncMap, len(viewFuncs)+len(plainFuncs))
	for name, f := range viewFuncs {
		m[name] = f
	}
	for name, f := range plainFuncs {
		m[name] = f
	}
	return m
}

func attr(v *View, name string, def any) any {
	if v.Account == nil {
		return def
	}
	return lookup(v.Account.Attributes, name, def)
}

func claim(v *View, name string, def any) any {
	if v.User == nil {
		return def
	}
	switch name {
	case "email":
		return orDefault(def, v.User.Email)
	case "email_verified":
		return v.User.EmailVerified
	}
	return lookup(v.User.Claims, name, def)
}

func lookup(m map[string]any, name string, def any) any {
	if value, ok := m[name]; ok {
		return value
	}
	return def
}

func setting(v *View, name string) (any, error) {
	value, ok := v.Settings[name]
	if !ok {
		return nil, fmt.Errorf("there is no setting %q", name)
	}
	return value, nil
}

func member(v *View, path string, def any) any {
	if value, ok := reach(v.Request.JSON, path); ok {
		return value
	}
	return def
}

func username(v *View) string {
	for _, name := range []string{"username", "user_name"} {
		if s := toText(attr(v, name, "")); s != "" {
			return s
		}
	}
	if s := toText(claim(v, "preferred_username", "")); s != "" {
		return s
	}
	return loginName(v.User)
}

// loginName is the user's first login name that is not an e-mail address,
// else the first one.
func loginName(u *identity.User) string {
	if u == nil || len(u.LoginNames) == 0 {
		return ""
	}
	for _, n := range u.LoginNames {
		if (n.Slot == "" || n.Slot == identity.SlotPassword) && !identity.LooksLikeEmail(n.Name) {
			return n.Name
		}
	}
	return u.LoginNames[0].Name
}

func orNull(v any) any {
	if v == "" {
		return nil
	}
	return v
}

func orDefault(def, v any) any {
	if v == nil || v == "" {
		return def
	}
	return v
}

func concat(parts ...any) string { return join("", parts...) }

func join(sep string, parts ...any) string {
	var texts []string
	for _, p := range parts {
		switch list := p.(type) {
		case []string:
			texts = append(texts, list...)
		case []any:
			for _, v := range list {
				texts = append(texts, toText(v))
			}
		default:
			texts = append(texts, toText(p))
		}
	}
	return strings.Join(texts, sep)
}

// layouts are the named layouts of the function date.
var layouts = map[string]string{
	"php":       "2006-01-02 15:04:05",
	"iso-micro": "2006-01-02T15:04:05.000000Z",
	"iso":       time.RFC3339,
	"dmy":       "02/01/2006",
	"mdy":       "01/02/2006",
	"ymd":       "2006-01-02",
}

func date(layout string, v any) string {
	text := ""
	if s, ok := v.(string); ok {
		text = s
	}
	if v == nil || (text == "" && v == "") {
		return ""
	}
	t, err := toTime(v)
	if err != nil {
		return text
	}
	if named, ok := layouts[layout]; ok {
		layout = named
	}
	return t.UTC().Format(layout)
}
