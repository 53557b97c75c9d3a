package adapter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// everything reads all kinds of bodies.
func everything() *Input {
	in := &Input{Form: true, Multipart: true, JSON: "contains", Scalars: true, Other: "not_found", Malformed: OutcomeMalformed}
	in.fillDefaults()
	return in
}

func read(t *testing.T, rules *Input, contentType, body string) (*input, Outcome) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/?q=1&both=query", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return readInput(httptest.NewRecorder(), r, rules)
}

func text(t *testing.T, in *input, source string) string {
	t.Helper()
	p, err := parsePlace(source, nil)
	require.NoError(t, err)
	v, ok := in.at(p)
	switch {
	case !ok:
		return "(absent)"
	case v.notString:
		return "(not a string)"
	}
	return v.text
}

const form = "application/x-www-form-urlencoded"

func TestValuesAreFoundWhereTheRulesSay(t *testing.T) {
	any := everything()
	any.JSON = "any"
	exact := everything()
	exact.JSON, exact.Scalars = "exact", false
	queryFirst := everything()
	queryFirst.Read = []string{"query", "body"}
	for _, c := range []struct {
		name         string
		rules        *Input
		kind, body   string
		source, want string
	}{
		{"a form", everything(), form, "a=b%20c+d", "a", "b c d"},
		{"a form with a charset", everything(), form + "; charset=utf-8", "a=b", "a", "b"},
		{"a broken content type", everything(), "application/json; charset=;", `{"a":"b"}`, "a", "b"},
		{"the body beats the query", everything(), form, "both=body", "both", "body"},
		{"unless the rules say otherwise", queryFirst, form, "both=body", "both", "query"},
		{"the query by name", everything(), form, "both=body", "query:both", "query"},
		{"the body by name", everything(), form, "q=2", "body:both", "(absent)"},
		{"the last of equal names wins", everything(), form, "a=1&a=2", "a", "2"},
		{"a broken escape stays", everything(), form, "a=%zz%41+%4", "a", "%zzA %4"},
		{"an array in a form is no string", everything(), form, "a[]=1", "a", "(not a string)"},
		{"an array with a key is no string", everything(), form, "a%5Bb%5D=1", "a", "(not a string)"},
		{"an empty name and value", everything(), form, "&=&a=", "a", ""},
		{"JSON by a suffix", everything(), "application/vnd.x+json", `{"a":"b"}`, "a", "b"},
		{"JSON by its type only", exact, "application/vnd.x+json", `{"a":"b"}`, "a", "(absent)"},
		{"JSON without a type", any, "", `{"a":"b"}`, "a", "b"},
		{"JSON of any type", any, "application/xml", `{"a":"b"}`, "a", "b"},
		{"a text is no JSON", any, "text/plain", `{"a":"b"}`, "a", "(absent)"},
		{"a dotted path", everything(), "application/json", `{"a":{"b":{"c":"d"}}}`, "a.b.c", "d"},
		{"a dot in a member's own name does not reach", everything(), "application/json", `{"a.b":"x","a":{"b":"y"}}`, "a.b", "y"},
		{"nor does it stand for a nested member", everything(), "application/json", `{"a.b":"x"}`, "a.b", "(absent)"},
		{"the last of equal members wins", everything(), "application/json", `{"a":"1","a":"2"}`, "a", "2"},
		{"a number counts as its text", everything(), "application/json", `{"a":1.50}`, "a", "1.50"},
		{"or as not a string", exact, "application/json", `{"a":1.50}`, "a", "(not a string)"},
		{"null is not a string", everything(), "application/json", `{"both":null}`, "both", "(not a string)"},
		{"an object is not a string", everything(), "application/json", `{"a":{}}`, "a", "(not a string)"},
		{"an array has no members", everything(), "application/json", `[1]`, "a", "(absent)"},
		{"a byte order mark is passed over where any body is JSON", any, "application/json", "\xEF\xBB\xBF{\"a\":\"b\"}", "a", "b"},
		{"and elsewhere is not", everything(), "application/json", "\xEF\xBB\xBF{\"a\":\"b\"}", "a", "(absent)"},
		{"multipart", everything(), "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--", "a", "b"},
		{"a file is passed over", everything(), "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\nb\r\n--x--", "a", "(absent)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, _ := read(t, c.rules, c.kind, c.body)
			require.Equal(t, c.want, text(t, in, c.source))
		})
	}
}

