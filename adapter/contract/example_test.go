package contract_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/adapter"
	"keyway/adapter/contract"
)

const plain = `A sentence
in two lines.
-- given.yaml --
profile: "1"
users:
  - login_names: [a]
-- request --
GET / HTTP/1.1

-- response --
HTTP/1.1 200 OK

`

func TestAnExampleIsRead(t *testing.T) {
	e, err := contract.Parse("x.txtar", []byte(plain))
	require.NoError(t, err)
	require.Equal(t, "A sentence in two lines.", e.Sentence)
	require.Len(t, e.Exchanges, 1)
	require.False(t, e.Staged())
	require.Equal(t, "http://legacy.example/", e.Given.SiteURL)
	waits, err := contract.Parse("x.txtar", []byte(plain+"-- 1.wait --\n5s\n"))
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, waits.Exchanges[0].Wait)
	require.True(t, waits.Staged())
}

func TestMistakesInExamplesAreTold(t *testing.T) {
	for src, want := range map[string]string{
		"-- request --\n":       "begins with the sentence",
		"S\n":                   "there is no request",
		"S\n-- request --\nx\n": "exchange 1 needs a request and a response",
		"S\n-- 2.request --\nx\n-- 2.response --\ny\n":        "exchange 1 needs",
		"S\n-- 0.request --\nx\n":                             "a number from 1 on",
		"S\n-- x.request --\nx\n":                             "a number from 1 on",
		"S\n-- 1.reply --\nx\n":                               "sections are",
		"S\n-- wait --\nsoon\n":                               "it must be a duration",
		"S\n-- given.yaml --\nprofil: x\n":                    "profil",
		"S\n-- given.yaml --\nnow: today\n":                   "RFC 3339",
		"S\n-- given.yaml --\nusers: [{name: x}]\n":           "users[0]",
		"S\n-- given.yaml --\nusers: [{login_names: [[]]}]\n": "users[0]",
		strings.Repeat("S", 1<<20+1):                          "larger than",
	} {
		_, err := contract.Parse("x.txtar", []byte(src))
		require.ErrorContains(t, err, want, src[:min(len(src), 60)])
	}
	_, err := contract.Load(fstest.MapFS{"examples/a.txtar": {Data: []byte("S\n")}, "examples/b.txtar": {Data: nil}}, "examples")
	require.ErrorContains(t, err, "examples/a.txtar: there is no request")
	require.ErrorContains(t, err, "examples/b.txtar: an example begins")
}

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

func TestWhatDiffersIsShown(t *testing.T) {
	for _, c := range []struct {
		name, response string
		header         http.Header
		body, want     string
	}{
		{"nothing", "HTTP/1.1 200 OK\nX: 1\n\nbody\n", http.Header{"X": {"1"}}, "body", ""},
		{"a mask", "HTTP/1.1 200 OK\n\n{\"a\":\"<<*>>\",\"n\":<<*>>}\n", nil, `{"a":"x" ,"n":12}`, "body: differs at byte 8"},
		{"masks that fit", "HTTP/1.1 200 OK\n\n{\"a\":\"<<t>>\",\"n\":<<*>>,\"b\":\"<<t>>\"}\n", nil, `{"a":"x","n":12,"b":"x"}`, ""},
		{"a capture that changed", "HTTP/1.1 200 OK\n\n<<t>> <<t>>\n", nil, "a b", "body: differs at byte 2"},
		{"a mask for nothing", "HTTP/1.1 200 OK\n\n\"<<*>>\"\n", nil, `""`, "body: differs at byte 1"},
		{"a longer body", "HTTP/1.1 200 OK\n\na\n", nil, "ab", "body: differs at byte 1"},
		{"a body that ends in a line feed", "HTTP/1.1 200 OK\n\na\n<<end>>\n", nil, "a\n", ""},
		{"marks that are no masks", "HTTP/1.1 200 OK\n\n<< <<>> <<a b>>\n", nil, "<< <<>> <<a b>>", ""},
		{"the status", "HTTP/1.1 404 Not Found\n", nil, "", "status: want 404, got 200"},
		{"a header", "HTTP/1.1 200 OK\nX: 1\n", http.Header{"X": {"2"}}, "", "header X: differs at byte 0"},
		{"no header", "HTTP/1.1 200 OK\nX: 1\n", nil, "", `header X: want "1", got none`},
		{"a header too many", "HTTP/1.1 200 OK\n!X\n", http.Header{"X": {"2"}}, "", "header X: want none"},
		{"a header that is not listed", "HTTP/1.1 200 OK\n", http.Header{"X": {"2"}}, "", ""},
		{"a cookie that is not listed", "HTTP/1.1 200 OK\n", http.Header{"Set-Cookie": {"a=b"}}, "", "does not list"},
		{"two cookies", "HTTP/1.1 200 OK\nSet-Cookie: a=<<*>>; x\nset-cookie: c\n", http.Header{"Set-Cookie": {"a=b; x", "c"}}, "", ""},
		{"no status line", "200\n", nil, "", "begins with a line"},
		{"no header line", "HTTP/1.1 200 OK\nabc\n", nil, "", "no header line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := contract.Parse("x.txtar", []byte("S\n-- request --\nGET / HTTP/1.1\n-- response --\n"+c.response))
			require.NoError(t, err)
			wrong := contract.Run(t.Context(), *e, func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: c.header, Body: body(c.body)}, nil
			})
			if c.want == "" {
				require.Empty(t, wrong)
				return
			}
			require.NotEmpty(t, wrong)
			require.Contains(t, wrong[0].String(), c.want)
		})
	}
}

func TestReplayTellsWhatIsMissing(t *testing.T) {
	require.Contains(t, contract.Replay(t.Context(), fstest.MapFS{}, "x").Problems.Error(), "no system.yaml")
	fsys := fstest.MapFS{
		"bad/system.yaml":      {Data: []byte("system: bad\n")},
		"bad/examples/a.txtar": {Data: []byte(plain)},
		"bad/examples/b.txtar": {Data: []byte("S\n")},
	}
	problems := contract.Replay(t.Context(), fsys, "bad").Problems.Error()
	require.Contains(t, problems, `bad/examples/a.txtar: the folder has no profile "1" that loads`)
	require.Contains(t, problems, "there is no request")
	require.Contains(t, problems, "the profile needs its name")
}

func TestSettingsThatAreMissingAreTold(t *testing.T) {
	s, err := adapter.Load(os.DirFS("../testdata/systems"), "clinic", "system.yaml")
	require.NoError(t, err)
	_, err = contract.OnStage(s, contract.Given{SiteURL: "http://c.example/"}) //nolint:bodyclose // it returns a function
	require.ErrorContains(t, err, "jwt_secret: this setting is required")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain), []byte("a<<t>>b"))
	f.Add([]byte("S\n-- 1.request --\nPOST //x HTTP/1.1\nContent-Type: multipart/x\n\n<<a>>\n-- 1.response --\nHTTP/1.1 200 OK\n!X\n\n<<a>>\n"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, src, got []byte) {
		e, err := contract.Parse("x.txtar", src)
		if err != nil {
			return
		}
		_ = contract.Run(t.Context(), *e, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X": {string(got)}}, Body: body(string(got))}, nil
		})
		_, _ = contract.NewStage(e.Given)
	})
}
