package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/store"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	corp          = "https://corp.example"
)

// exchangeOnEach runs f in a world with services that may exchange, one of which
// has the key, and which trusts corp, who has the key as well.
func exchangeOnEach(t *testing.T, f func(t *testing.T, w *world, key *ecdsa.PrivateKey)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	onEach(t, func(t *testing.T, w *world) {
		for _, c := range []provider.Client{
			{
				ID: "service", MayExchange: true, GrantTypes: []string{"client_credentials", bearerGrant}, JWKS: keySetOf(t, key),
				Scopes: []string{"openid", "email", "read", "offline_access"}, Audience: []string{"https://stock.example", "ship"},
			},
			{ID: "second", MayExchange: true, GrantTypes: []string{exchangeGrant}, Scopes: []string{"openid", "read"}, Audience: []string{"ship"}},
		} {
			c.AuthMethod = provider.AuthSecretBasic
			secret, hash := client.NewSecret()
			w.secrets[c.ID], c.SecretHashes = secret, []string{hash}
			require.NoError(t, w.SaveClient(t.Context(), &c))
		}
		f(t, w, key)
	}, func(o *provider.Options) {
		o.TrustedIssuers = []exchange.TrustedIssuer{{
			Issuer: corp, JWKS: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey}}}, Directory: "default", Scopes: []string{"read"},
		}}
	})
}

func (w *world) exchangeToken(client, token string, more ...string) answer {
	form := url.Values{"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {exchange.TypeAccessToken}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.post("/oauth2/token", client, form)
}

func (w *world) legacy(t *testing.T) string {
	t.Helper()
	g, err := w.GrantPassword(t.Context(), login())
	require.NoError(t, err)
	return g.AccessToken
}

// tokensOf issues an access token and an ID token of alice's to client.
func (w *world) tokensOf(t *testing.T, client string, scopes ...string) (access, id string) {
	t.Helper()
	refresh, _ := w.session(t, client, scopes...)
	a := w.refresh(client, refresh)
	require.Equal(t, 200, a.status, a.raw)
	return a.str("access_token"), a.str("id_token")
}

func (w *world) ownToken(t *testing.T, client string) string {
	t.Helper()
	a := w.post("/oauth2/token", client, url.Values{"grant_type": {"client_credentials"}})
	require.Equal(t, 200, a.status, a.raw)
	return a.str("access_token")
}

func TestTokenExchange(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, _ *ecdsa.PrivateKey) {
		t.Run("a legacy system's token becomes a narrower one", func(t *testing.T) {
			legacy := w.legacy(t)
			a := w.exchangeToken("service", legacy, "scope", "openid", "resource", "https://stock.example")
			require.Equal(t, 200, a.status, a.raw)
			require.Equal(t, exchange.TypeAccessToken, a.str("issued_token_type"))
			require.Equal(t, "Bearer", a.str("token_type"))
			require.Equal(t, "openid", a.str("scope"))
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.NotContains(t, a.body, "refresh_token")
			require.NotContains(t, a.body, "id_token")

			was, is := w.introspect(legacy).body, w.introspect(a.str("access_token")).body
			require.Equal(t, w.alice, is["sub"])
			require.Equal(t, "service", is["client_id"])
			require.Equal(t, []any{"https://stock.example"}, is["aud"])
			for _, same := range []string{"sub", "acr", "amr", "auth_time"} {
				require.Equal(t, was[same], is[same], same)
			}
			require.NotContains(t, is, "act")
			require.Equal(t, map[string]any{"sub": w.alice}, w.userinfo(a.str("access_token")).body)
			st := w.token(t, a.str("access_token"))
			require.Equal(t, "token_exchange", st.Grant.Origin)
			events, err := w.store.ListEvents(t.Context(), store.EventQuery{Subject: w.alice, Kind: "token_exchange"})
			require.NoError(t, err)
			require.Equal(t, identity.Event{
				At: w.clock.Now(), Kind: "token_exchange", Subject: w.alice, System: "faveo", ClientID: "service",
				GrantID: st.Grant.ID, RequestID: events[0].RequestID,
			}, events[0])
		})
		t.Run("without any scope or target asked for it gets what both may", func(t *testing.T) {
			a := w.exchangeToken("service", w.legacy(t))
			require.Equal(t, "openid email", a.str("scope"), a.raw)
			require.Equal(t, []any{"https://stock.example", "ship"}, w.introspect(a.str("access_token")).body["aud"])
		})
		t.Run("a delegated token says who acts, and who did before", func(t *testing.T) {
			a := w.exchangeToken("service", w.legacy(t), "actor_token", w.ownToken(t, "service"), "actor_token_type", exchange.TypeAccessToken)
			require.Equal(t, 200, a.status, a.raw)
			require.Equal(t, map[string]any{"sub": "service"}, w.introspect(a.str("access_token")).body["act"])
			b := w.exchangeToken("second", a.str("access_token"), "requested_token_type", exchange.TypeJWT)
			require.Equal(t, exchange.TypeJWT, b.str("issued_token_type"), b.raw)
			require.Equal(t, "openid", b.str("scope"))
			claims := w.claims(t, b.str("access_token"))
			require.Equal(t, map[string]any{"sub": "service"}, claims["act"], "who impersonates does not hide who acts")
			require.Equal(t, []any{"ship"}, claims["aud"])
			require.Equal(t, "second", claims["client_id"])
			require.Equal(t, w.alice, claims["sub"])
		})
		t.Run("an ID token is good for what its grant is", func(t *testing.T) {
			grants := []string{"client_credentials", "refresh_token"}
			c, err := w.store.FindClient(t.Context(), "service")
			require.NoError(t, err)
			c.GrantTypes = append(grants, bearerGrant)
			require.NoError(t, w.SaveClient(t.Context(), c))
			_, id := w.tokensOf(t, "service", "openid", "read", "offline_access")
			a := w.exchangeToken("service", id, "subject_token_type", exchange.TypeIDToken)
			require.Equal(t, "openid read", a.str("scope"), a.raw)
			wantError(t, w.exchangeToken("second", id, "subject_token_type", exchange.TypeIDToken), 400, "invalid_request")
			wantError(t, w.exchangeToken("service", id), 400, "invalid_request")
			_, err = w.store.Revoke(t.Context(), provider.RevokeQuery{ClientID: "service"})
			require.NoError(t, err)
			wantError(t, w.exchangeToken("service", id, "subject_token_type", exchange.TypeIDToken), 400, "invalid_request")
		})
		t.Run("a client's own token stays its own", func(t *testing.T) {
			a := w.exchangeToken("service", w.ownToken(t, "service"), "audience", "ship")
			require.Equal(t, "service", w.introspect(a.str("access_token")).str("sub"), a.raw)
			wantError(t, w.exchangeToken("second", w.ownToken(t, "service")), 400, "invalid_request")
		})
		t.Run("it lives no longer than what it was made of", func(t *testing.T) {
			legacy := w.legacy(t)
			w.clock.add(time.Hour - time.Minute)
			a := w.exchangeToken("service", legacy)
			require.InDelta(t, 60, a.body["expires_in"], 0, a.raw)
			w.clock.add(time.Minute)
			require.Equal(t, map[string]any{"active": false}, w.introspect(a.str("access_token")).body)
		})
	})
}

