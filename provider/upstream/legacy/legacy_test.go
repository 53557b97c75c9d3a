package legacy_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/legacy"
)

func TestWhomAServerKnowsIsItsOwnId(t *testing.T) {
	s := newServer(t, saying(200, `{"id": 7, "email": "alice@example.com", "level": 1.5}`))
	p, err := s.verifier(t, described(), nil).Verify(t.Context(), login())
	require.NoError(t, err)
	require.Equal(t, []string{s.URL + "/old", "7"}, []string{p.Issuer, p.Subject})
	require.Equal(t, "alice@example.com", p.Claims["email"])
	require.Equal(t, "/old/login", s.got.URL.String())
	require.Equal(t, http.MethodPost, s.got.Method)
}

func TestFieldsAreEncodedAsTheBodyWants(t *testing.T) {
	const password = `p&"<w>=ü`
	for kind, check := range map[string]func(t *testing.T, s *server){
		"form": func(t *testing.T, s *server) {
			require.Equal(t, "application/x-www-form-urlencoded", s.got.Header.Get("Content-Type"))
			require.Equal(t, "key=k%261&pass=p%26%22%3Cw%3E%3D%C3%BC&user=alice", s.body)
		},
		"json": func(t *testing.T, s *server) {
			require.Equal(t, "application/json", s.got.Header.Get("Content-Type"))
			require.Equal(t, `{"key":"k&1","pass":"p&\"<w>=ü","user":"alice"}`, s.body)
		},
		"xml": func(t *testing.T, s *server) {
			require.Equal(t, "text/xml; charset=utf-8", s.got.Header.Get("Content-Type"))
			require.Contains(t, s.body, "<login><key>k&amp;1</key><pass>p&amp;&#34;&lt;w&gt;=ü</pass><user>alice</user></login>")
		},
	} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, saying(200, `{"id": "u"}`))
			d := described()
			d.Request.Body, d.Request.Root = kind, "login"
			_, err := s.verifier(t, d, map[string]string{"key": "k&1"}).Verify(t.Context(), login())
			require.NoError(t, err)
			check(t, s)
		})
	}
	t.Run("json may have objects, numbers and truths, and what is nil is left out", func(t *testing.T) {
		s := newServer(t, saying(200, `{"id": "u"}`))
		d := described()
		d.Request.Body = "json"
		d.Request.Fields = map[string]string{"jsonrpc": `"2.0"`, "id": "1", "deep": `{"user": username, "pass": [password]}`, "no": "nil", "yes": "true"}
		_, err := s.verifier(t, d, nil).Verify(t.Context(), login())
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(s.body), &got))
		require.Equal(t, map[string]any{"jsonrpc": "2.0", "id": 1.0, "yes": true, "deep": map[string]any{"user": "alice", "pass": []any{password}}}, got)
	})
	t.Run("query and headers", func(t *testing.T) {
		s := newServer(t, saying(200, `{"id": "u"}`))
		d := described()
		d.Request = legacy.Request{
			Method: http.MethodGet, Path: "/login.php", Query: map[string]string{"u": "username", "v": "2"},
			Headers: map[string]string{"X-Pass": "password", "X-System": "system"},
		}
		_, err := s.verifier(t, d, nil).Verify(t.Context(), &upstream.Login{Username: "a&b", Password: "right", System: "desk"})
		require.NoError(t, err)
		require.Equal(t, "/old/login.php?u=a%26b&v=2", s.got.URL.String())
		require.Equal(t, []string{"right", "desk", ""}, []string{s.got.Header.Get("X-Pass"), s.got.Header.Get("X-System"), s.body})
	})
}

func TestWhatCannotBeSaidIsNotSaidOtherwise(t *testing.T) {
	for name, c := range map[string]struct{ body, header, password string }{
		"bytes in JSON":             {"json", "", "p\xff"},
		"bytes in XML":              {"xml", "", "p\xff"},
		"a control character":       {"xml", "", "p\x01"},
		"a line in a header":        {"form", "password", "p\r\nX-Admin: 1"},
		"a NUL in a header":         {"form", "password", "p\x00"},
		"a control in a header, 7f": {"form", "password", "p\x7f"},
	} {
		s := newServer(t, saying(200, `{"id": "u"}`))
		d := described()
		d.Request.Body, d.Request.Root = c.body, "login"
		if c.header != "" {
			d.Request.Headers = map[string]string{"X-Pass": c.header}
		}
		_, err := s.verifier(t, d, nil).Verify(t.Context(), &upstream.Login{Username: "alice", Password: c.password})
		require.Equal(t, upstream.Wrong, upstream.KindOf(err), name)
		require.Zero(t, s.asked.Load(), name)
	}
}

