package pages_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/pages"
	"keyway/templates"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// newPages returns the built-in pages under branding, which may be nil.
func newPages(t testing.TB, base string, branding fs.FS) (*pages.Pages, error) {
	t.Helper()
	web, err := templates.Web()
	require.NoError(t, err)
	return pages.New(pages.Options{Files: web, Branding: branding, Base: base})
}

// shown renders one page for a browser of the languages.
func shown(t *testing.T, site *pages.Pages, page pages.Page, acceptLanguage string) *httptest.ResponseRecorder {
	t.Helper()
	engine := gin.New()
	site.Mount(engine)
	engine.GET("/page", func(c *gin.Context) { require.NoError(t, site.Render(c, http.StatusTeapot, page)) })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/page", http.NoBody)
	r.Header.Set("Accept-Language", acceptLanguage)
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	return w
}

func loginPage(change func(*pages.LoginPage)) *pages.LoginPage {
	p := &pages.LoginPage{Form: pages.Form{Action: "/login", CSRF: "csrf-token", Interaction: "interaction-id"}}
	if change != nil {
		change(p)
	}
	return p
}

func TestEveryLanguageHasTheSameTexts(t *testing.T) {
	web, err := templates.Web()
	require.NoError(t, err)
	files, err := fs.Glob(web, "messages/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 2)
	placeholder := regexp.MustCompile(`\{\d\}`)
	shape := func(file string) map[string][]string {
		b, err := fs.ReadFile(web, file)
		require.NoError(t, err)
		var texts map[string]string
		require.NoError(t, json.Unmarshal(b, &texts))
		out := map[string][]string{}
		for key, text := range texts {
			require.NotEmpty(t, text, "%s: %s", file, key)
			out[key] = placeholder.FindAllString(text, -1)
		}
		return out
	}
	for _, file := range files {
		if diff := cmp.Diff(shape("messages/en.json"), shape(file)); diff != "" {
			t.Errorf("%s differs from English in keys or placeholders (-en +it):\n%s", file, diff)
		}
	}
}

func TestPagesChooseTheLanguage(t *testing.T) {
	site, err := newPages(t, "", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"en", "de"}, site.Locales())
	for _, c := range []struct{ name, uiLocales, accept, want string }{
		{"English where nothing is asked", "", "", "en"},
		{"the browser's where the app asks for none", "", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"the app's before the browser's", "de", "en", "de"},
		{"the first of the app's that there is", "fr-CA de en", "en", "de"},
		{"the browser's where there is none of the app's", "fr", "de", "de"},
		{"English where nothing fits", "fr", "ja", "en"},
		{"English for what is no language", "%%% ../../etc", "\"><script>", "en"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := shown(t, site, loginPage(func(p *pages.LoginPage) { p.Locales = c.uiLocales }), c.accept)
			require.Equal(t, c.want, w.Header().Get("Content-Language"))
			require.Contains(t, w.Body.String(), `<html lang="`+c.want+`">`)
		})
	}
	t.Run("some language for more than anybody speaks", func(t *testing.T) {
		long := strings.Repeat("de-x,", 5000)
		w := shown(t, site, loginPage(func(p *pages.LoginPage) { p.Locales = long }), long)
		require.Equal(t, http.StatusTeapot, w.Code)
	})
}

func TestPagesProtectThemselves(t *testing.T) {
	site, err := newPages(t, "", nil)
	require.NoError(t, err)
	h := shown(t, site, loginPage(nil), "").Header()
	require.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Equal(t, "DENY", h.Get("X-Frame-Options"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	policy := h.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		require.Contains(t, strings.Split(policy, "; "), directive)
	}
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, policy, "script-src")
	for uri, target := range map[string]string{
		"https://app.example/callback": "form-action 'self' https:", "com.example.app:/callback": "form-action 'self' com.example.app:",
		"http://127.0.0.1:1/x": "form-action 'self' http:", "%%; script-src *": "form-action 'self'", "": "form-action 'self'",
	} {
		h := shown(t, site, loginPage(func(p *pages.LoginPage) { p.RedirectURI = uri }), "").Header()
		require.Contains(t, strings.Split(h.Get("Content-Security-Policy"), "; "), target)
	}
	post := shown(t, site, &pages.FormPostPage{Action: "https://app.example/callback"}, "")
	require.Contains(t, post.Header().Get("Content-Security-Policy"), "script-src 'self'")
}

