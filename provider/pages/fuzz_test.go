package pages_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"keyway/provider/pages"
)

func FuzzPagesForAnyRequest(f *testing.F) {
	site, err := newPages(f, "", nil)
	require.NoError(f, err)
	f.Add("de", "en;q=0.5", "https://app.example/", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	f.Add("x-_-%", "*;q=9,,;", "javascript:alert(1)", "\xff\"><script>")
	f.Fuzz(func(t *testing.T, uiLocales, acceptLanguage, redirectURI, agent string) {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/account", http.NoBody)
		c.Request.Header["Accept-Language"] = []string{acceptLanguage}
		page := &pages.AccountPage{
			Visit:    pages.Visit{Locales: uiLocales, RedirectURI: redirectURI, ClientName: agent},
			Sessions: []pages.Session{{UserAgent: agent, Address: agent, ID: agent}}, User: pages.User{Name: agent},
		}
		require.NoError(t, site.Render(c, http.StatusOK, page))
		require.True(t, slices.Contains(site.Locales(), w.Header().Get("Content-Language")))
		require.NotContains(t, w.Body.String(), "<script")
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "\n")
	})
}