func TestWhatAnswersMean(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   upstream.Kind
	}{
		"nobody":                              {saying(404, `{"why": "nobody"}`), upstream.Unknown},
		"switched off":                        {saying(200, `{"why": "off"}`), upstream.Disabled},
		"not confirmed":                       {saying(200, `{"why": "new"}`), upstream.Unverified},
		"locked":                              {saying(423, ``), upstream.Locked},
		"expired":                             {func(w http.ResponseWriter) { w.Header().Set("X-Why", "old"); w.WriteHeader(http.StatusForbidden) }, upstream.Expired},
		"wrong":                               {saying(401, `{"why": "wrong"}`), upstream.Wrong},
		"wrong, and no JSON":                  {saying(200, `no`), upstream.Wrong},
		"a refusal with an id":                {saying(200, `{"id": 7, "why": "wrong"}`), upstream.Wrong},
		"a page":                              {saying(200, `<html>welcome</html>`), upstream.Unavailable},
		"nothing":                             {saying(200, ``), upstream.Unavailable},
		"what nobody described":               {saying(200, `{"why": "else"}`), upstream.Unavailable},
		"an id twice, which two readers read": {saying(200, `{"id": 7, "id": 8}`), upstream.Unavailable},
		"half an answer":                      {saying(200, `{"id": 7`), upstream.Unavailable},
		"two answers":                         {saying(200, `{"id": 7} {"id": 8}`), upstream.Unavailable},
		"an error of its own":                 {saying(500, `{"why": "wrong"}`), upstream.Unavailable},
		"too many":                            {saying(429, `{"why": "wrong"}`), upstream.Unavailable},
		"a redirect inwards": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusFound)
		}, upstream.Unavailable},
		"a flood":                  {saying(200, `{"id": 7, "x": "`+strings.Repeat("x", 200<<10)+`"}`), upstream.Unavailable},
		"an id that is a fraction": {saying(200, `{"id": 7.5}`), upstream.Untrusted},
		"an id beyond all numbers": {saying(200, `{"id": 123456789012345678901}`), upstream.Untrusted},
		"an id without end":        {saying(200, `{"id": "`+strings.Repeat("7", 300)+`"}`), upstream.Untrusted},
		"an id of nothing":         {saying(200, `{"id": ""}`), upstream.Untrusted},
		"an id that is many":       {saying(200, `{"id": [7]}`), upstream.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answer)
			p, err := s.verifier(t, described(), nil).Verify(t.Context(), login())
			require.Equal(t, c.want, upstream.KindOf(err), "%v", err)
			require.Nil(t, p)
			require.NotContains(t, err.Error(), login().Password)
			require.Equal(t, int32(1), s.asked.Load(), "one attempt is one guess")
		})
	}
}

func TestAPasswordIsNotSentTwice(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet} {
		var s *server
		s = newServer(t, func(w http.ResponseWriter) {
			if s.asked.Load() == 1 { // the connection is kept
				saying(200, `{"id": 7}`)(w)
				return
			}
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close() // it was read, and maybe counted
			}
		})
		d := described()
		if d.Request.Method = method; method == http.MethodGet {
			d.Request.Query, d.Request.Fields = d.Request.Fields, nil
		}
		v := s.verifier(t, d, nil)
		_, err := v.Verify(t.Context(), login())
		require.NoError(t, err)
		_, err = v.Verify(t.Context(), login())
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
		require.Equal(t, int32(2), s.asked.Load(), method)
	}
}

func TestAServerThatIsAway(t *testing.T) {
	s := newServer(t, saying(200, "{}"))
	s.Close()
	_, err := s.verifier(t, described(), nil).Verify(t.Context(), login())
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
}

func TestDescriptionsThatCannotWork(t *testing.T) {
	for want, change := range map[string]func(*legacy.Description){
		"subject: an expression":            func(d *legacy.Description) { d.Subject = "" },
		"wrong: an expression":              func(d *legacy.Description) { d.Wrong = "" },
		"success: unknown name":             func(d *legacy.Description) { d.Success = "jason.id" },
		"claims: an expression of":          func(d *legacy.Description) { d.Claims = strings.Repeat("1+", 3000) + "1" },
		"request.fields.user: unknown name": func(d *legacy.Description) { d.Request.Fields["user"] = "json" },
		"request.method":                    func(d *legacy.Description) { d.Request.Method = "DELETE" },
		"request.path":                      func(d *legacy.Description) { d.Request.Path = "/a?b=c" },
		"request.path: must":                func(d *legacy.Description) { d.Request.Path = "/../admin" },
		"request.body":                      func(d *legacy.Description) { d.Request.Body = "yaml" },
		"request.root":                      func(d *legacy.Description) { d.Request.Body = "xml" },
		"request.fields: a GET":             func(d *legacy.Description) { d.Request.Method = "GET" },
		"request.headers: a name":           func(d *legacy.Description) { d.Request.Headers = map[string]string{"a b": "username"} },
		"request.fields: a name": func(d *legacy.Description) {
			d.Request.Body, d.Request.Root, d.Request.Fields = "xml", "r", map[string]string{"a><b": "username"}
		},
	} {
		d := described()
		change(&d)
		require.ErrorContains(t, legacy.Check(d, nil), want)
	}
	require.ErrorContains(t, legacy.Check(described(), map[string]string{"kay": "k"}), "settings.kay: the description reads no such setting")
	for _, url := range []string{"", "old.example.com", "https://u:p@old.example.com", "https://old.example.com?x=1"} {
		_, err := legacy.New(legacy.Options{URL: url, Description: described(), HTTP: http.DefaultClient})
		require.ErrorContains(t, err, "url")
	}
}

func TestAnExpressionThatFailsIsAnOutageAndQuotesNothing(t *testing.T) {
	d := described()
	d.Wrong = `json.a.b.c == "x"`
	s := newServer(t, saying(200, `{"a": "secret-of-hers"}`))
	_, err := s.verifier(t, d, nil).Verify(t.Context(), login())
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	require.NotContains(t, err.Error(), "secret-of-hers")
	d = described()
	d.Request.Fields["n"] = `{"an": "object"}`
	_, err = s.verifier(t, d, nil).Verify(t.Context(), login())
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "a form has no objects")
}