// claims are those of a JWT of ours.
func (w *world) claims(t *testing.T, token string) map[string]any {
	t.Helper()
	c, err := w.Decode(t.Context(), token)
	require.NoError(t, err)
	return c
}

func TestExchangedTokensEndWithWhatTheyWereMadeOf(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, _ *ecdsa.PrivateKey) {
		chain := func(t *testing.T) (legacy, last string) {
			t.Helper()
			legacy = w.legacy(t)
			a := w.exchangeToken("service", legacy, "audience", "ship")
			b := w.exchangeToken("second", a.str("access_token"))
			require.Equal(t, 200, b.status, b.raw)
			require.Equal(t, true, w.introspect(b.str("access_token")).body["active"])
			return legacy, b.str("access_token")
		}
		t.Run("when the legacy app signs out", func(t *testing.T) {
			legacy, last := chain(t)
			require.NoError(t, w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: legacy}))
			require.Equal(t, false, w.introspect(last).body["active"])
			wantError(t, w.exchangeToken("service", legacy), 400, "invalid_request")
		})
		t.Run("when the user is disabled", func(t *testing.T) {
			legacy, last := chain(t)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
			w.clock.add(time.Second) // what was read a moment ago is believed
			require.Equal(t, false, w.introspect(last).body["active"])
			wantError(t, w.exchangeToken("service", legacy), 400, "invalid_request")
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusActive))
			require.Equal(t, false, w.introspect(last).body["active"], "it does not come back")
		})
	})
}