func TestPagesEscapeWhatOthersSay(t *testing.T) {
	site, err := newPages(t, "", nil)
	require.NoError(t, err)
	const markup = `"><script>alert(1)</script><b x='`
	visit := pages.Visit{ClientName: markup, RedirectURI: "https://app.example/" + markup}
	user := pages.User{Name: markup, Username: markup, Email: markup}
	form := pages.Form{Action: "/x", CSRF: markup, Interaction: markup, Hidden: []pages.Field{{Name: markup, Value: markup}}}
	for name, page := range map[string]pages.Page{
		"login":     &pages.LoginPage{Visit: visit, Form: form, Username: markup, Error: markup},
		"select":    &pages.SelectPage{Visit: visit, Form: form, User: user},
		"sign-up":   &pages.LoginPage{Form: form, SignUp: "javascript:alert(1)"},
		"consent":   &pages.ConsentPage{Visit: visit, Form: form, User: user, Scopes: []string{markup}, Details: []pages.Detail{{Type: markup, Lines: []pages.Line{{Name: markup, Value: markup}}}}},
		"logout":    &pages.LogoutPage{Visit: visit, Form: form, User: user},
		"error":     &pages.ErrorPage{Visit: visit, Code: markup, RequestID: markup},
		"form_post": &pages.FormPostPage{Visit: visit, Action: "javascript:alert(1)", Fields: []pages.Field{{Name: "state", Value: markup}}},
		"account": &pages.AccountPage{
			CSRF: markup, User: user, Notice: markup, Sessions: []pages.Session{{ID: markup, UserAgent: markup, Address: markup}},
			Consents: []pages.Consent{{ClientID: markup, ClientName: markup, Scopes: []string{markup}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := shown(t, site, page, "").Body.String()
			require.NotContains(t, body, "<script>")
			require.NotContains(t, body, "<b x=")
			require.NotContains(t, body, "javascript:")
			require.NotContains(t, body, "style=")
		})
	}
}

func TestTheLoginPageIsMadeForPasswordManagersAndScreenReaders(t *testing.T) {
	site, err := newPages(t, "/tenant", nil)
	require.NoError(t, err)
	body := shown(t, site, loginPage(func(p *pages.LoginPage) { p.Error, p.Username = "locked", "alice" }), "").Body.String()
	for _, want := range []string{
		`autocomplete="username"`, `autocomplete="current-password"`, `<label for="username">`, `<label for="password">`, `role="alert"`,
		`<input type="hidden" name="csrf" value="csrf-token">`, `<input type="hidden" name="interaction" value="interaction-id">`,
		`<title>Error: Sign in`, `too many attempts`, `aria-describedby="login-error"`, `href="/tenant/assets/keyway.css?v=`,
	} {
		require.Contains(t, body, want)
	}
	require.Equal(t, 1, strings.Count(body, `type="submit"`))
	require.NotContains(t, shown(t, site, loginPage(nil), "").Body.String(), `role="alert"`)
}

func TestBranding(t *testing.T) {
	t.Run("without files changes nothing, and every built-in page renders in every language", func(t *testing.T) {
		_, err := newPages(t, "", fstest.MapFS{})
		require.NoError(t, err)
	})
	t.Run("files win over the built-in ones, and texts one by one", func(t *testing.T) {
		site, err := newPages(t, "", fstest.MapFS{
			"messages/en.json": {Data: []byte(`{"product": "Acme ID", "scope.invoices": "Read your invoices"}`)},
			"messages/fr.json": {Data: []byte(`{"login.title": "Connexion"}`)},
			"static/brand.css": {Data: []byte(`:root{}`)},
			"logged_out.html":  {Data: []byte(`{{ define "title" }}Bye{{ end }}{{ define "main" }}<h1>Bye from Acme</h1>{{ end }}`)},
		})
		require.NoError(t, err)
		require.Equal(t, []string{"en", "de", "fr"}, site.Locales())
		body := shown(t, site, loginPage(nil), "fr").Body.String()
		require.Contains(t, body, "Connexion")
		require.Contains(t, body, "Acme ID") // what French lacks is English
		require.Contains(t, body, "/assets/brand.css?v=")
		require.Contains(t, shown(t, site, &pages.LoggedOutPage{}, "").Body.String(), "Bye from Acme")
		require.Contains(t, shown(t, site, &pages.ConsentPage{Scopes: []string{"invoices"}}, "").Body.String(), "Read your invoices")
	})
	for name, c := range map[string]struct {
		file, text, want string
	}{
		"a page that does not parse is found at the start":       {"login.html", `{{ define "main" }}{{`, "login.html"},
		"a page with an unknown text is found at the start":      {"error.html", `{{ define "main" }}{{ .T "no.such" }}{{ end }}`, `no message "no.such"`},
		"a page with an unknown field is found at the start":     {"logout.html", `{{ define "main" }}{{ .Page.Password }}{{ end }}`, "Password"},
		"a file of texts that is no JSON is found at the start":  {"messages/en.json", `{`, "messages/en.json"},
		"a file of texts of no language is found at the start":   {"messages/x_!.json", `{}`, "no language tag"},
		"a page without its main part is found at the beginning": {"account.html", `hello`, "main"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newPages(t, "", fstest.MapFS{c.file: {Data: []byte(c.text)}})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestStaticFiles(t *testing.T) {
	site, err := newPages(t, "/tenant", nil)
	require.NoError(t, err)
	engine := gin.New()
	site.Mount(engine)
	get := func(path, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, r)
		return w
	}
	link := regexp.MustCompile(`/tenant/assets/keyway\.css\?v=\w+`).FindString(shown(t, site, loginPage(nil), "").Body.String())
	require.NotEmpty(t, link)
	t.Run("are cached for good under the URL that pages use", func(t *testing.T) {
		w := get(link, "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "text/css; charset=utf-8", w.Header().Get("Content-Type"))
		require.Contains(t, w.Header().Get("Cache-Control"), "immutable")
		require.Equal(t, http.StatusNotModified, get(link, w.Header().Get("ETag")).Code)
	})
	t.Run("are cached for a while under any other", func(t *testing.T) {
		require.Equal(t, "public, max-age=300", get("/tenant/assets/keyway.css?v=old", "").Header().Get("Cache-Control"))
	})
	t.Run("are nothing but the files of that folder", func(t *testing.T) {
		for _, path := range []string{"/tenant/assets/../layout.html", "/tenant/assets/pico.LICENSE", "/tenant/assets/", "/tenant/assets/nothing.css"} {
			require.Equal(t, http.StatusNotFound, get(path, "").Code, path)
		}
	})
}