func TestBodiesThatAreNotRead(t *testing.T) {
	postOnly := everything()
	postOnly.BodyMethods = []string{http.MethodPut}
	ignore := everything()
	ignore.Other, ignore.Malformed = "", ""
	for _, c := range []struct {
		name       string
		rules      *Input
		kind, body string
		want       Outcome
	}{
		{"none", everything(), "image/png", "", ""},
		{"of another type", everything(), "image/png", "x", "not_found"},
		{"of another type, ignored", ignore, "image/png", "x", ""},
		{"of another method", postOnly, "image/png", "x", ""},
		{"broken JSON", everything(), "application/json", `{"a":`, OutcomeMalformed},
		{"JSON behind a byte order mark", everything(), "application/json", "\xEF\xBB\xBF{}", OutcomeMalformed},
		{"broken JSON, ignored", ignore, "application/json", `{"a":`, ""},
		{"two JSON values", everything(), "application/json", `{} {}`, OutcomeMalformed},
		{"a JSON string", everything(), "application/json", `"a"`, OutcomeMalformed},
		{"JSON 100 levels deep", everything(), "application/json", strings.Repeat(`{"a":`, 99) + "{}" + strings.Repeat("}", 99), ""},
		{"JSON 101 levels deep", everything(), "application/json", strings.Repeat("[", 101), OutcomeMalformed},
		{"brackets in a string are no levels", everything(), "application/json", `{"a":"\"` + strings.Repeat("[", 200) + `"}`, ""},
		{"multipart without a boundary", everything(), "multipart/form-data", "x", OutcomeMalformed},
		{"multipart that ends early", everything(), "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb", OutcomeMalformed},
		{"too many parts", everything(), "multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n\r\n", maxParts+1) + "--x--", OutcomeMalformed},
		{"64 KiB", everything(), form, strings.Repeat("a", maxBody), ""},
		{"one byte more", everything(), form, strings.Repeat("a", maxBody+1), OutcomeTooLarge},
		{"a megabyte of password", everything(), form, "password=" + strings.Repeat("a", 1<<20), OutcomeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := read(t, c.rules, c.kind, c.body)
			require.Equal(t, c.want, got)
		})
	}
}

func TestBoundariesAreReadAsPHPReadsThem(t *testing.T) {
	for _, c := range []struct{ name, kind, boundary string }{
		{"plain", "multipart/form-data; boundary=abc", "abc"},
		{"quoted", `multipart/form-data; boundary="a, b;c"; charset=utf-8`, "a, b;c"},
		{"what needs quotes without them", "multipart/form-data; boundary=----=_Part_0_1.2", "----=_Part_0_1.2"},
		{"a slash", "multipart/form-data; boundary=abc/def", "abc/def"},
		{"a comma in place of the semicolon", "multipart/form-data, boundary=abc", "abc"},
		{"another parameter behind it", "Multipart/Form-Data; BOUNDARY=a:b ; charset=utf-8", "a:b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := "--" + c.boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--" + c.boundary + "--\r\n"
			in, o := read(t, everything(), c.kind, body)
			require.Empty(t, o)
			require.Equal(t, "b", text(t, in, "a"))
		})
	}
	for _, kind := range []string{"multipart/form-data; boundary", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + strings.Repeat("x", maxBoundary+1)} {
		_, o := read(t, everything(), kind, "--x\r\n\r\n--x--")
		require.Equal(t, OutcomeMalformed, o)
	}
}

func TestHeadersCookiesAndSchemesAreSources(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Token", "x")
	r.Header.Set("Cookie", "sid=c")
	in, _ := readInput(httptest.NewRecorder(), r, everything())
	require.Equal(t, "x", text(t, in, "header:x-token"))
	require.Equal(t, "(absent)", text(t, in, "header:gone"))
	require.Equal(t, "(absent)", text(t, in, "header:Host"))
	require.Equal(t, "c", text(t, in, "cookie:sid"))
	require.Equal(t, "(absent)", text(t, in, "cookie:gone"))
	require.Equal(t, "(absent)", text(t, in, "basic:username"))
	require.Equal(t, "(absent)", text(t, in, "bearer"))
	r.SetBasicAuth("u", "p:q")
	require.Equal(t, "u", text(t, in, "basic:username"))
	require.Equal(t, "p:q", text(t, in, "basic:password"))
	r.Header.Set("Authorization", "bEARER  abc ")
	require.Equal(t, "abc", text(t, in, "bearer"))
}

func TestNormalisers(t *testing.T) {
	for one, want := range map[string]string{
		"trim": "A b", "trim_right": " A b", "lower": " a b ",
		"md5":    "09591c18161e98cdf1c1729323dc1ae0",
		"sha256": "ddc38155ad8966af713e3bf8bb4e2a0e91b3f292731bb08f5e4e182f3cd8443b",
	} {
		require.Equal(t, want, normalise(" A b ", []string{one}, nil), one)
	}
	require.Equal(t, "900150983cd24fb0d6963f7d28e17f72", normalise(" ABC", []string{"trim", "lower", "md5"}, nil))
	require.Equal(t, "&lt;", normalise("<", []string{"ossn_input"}, nil))
	require.Empty(t, normalise("x", []string{"openssl_unsalt:s"}, map[string]any{"s": "p"}))
}

func FuzzReadInput(f *testing.F) {
	f.Add(form, "a=b&c[]=d&%zz", "x=1")
	f.Add("application/json", `{"a":{"b":[1,null]}}`, "")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--", "")
	f.Add("multipart/form-data, boundary=a/b", "--a/b\r\n\r\n--a/b--", "")
	f.Add("", "\x00\xff", "%00[")
	f.Fuzz(func(t *testing.T, kind, body, query string) {
		for _, mode := range []string{"no", "exact", "contains", "any"} {
			rules := everything()
			rules.JSON = mode
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", kind)
			in, _ := readInput(httptest.NewRecorder(), r, rules)
			for name := range in.form {
				require.True(t, utf8.ValidString(name))
			}
			for _, p := range []place{{name: "a"}, {name: "a.b"}, {kind: fromBody, name: "x"}, {kind: fromQuery, name: "x"}, {kind: fromBearer}} {
				_, _ = in.at(p)
			}
		}
	})
}
