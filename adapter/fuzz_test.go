package adapter

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// FuzzLoad puts a line of its own into a small system, so that there is little
// to shrink when it finds something.
func FuzzLoad(f *testing.F) {
	const before = "system: bad\nprofile: p\nreplies: {internal: {text: x}}\nroutes:\n  r:\n    path: /p\n    action: static\n"
	for _, line := range []string{
		"    when: {a: b}", "    also: [/x/*]", "input: {json: any}", "a: &x [*x]", "<<: *x", "extends: system.yaml",
		"    replies: {success: {json: '{{ .Now }}'}}", "settings: {s: {type: int, default: 1}}", "rate_limit: {per: 1s}",
		"    fields: {f: {from: [f], pattern: '['}}", "token: {format: jwt-hs256}", "key: {from: [k]}", "--- ",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 100 {
			return
		}
		s, err := Load(fstest.MapFS{"bad/system.yaml": {Data: []byte(before + line + "\n")}}, "bad", "system.yaml")
		if err == nil {
			require.NotNil(t, s.prepared)
			return
		}
		var problems Problems
		require.True(t, errors.As(err, &problems))
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{"a":"{{ .User.Email }}","b":{{ attr "x" nil }}}`)
	f.Add(`{{ if .User }}"{{ else }}"{{ end }}{{ $x := 1 }}{{ $x }}"`)
	f.Add(`{{ with $y := username }}{{ . | upper | md5 }}{{ end }}`)
	f.Fuzz(func(_ *testing.T, src string) {
		for _, enc := range []encoding{encodeJSON, encodeXML, encodeHeader} {
			ts := templates{files: map[string]*prepTemplate{}, open: func(string) ([]byte, error) { return nil, errors.New("none") }}
			if parsed, err := ts.parse("inline", src, enc); err == nil {
				_, _ = parsed.render(testView())
			}
		}
	})
}

func FuzzStripTags(f *testing.F) {
	f.Add("<a href='x>'>b</a> < <!-- -->")
	f.Fuzz(func(t *testing.T, s string) {
		require.LessOrEqual(t, len(stripTags(s)), len(s))
	})
}

func FuzzLegacyJWT(f *testing.F) {
	f.Add(sign(hs256, `{"sub":5,"exp":"1"}`, "s"))
	f.Fuzz(func(_ *testing.T, token string) {
		_, _ = readLegacyJWT(token, []byte("s"), start)
	})
}

func FuzzOpenSSLUnsalt(f *testing.F) {
	for _, text := range []string{"", "merchant key", "exactly 16 bytes"} {
		sealed, err := opensslSalted("s", text)
		require.NoError(f, err)
		f.Add("s", sealed)
	}
	f.Add("", "U2FsdGVkX18=")
	f.Fuzz(func(t *testing.T, passphrase, text string) {
		plain, ok := opensslUnsalt(passphrase, text)
		require.True(t, ok || plain == "")
		require.LessOrEqual(t, len(plain), len(text))
		sealed, err := opensslSalted(passphrase, text)
		require.NoError(t, err)
		again, ok := opensslUnsalt(passphrase, sealed)
		require.True(t, ok)
		require.Equal(t, text, again)
	})
}

func FuzzBasicCredentials(f *testing.F) {
	f.Add("Basic dTpwOnE=")
	f.Add("basic Og==")
	f.Add("Bearer  x")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		in, _ := readInput(httptest.NewRecorder(), r, everything())
		user, known := in.at(place{kind: fromBasic, name: fieldUsername})
		pass, same := in.at(place{kind: fromBasic, name: fieldPassword})
		require.Equal(t, known, same)
		require.NotContains(t, user.text, ":")
		require.LessOrEqual(t, len(user.text)+len(pass.text), len(header))
		bearer, ok := in.at(place{kind: fromBearer})
		require.False(t, ok && known)
		require.Equal(t, strings.TrimSpace(bearer.text), bearer.text)
	})
}
