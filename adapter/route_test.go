package adapter

import (
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// inn answers whatever is below /api, but gives way.
const inn = `
system: inn
profile: "1"
replies: {internal: {status: 500, text: internal}, not_found: {status: 404, text: no room}}
routes:
  room:
    path: /api/room
    methods: [GET]
    trailing_slash: redirect
    action: static
    replies: {success: {text: room}}
  rest: {path: /api/*, yield: true, trailing_slash: redirect, action: static, outcome: not_found}
`

const ferry = `
system: ferry
profile: "1"
replies: {internal: {status: 500, text: internal}}
routes: {all: {path: /api/*, action: static, replies: {success: {text: ferry}}}}
`

func systemAt(t *testing.T, name, src string) Instance {
	t.Helper()
	s, err := Load(fstest.MapFS{name + "/system.yaml": {Data: []byte(src)}}, name, "system.yaml")
	require.NoError(t, err)
	return Instance{Name: name, System: s, SiteURL: "http://h.example/", Client: "legacy-" + name}
}

func TestARouteMayGiveWay(t *testing.T) {
	one, other := systemAt(t, "inn", inn), systemAt(t, "ferry", ferry)
	for name, in := range map[string][]Instance{"mounted first": {one, other}, "mounted last": {other, one}} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, &scripted{}, nil, in...)
			require.Equal(t, "ferry", ask(a, http.MethodGet, "/api/x", "", "").Body.String())
			require.Equal(t, "room", ask(a, http.MethodGet, "/api/room", "", "").Body.String())
		})
	}
	t.Run("to nobody", func(t *testing.T) {
		a := serve(t, &scripted{}, nil, one)
		require.Equal(t, "no room", ask(a, http.MethodGet, "/api/x", "", "").Body.String())
	})
	t.Run("but not to its like", func(t *testing.T) {
		again := one
		again.Name = "again"
		require.ErrorContains(t, Check([]Instance{one, again}), "again: route rest: /api/* is answered by route rest of inn already")
	})
}

func TestASlashTooManyIsRedirectedWhateverTheMethod(t *testing.T) {
	in := systemAt(t, "inn", inn)
	in.BasePath, in.SiteURL = "/b", "http://h.example/b/"
	a := serve(t, &scripted{}, nil, in)
	for _, c := range []struct{ method, path, location string }{
		{http.MethodGet, "/b/api/room/?q=1", "http://h.example/b/api/room?q=1"},
		{http.MethodPut, "/b/api/room/", "http://h.example/b/api/room"},
		{http.MethodPost, "/b/api/x%0d%0aA:%20b/y/", "http://h.example/b/api/x%0D%0AA:%20b/y"},
		{http.MethodGet, "/b/api//evil.example/", "http://h.example/b/api//evil.example"},
		{http.MethodGet, "/b/api/", ""},
		{http.MethodPut, "/b/api/room", ""},
	} {
		w := ask(a, c.method, c.path, "", "")
		require.Equal(t, c.location, w.Header().Get("Location"), c.path)
		require.Equal(t, c.location != "", w.Code == http.StatusMovedPermanently, c.path)
	}
}