func TestTokenExchangeRefusals(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, _ *ecdsa.PrivateKey) {
		legacy := w.legacy(t)
		access, id := w.tokensOf(t, "app")
		refresh, _ := w.session(t, "app")
		for _, c := range []struct {
			name, client, token, code string
			more                      []string
		}{
			{"an unknown token", "service", "kw_at_nope", "invalid_request", nil},
			{"a truncated token", "service", legacy[:len(legacy)-1], "invalid_request", nil},
			{"a refresh token", "service", refresh, "invalid_request", nil},
			{"an ID token as an access token", "service", id, "invalid_request", nil},
			{"an ID token of another client", "service", id, "invalid_request", []string{"subject_token_type", exchange.TypeIDToken}},
			{"an access token as an ID token", "service", access + ".a.b", "invalid_request", []string{"subject_token_type", exchange.TypeIDToken}},
			{"no token", "service", "", "invalid_request", nil},
			{"more scope than the token has", "service", legacy, "invalid_scope", []string{"scope", "read"}},
			{"more scope than the caller may have", "service", access, "invalid_scope", []string{"scope", "write"}},
			{"offline_access", "service", access, "invalid_scope", []string{"scope", "offline_access"}},
			{"a target that is not the caller's", "service", legacy, "invalid_target", []string{"resource", "https://pay.example"}},
			{"a target that is no URI", "service", legacy, "invalid_target", []string{"resource", "ship"}},
			{"an unknown type to issue", "service", legacy, "invalid_request", []string{"requested_token_type", exchange.TypeIDToken}},
			{"an actor token of a person", "service", legacy, "invalid_request", []string{"actor_token", access, "actor_token_type", exchange.TypeAccessToken}},
			{"an actor token of another client", "service", legacy, "invalid_request", []string{"actor_token", w.ownToken(t, "app"), "actor_token_type", exchange.TypeAccessToken}},
			{"an unknown actor token", "service", legacy, "invalid_request", []string{"actor_token", "x", "actor_token_type", exchange.TypeAccessToken}},
			{"a client without the right", "app", legacy, "unauthorized_client", nil},
			{"a public client", "spa", legacy, "unauthorized_client", nil},
		} {
			t.Run(c.name+" is refused", func(t *testing.T) {
				a := w.exchangeToken(c.client, c.token, c.more...)
				wantError(t, a, 400, c.code)
				require.Equal(t, "no-store", a.header.Get("Cache-Control"))
				require.NotContains(t, a.raw, legacy)
			})
		}
		t.Run("a narrower token does not become wider again", func(t *testing.T) {
			a := w.exchangeToken("service", legacy, "scope", "openid", "audience", "https://stock.example")
			b := w.exchangeToken("service", a.str("access_token"), "scope", "openid email")
			wantError(t, b, 400, "invalid_scope")
			wantError(t, w.exchangeToken("service", a.str("access_token"), "audience", "ship"), 400, "invalid_target")
			wantError(t, w.exchangeToken("second", a.str("access_token")), 400, "invalid_target")
		})
		t.Run("a parameter that is repeated is refused, but for targets", func(t *testing.T) {
			form := url.Values{
				"grant_type": {exchangeGrant}, "subject_token": {legacy}, "subject_token_type": {exchange.TypeAccessToken},
				"audience": {"ship", "https://stock.example"}, "scope": {"openid"},
			}
			require.Equal(t, 200, w.post("/oauth2/token", "service", form).status)
			form["scope"] = []string{"openid", "email"}
			wantError(t, w.post("/oauth2/token", "service", form), 400, "invalid_request")
		})
		t.Run("only a client that authenticates may have the right", func(t *testing.T) {
			for _, method := range []provider.AuthMethod{provider.AuthNone, provider.AuthAdapter} {
				err := w.SaveClient(t.Context(), &provider.Client{ID: "x", AuthMethod: method, MayExchange: true})
				require.ErrorContains(t, err, "may_exchange")
				err = w.SaveClient(t.Context(), &provider.Client{ID: "x", AuthMethod: method, GrantTypes: []string{bearerGrant}})
				require.ErrorContains(t, err, "jwt-bearer")
			}
		})
		t.Run("an outage is no judgement", func(t *testing.T) {
			w.clock.add(time.Second) // what was read a moment ago is believed
			require.NoError(t, w.store.Close())
			a := w.exchangeToken("service", legacy)
			require.Equal(t, 503, a.status, a.raw)
		})
	})
}

