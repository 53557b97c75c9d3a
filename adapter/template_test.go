package adapter

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// nasty is a value that must not break out of anything.
const nasty = "\"</p>\r\n\\'&\x00\xff]]>"

func TestEveryValueIsEncodedForWhereItStands(t *testing.T) {
	v := &View{User: &identity.User{Email: nasty, Claims: map[string]any{"l": []any{"a"}}}, Settings: map[string]any{}}
	for _, c := range []struct {
		name string
		enc  encoding
		src  string
		want string
	}{
		{"a JSON value", encodeJSON, `{"a":{{ .User.Email }}}`, `{"a":"\"</p>\r\n\\'&\u0000` + "\uFFFD" + `]]>"}`},
		{"inside a JSON string", encodeJSON, `{"a":"x{{ .User.Email }}y"}`, `{"a":"x\"</p>\r\n\\'&\u0000` + "\uFFFD" + `]]>y"}`},
		{"a JSON key", encodeJSON, `{"{{ .User.Email | lower }}":1}`, `{"\"</p>\r\n\\'&\u0000` + "\uFFFD" + `]]>":1}`},
		{"behind an escaped quote", encodeJSON, `{"a":"\"{{ .Outcome }}\\","b":{{ .Outcome }}}`, `{"a":"\"\\","b":""}`},
		{"in both branches", encodeJSON, `{"a":"{{ if .User }}{{ .User.Email | len }}{{ else }}-{{ end }}"}`, `{"a":"15"}`},
		{"in a loop", encodeJSON, `[{{ range claim "l" nil }}"{{ . }}",{{ end }}0]`, `["a",0]`},
		{"left of a variable", encodeJSON, `{{ $x := .User.Email }}{{ $x = "y" }}{{ $x }}`, `"y"`},
		{"XML", encodeXML, `<a>{{ .User.Email }}</a>`, "<a>&quot;&lt;/p&gt;&#13;\n\\&apos;&amp;\uFFFD\uFFFD]]&gt;</a>"},
		{"HTML", encodeHTML, `<p>{{ .User.Email }}`, "<p>&quot;&lt;/p&gt;\r\n\\&#039;&amp;\uFFFD\uFFFD]]&gt;"},
		{"text", encodeText, `{{ .User.Email }}`, "\"</p>\r\n\\'&\uFFFD\uFFFD]]>"},
		{"a directory", encodePath, `crm/{{ .User.Email }}`, "crm/%22%3C%2Fp%3E%0D%0A%5C%27&%EF%BF%BD%EF%BF%BD%5D%5D%3E"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, renderInline(t, c.enc, c.src, v))
		})
	}
}

func TestNoHeaderTakesALineBreak(t *testing.T) {
	ts := templates{files: map[string]*prepTemplate{}}
	parsed, err := ts.parse("inline", `a={{ .User.Email }}`, encodeHeader)
	require.NoError(t, err)
	for _, value := range []string{"a\r\nSet-Cookie: b", "a\nb", "a\x00", "\x7f"} {
		_, err = parsed.render(&View{User: &identity.User{Email: value}})
		require.ErrorIs(t, err, errHeader)
		require.NotContains(t, err.Error(), "Set-Cookie")
	}
	text, err := parsed.render(&View{User: &identity.User{Email: "a\tb\xff"}})
	require.NoError(t, err)
	require.Equal(t, "a=a\tb\uFFFD", text)
}

func TestTemplatesThatCannotBeRight(t *testing.T) {
	ts := templates{
		files: map[string]*prepTemplate{},
		open:  func(string) ([]byte, error) { return nil, errors.New("gone") },
	}
	for src, want := range map[string]string{
		`{"a":"\{{ .Outcome }}"}`:                "behind a backslash",
		`{"a":"`:                                 "not closed",
		`{{ range .User.LoginNames }}"{{ end }}`: "one branch ends inside",
		`{{ range .User.LoginNames }}"{{ else }}"{{ end }}`:  "the loop ends inside",
		`"{{ template "x.json.tmpl" $ }}"`:                   "inside a JSON string",
		`{{ template "x.json.tmpl" }}`:                       `write {{ template "x.json.tmpl" $ }}`,
		`{{ template "x.json.tmpl" $ }}`:                     "gone",
		`{{ template "x" $ }}`:                               "not of its own kind",
		`{{ range .User.LoginNames }}"{{ break }}"{{ end }}`: "leaves the loop",
		`{{ printf "%s" html }}`:                             `"html" not defined`,
		`{{ (call .Now).X }}`:                                `"call" not defined`,
		`{{ block "b" . }}{{ end }}`:                         "define and block",
	} {
		_, err := ts.parse("inline", src, encodeJSON)
		require.ErrorContains(t, err, want, src)
	}
}

func TestAnOutputWithoutEndIsCutOff(t *testing.T) {
	ts := templates{files: map[string]*prepTemplate{}, open: func(string) ([]byte, error) {
		return []byte(`{{ range 5000 }}{{ random 1024 "hex" }}{{ end }}`), nil
	}}
	parsed, err := ts.file("long.txt.tmpl")
	require.NoError(t, err)
	_, err = parsed.render(&View{})
	require.ErrorContains(t, err, "larger than")
}

func TestAFileDoesNotIncludeItself(t *testing.T) {
	ts := templates{files: map[string]*prepTemplate{}, open: func(name string) ([]byte, error) {
		next := map[string]string{"a.txt.tmpl": "b.txt.tmpl", "b.txt.tmpl": "a.txt.tmpl"}[name]
		return []byte(`{{ template "` + next + `" $ }}`), nil
	}}
	_, err := ts.file("a.txt.tmpl")
	require.ErrorContains(t, err, "it includes itself")
}
