package adapter

import (
	"errors"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func FuzzLoad(f *testing.F) {
	for _, file := range []string{"testdata/bad/base.yaml", "testdata/systems/library/system.yaml", "testdata/systems/clinic/system.yaml"} {
		src, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(src, []byte(`{"a":{{ .User.Email }}}`))
	}
	f.Add([]byte("a: &x [*x]\n<<: *x\n"), []byte(`{{ range claim "l" nil }}"{{ . }}"{{ else }}{{ template "success.json.tmpl" $ }}{{ end }}`))
	f.Fuzz(func(t *testing.T, yaml, tmpl []byte) {
		fsys := fstest.MapFS{
			"bad/system.yaml": {Data: yaml}, "bad/success.json.tmpl": {Data: tmpl}, "bad/claims.json.tmpl": {Data: tmpl},
			"bad/member.xml.tmpl": {Data: tmpl},
		}
		s, err := Load(fsys, "bad", "system.yaml")
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
		_, _ = opensslUnsalt("s", token)
	})
}