func TestTrustedIssuers(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, key *ecdsa.PrivateKey) {
		say := func(changes map[string]any) string {
			now := w.clock.Now()
			c := map[string]any{
				"iss": corp, "aud": issuer, "sub": "alice", "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(4 * time.Minute).Unix(),
			}
			for name, v := range changes {
				c[name] = v
			}
			return assert(t, "ES256", key, c)
		}
		bearer := func(client, token string, more ...string) answer {
			form := url.Values{"grant_type": {bearerGrant}, "assertion": {token}}
			for i := 0; i+1 < len(more); i += 2 {
				form.Set(more[i], more[i+1])
			}
			return w.post("/oauth2/token", client, form)
		}
		t.Run("its tokens are exchanged for ours", func(t *testing.T) {
			a := w.exchangeToken("service", say(nil), "subject_token_type", exchange.TypeJWT, "audience", "ship")
			require.Equal(t, 200, a.status, a.raw)
			require.Equal(t, "read", a.str("scope"))
			require.InDelta(t, 240, a.body["expires_in"], 0)
			require.Equal(t, w.alice, w.introspect(a.str("access_token")).str("sub"))
		})
		t.Run("they are not access tokens of ours", func(t *testing.T) {
			wantError(t, w.exchangeToken("service", say(nil)), 400, "invalid_request")
			wantError(t, w.exchangeToken("service", say(map[string]any{"aud": "x"}), "subject_token_type", exchange.TypeJWT), 400, "invalid_request")
		})
		t.Run("its word is a grant, once", func(t *testing.T) {
			token := say(nil)
			a := bearer("service", token, "scope", "read")
			require.Equal(t, 200, a.status, a.raw)
			require.NotContains(t, a.body, "refresh_token")
			require.NotContains(t, a.body, "issued_token_type")
			require.Equal(t, w.alice, w.introspect(a.str("access_token")).str("sub"))
			require.Equal(t, "jwt_bearer", w.token(t, a.str("access_token")).Grant.Origin)
			again := bearer("service", token)
			wantError(t, again, 400, "invalid_grant")
			require.Equal(t, "no-store", again.header.Get("Cache-Control"))
			wantError(t, bearer("app", say(nil)), 400, "unauthorized_client")
			wantError(t, bearer("service", ""), 400, "invalid_request")
			wantError(t, bearer("service", say(nil), "scope", "email"), 400, "invalid_scope")
		})
		t.Run("a client's own assertion is a grant to itself", func(t *testing.T) {
			a := bearer("service", say(map[string]any{"iss": "service", "sub": "service"}))
			require.Equal(t, "read", a.str("scope"), a.raw)
			require.Equal(t, "service", w.introspect(a.str("access_token")).str("sub"))
			wantError(t, bearer("service", say(map[string]any{"iss": "service"})), 400, "invalid_grant")
		})
		t.Run("of 50 with one assertion one wins", func(t *testing.T) {
			token := say(nil)
			var won, lost atomic.Int32
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					switch a := bearer("service", token); {
					case a.status == 200:
						won.Add(1)
					case a.status == 400 && a.str("error") == "invalid_grant":
						lost.Add(1)
					}
				})
			}
			all.Wait()
			require.EqualValues(t, 1, won.Load())
			require.EqualValues(t, 49, lost.Load())
		})
	})
}

// A grant that is being exchanged while it is revoked leaves nothing behind.
func TestExchangeRacesRevocation(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, _ *ecdsa.PrivateKey) {
		legacy := w.legacy(t)
		var made sync.Map
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if a := w.exchangeToken("service", legacy); a.status == 200 {
					made.Store(a.str("access_token"), true)
				}
			})
		}
		require.NoError(t, w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: legacy}))
		all.Wait()
		made.Range(func(token, _ any) bool {
			require.Equal(t, false, w.introspect(token.(string)).body["active"])
			return true
		})
	})
}

// A thief of a bound token must not find a client by which it becomes one that
// needs no proof.
func TestABoundTokenIsExchangedForABoundOne(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, _ *ecdsa.PrivateKey) {
		w.seedApps(t)
		phone, service := w.newHolder(t), w.newHolder(t)
		const native = "http://127.0.0.1/callback"
		code := w.newBrowser().signIn(t, ask("native", "redirect_uri", native)).Get("code")
		bound := w.exchange("native", code, native, "DPoP", phone.proof(t, "POST", "/oauth2/token"))
		require.Equal(t, "DPoP", bound.str("token_type"), bound.raw)
		form := url.Values{
			"grant_type": {exchangeGrant}, "subject_token": {bound.str("access_token")}, "subject_token_type": {exchange.TypeAccessToken},
		}
		wantError(t, w.postWith("/oauth2/token", "service", form), 400, "invalid_dpop_proof")
		a := w.postWith("/oauth2/token", "service", form, "DPoP", service.proof(t, "POST", "/oauth2/token"))
		require.Equal(t, "DPoP", a.str("token_type"), a.raw)
		require.Equal(t, map[string]any{"jkt": service.thumbprint(t)}, w.introspect(a.str("access_token")).body["cnf"])
	})
}
