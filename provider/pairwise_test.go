package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/store/storetest"
)

// seedPairwise saves clients of two sectors.
func (w *world) seedPairwise(t *testing.T) {
	t.Helper()
	w.seedApps(t)
	for id, uri := range map[string]string{
		"red": "https://red.example.com/callback", "red-too": "https://red.example.com/other", "blue": "https://blue.example.com/callback",
	} {
		secret, hash := client.NewSecret()
		w.secrets[id] = secret
		require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
			ID: id, AuthMethod: provider.AuthSecretBasic, SecretHashes: []string{hash}, GrantTypes: []string{"authorization_code", "refresh_token"},
			Scopes: []string{"openid", "offline_access", "read"}, RedirectURIs: []string{uri}, SubjectType: "pairwise", SkipConsent: true,
			AccessTokenFormat: provider.FormatATJWT, PostLogoutRedirectURIs: []string{uri},
		}))
	}
}

// enter signs alice in at a pairwise client and redeems the code.
func (w *world) enter(t *testing.T, b *browser, client string, more ...string) answer {
	t.Helper()
	uri := map[string]string{"red": "https://red.example.com/callback", "red-too": "https://red.example.com/other", "blue": "https://blue.example.com/callback"}[client]
	got := b.signIn(t, ask(client, append([]string{"redirect_uri", uri, "scope", "openid offline_access"}, more...)...))
	a := w.exchange(client, got.Get("code"), uri)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

func TestAPairwiseClientNeverLearnsTheSubject(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedPairwise(t)
	b := w.newBrowser()
	a := w.enter(t, b, "red")
	subject, _ := w.idToken(t, a)["sub"].(string)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, subject)
	require.Equal(t, subject, w.userinfo(a.str("access_token")).str("sub"))
	access, err := w.Decode(t.Context(), a.str("access_token"))
	require.NoError(t, err)
	require.Equal(t, subject, access["sub"])
	own := w.post("/oauth2/introspect", "red", url.Values{"token": {a.str("access_token")}})
	require.Equal(t, subject, own.str("sub"))
	refreshed := w.refresh("red", a.str("refresh_token"))
	require.Equal(t, subject, w.idToken(t, refreshed)["sub"])
	for _, x := range []answer{a, own, refreshed, w.userinfo(refreshed.str("access_token"))} {
		require.NotContains(t, x.raw, w.alice)
	}
	require.Equal(t, w.alice, w.introspect(refreshed.str("access_token")).str("sub"), "a client that knows everybody as they are")

	require.Equal(t, subject, w.idToken(t, w.enter(t, b, "red-too"))["sub"], "one sector, one subject")
	require.NotEqual(t, subject, w.idToken(t, w.enter(t, b, "blue"))["sub"])
	public := w.idToken(t, b.tokens(t, "web"))
	require.Equal(t, w.alice, public["sub"])
	sids := []any{public["sid"], w.idToken(t, w.enter(t, b, "red"))["sid"], w.idToken(t, w.enter(t, b, "blue"))["sid"]}
	require.NotEqual(t, sids[0], sids[1], "the session does not tell what the subject hides")
	require.NotEqual(t, sids[1], sids[2])
	require.Equal(t, sids[1], w.idToken(t, refreshed)["sid"])
}

func TestPairwiseSubjectsAreUnderstood(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedPairwise(t)
	b := w.newBrowser()
	a := w.enter(t, b, "red")
	subject, _ := w.idToken(t, a)["sub"].(string)
	const uri = "https://red.example.com/callback"
	silent := func(more ...string) url.Values {
		return returned(t, b.get(ask("red", append([]string{"redirect_uri", uri, "prompt", "none"}, more...)...)))
	}
	require.NotEmpty(t, silent("id_token_hint", a.str("id_token")).Get("code"))
	require.NotEmpty(t, silent("claims", `{"id_token":{"sub":{"value":"`+subject+`"}}}`).Get("code"))
	require.Equal(t, "login_required", silent("claims", `{"id_token":{"sub":{"value":"`+w.alice+`"}}}`).Get("error"), "the subject itself is nobody here")
	blue := w.enter(t, b, "blue")
	require.Equal(t, "login_required", silent("id_token_hint", blue.str("id_token")).Get("error"))

	left := b.get(issuer + "/oauth2/logout?" + url.Values{"id_token_hint": {a.str("id_token")}, "post_logout_redirect_uri": {uri}}.Encode())
	require.Equal(t, uri, left.header.Get("Location"), "the hint is of who is signed in: nobody is asked")
	require.Equal(t, "login_required", silent().Get("error"))
}

func TestWhatAPairwiseClientMustHave(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	save := func(kind, sector string, uris ...string) error {
		return w.SaveClient(t.Context(), &provider.Client{
			ID: "x", AuthMethod: provider.AuthNone, GrantTypes: []string{"authorization_code"}, RedirectURIs: uris, SubjectType: kind, SectorIdentifierURI: sector,
		})
	}
	require.Error(t, save("pairwise", "", "https://a.example/", "https://b.example/"))
	require.Error(t, save("pairwise", "", "com.example.app:/cb"))
	require.Error(t, save("secret", "", "https://a.example/"))
	require.NoError(t, save("pairwise", "https://sector.example/", "https://a.example/", "https://b.example/"))
	m := w.do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil)).body
	require.Equal(t, []any{"public", "pairwise"}, m["subject_types_supported"])
}
