package cors_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/cors"
)

const app = "https://app.example:8443"

func ask(o *cors.Origins, method string, header ...string) (http.Header, int, bool) {
	r := httptest.NewRequest(method, "/oauth2/token", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	done := o.Allow(w, r, "POST")
	return w.Header(), w.Code, done
}

func known(origins ...string) *cors.Origins {
	return cors.NewOrigins(func(context.Context) ([]string, error) { return origins, nil }, time.Minute, func() time.Time { return time.Unix(1, 0) })
}

func TestTheOriginOfAClientMayRead(t *testing.T) {
	h, _, done := ask(known(app), http.MethodPost, "Origin", app)
	require.False(t, done)
	require.Equal(t, app, h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "WWW-Authenticate, DPoP-Nonce, Retry-After", h.Get("Access-Control-Expose-Headers"))
	require.Equal(t, "Origin", h.Get("Vary"))
	require.Empty(t, h.Get("Access-Control-Allow-Credentials"))

	h, status, done := ask(known(app), http.MethodOptions, "Origin", app, "Access-Control-Request-Method", "POST")
	require.True(t, done)
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, app, h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "POST", h.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "Authorization, Content-Type, DPoP", h.Get("Access-Control-Allow-Headers"))
	require.Empty(t, h.Get("Access-Control-Allow-Credentials"))
}

func TestCVE2024_41657NoOriginIsMirrored(t *testing.T) {
	for _, origin := range []string{
		"https://evil.example", "https://app.example", "http://app.example:8443", "https://app.example:8443.evil.example", "null", "*", "",
		"https://app.example:8443/", "HTTPS://APP.EXAMPLE:8443", "https://x@app.example:8443", "https://evil-app.example:8443", "file://", "https://",
	} {
		for _, method := range []string{http.MethodPost, http.MethodOptions} {
			h, _, done := ask(known(app, ""), method, "Origin", origin, "Access-Control-Request-Method", "POST")
			require.Empty(t, h.Get("Access-Control-Allow-Origin"), origin)
			require.Empty(t, h.Get("Access-Control-Allow-Headers"), origin)
			require.Equal(t, method == http.MethodOptions && origin != "", done, origin)
		}
	}
	h, _, _ := ask(known(app), http.MethodPost, "Origin", app, "Origin", "https://evil.example")
	require.Empty(t, h.Get("Access-Control-Allow-Origin"), "two origins are none")
	h, _, done := ask(known(app), http.MethodOptions)
	require.False(t, done, "no preflight")
	require.Empty(t, h.Get("Access-Control-Allow-Origin"))
}

func TestWhatEverybodyMayRead(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("Origin", "https://anybody.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		w := httptest.NewRecorder()
		require.Equal(t, method == http.MethodOptions, cors.Open(w, r, "GET"))
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	}
}

func TestOriginsAreReadAnewAfterAWhile(t *testing.T) {
	now, reads, origins, failure := time.Unix(1, 0), 0, []string(nil), error(nil)
	o := cors.NewOrigins(func(context.Context) ([]string, error) { reads++; return origins, failure }, time.Minute, func() time.Time { return now })
	allowed := func() bool {
		h, _, _ := ask(o, http.MethodPost, "Origin", app)
		return h.Get("Access-Control-Allow-Origin") != ""
	}
	require.False(t, allowed())
	origins = []string{app}
	require.False(t, allowed())
	require.Equal(t, 1, reads)
	now = now.Add(time.Minute)
	require.True(t, allowed())
	now, failure = now.Add(time.Minute), errors.New("away")
	require.False(t, allowed(), "who cannot be asked for allows nobody")
	failure = nil
	require.True(t, allowed())
}

func TestOriginOfAURI(t *testing.T) {
	for uri, want := range map[string]string{
		"https://App.Example/cb?x=1": "https://app.example", "https://app.example:443/": "https://app.example",
		"http://localhost:80/": "http://localhost", "http://127.0.0.1:5173/cb": "http://127.0.0.1:5173", "http://[::1]:8080/": "http://[::1]:8080",
		"http://[::1]/": "http://[::1]", "https://a:8443": "https://a:8443", "com.example.app:/cb": "", "https:///x": "", "%": "", "": "", "https://u@a/": "", "mailto:a@b": "",
	} {
		require.Equal(t, want, cors.Of(uri), uri)
	}
	require.True(t, cors.Check("https://app.example"))
	require.False(t, cors.Check("https://app.example/"))
	require.False(t, cors.Check(""))
	require.Equal(t, []string{"https://a", "https://b"}, cors.Merge(nil, "https://a/x", "https://b/", "https://a/y", "com.app:/z"))
}

func TestAnAppOnAnyLoopbackPortMayReadItsAnswers(t *testing.T) {
	o := known(cors.Merge(nil, "http://127.0.0.1/callback", "https://app.example/callback")...)
	for origin, may := range map[string]bool{
		"http://127.0.0.1": true, "http://127.0.0.1:3456": true, "https://app.example": true,
		"http://127.0.0.1.evil.example": false, "http://127.0.0.1:80.evil.example": false, "https://127.0.0.1:3456": false,
		"http://[::1]:3456": false, "http://localhost:3456": false, "https://app.example:3456": false,
	} {
		h, _, _ := ask(o, http.MethodPost, "Origin", origin)
		require.Equal(t, may, h.Get("Access-Control-Allow-Origin") == origin, origin)
	}
}
