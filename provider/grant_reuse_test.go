package provider_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// jwtLogin asks for a legacy JWT.
func jwtLogin(secret string) provider.PasswordGrant {
	g := login()
	g.Token.Format, g.Token.Header, g.Token.Secret = provider.FormatJWTHS256, `{"typ":"JWT","alg":"HS256"}`, []byte(secret)
	g.Token.Claims = func(f provider.TokenFacts) ([]byte, error) {
		return fmt.Appendf(nil, `{"sub":%s,"iat":%d,"exp":%d,"jti":"%s"}`, f.Account.ID, f.IssuedAt.Unix(), f.ExpiresAt.Unix(), f.ID), nil
	}
	return g
}

func TestLegacyTokens(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	t.Run("hex32 is 32 hexadecimal digits in the case asked for", func(t *testing.T) {
		g := login()
		g.Token.Format = provider.FormatHex32
		got, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{32}$`, got.AccessToken)
		g.Token.Upper = true
		got, err = w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		require.Regexp(t, `^[0-9A-F]{32}$`, got.AccessToken)
		require.Equal(t, http.StatusOK, w.userinfo(got.AccessToken).status)
	})
	t.Run("a legacy JWT is signed byte for byte as its claims say", func(t *testing.T) {
		got, err := w.GrantPassword(t.Context(), jwtLogin("s3cret"))
		require.NoError(t, err)
		parts := strings.Split(got.AccessToken, ".")
		require.Len(t, parts, 3)
		require.JSONEq(t, `{"typ":"JWT","alg":"HS256"}`, decodeSegment(t, parts[0]))
		require.Equal(t, string(got.Claims), decodeSegment(t, parts[1]))
		require.Regexp(t, `^{"sub":7,"iat":\d+,"exp":\d+,"jti":"[0-9A-Za-z]{16}"}$`, string(got.Claims))
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), parts[2])
		require.Empty(t, w.token(t, got.AccessToken).Token.Claims, "claims are kept only for reuse")
	})
	t.Run("a reused token is the same string until too little of its life is left", func(t *testing.T) {
		g := jwtLogin("s3cret")
		g.Token.Reuse, g.Token.MinRemain = true, 10*time.Minute
		first, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		w.clock.add(45 * time.Minute)
		again, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		require.Equal(t, first.AccessToken, again.AccessToken)
		require.Equal(t, first.ExpiresAt.Unix(), again.ExpiresAt.Unix())
		events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "login", After: w.clock.Now().Add(-time.Second)})
		require.NoError(t, err)
		require.Len(t, events, 1, "the login is recorded")
		require.Equal(t, first.ID, events[0].GrantID)
		w.clock.add(6 * time.Minute)
		fresh, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		require.NotEqual(t, first.AccessToken, fresh.AccessToken)
	})
	t.Run("reuse still asks for the password, and ends with the secret and the grant", func(t *testing.T) {
		g := jwtLogin("s3cret")
		g.Token.Reuse = true
		first, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		wrong := g
		wrong.Credentials.Password = "no"
		_, err = w.GrantPassword(t.Context(), wrong)
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
		rotated := g
		rotated.Token.Secret = []byte("another")
		other, err := w.GrantPassword(t.Context(), rotated)
		require.NoError(t, err)
		require.NotEqual(t, first.AccessToken, other.AccessToken)
		require.NoError(t, w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: other.AccessToken}))
		_, err = w.GrantPassword(t.Context(), rotated)
		require.NoError(t, err)
	})
}

func TestTokensWithoutID(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		g := jwtLogin("s3cret")
		g.Token.Claims = func(f provider.TokenFacts) ([]byte, error) {
			return fmt.Appendf(nil, `{"email":"a","iat":%d}`, f.IssuedAt.Unix()), nil
		}
		logins := func() int {
			events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "login", Limit: 1000})
			require.NoError(t, err)
			return len(events)
		}
		var last *provider.Grant
		t.Run("logins within one second share the one token they can have", func(t *testing.T) {
			grants := make(chan *provider.Grant, 20)
			parallel(cap(grants), func() answer {
				got, err := w.GrantPassword(t.Context(), g)
				if err != nil {
					t.Error(err)
				}
				grants <- got
				return answer{}
			})
			last = <-grants
			for range cap(grants) - 1 {
				require.Equal(t, last.AccessToken, (<-grants).AccessToken)
			}
			require.Equal(t, cap(grants), logins(), "each of them is recorded")
		})
		t.Run("logins in the second of a logout get tokens that work and are not of the future", func(t *testing.T) {
			end := func() {
				require.NoError(t, w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: last.AccessToken}))
			}
			seen := map[string]bool{last.AccessToken: true}
			for range 29 {
				end()
				got, err := w.GrantPassword(t.Context(), g)
				require.NoError(t, err)
				require.False(t, seen[got.AccessToken])
				require.False(t, got.IssuedAt.After(w.clock.Now()), "iat <= now")
				require.Equal(t, time.Hour, got.ExpiresAt.Sub(got.IssuedAt))
				a := w.introspect(got.AccessToken)
				require.LessOrEqual(t, a.body["auth_time"], a.body["iat"])
				seen[got.AccessToken], last = true, got
			}
			require.Equal(t, http.StatusOK, w.userinfo(last.AccessToken).status)
			end()
			_, err := w.GrantPassword(t.Context(), g)
			require.Equal(t, identity.ReasonRateLimited, identity.ReasonOf(err))
			w.clock.add(time.Second)
			_, err = w.GrantPassword(t.Context(), g)
			require.NoError(t, err)
		})
	})
}

// slowly is a sign-in that takes two seconds.
type slowly struct {
	identity.Authenticator
	clock *clock
}

func (s slowly) Authenticate(ctx context.Context, c identity.Credentials) (*identity.Identity, error) {
	s.clock.add(2 * time.Second)
	return s.Authenticator.Authenticate(ctx, c)
}

func TestNoTokenIsOlderThanItsSignIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.options.SignIn = slowly{w.options.SignIn, w.clock}
	w.start(t)
	w.clock.add(900 * time.Millisecond)
	for _, g := range []provider.PasswordGrant{login(), jwtLogin("s3cret")} {
		got, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		a := w.introspect(got.AccessToken)
		require.Equal(t, true, a.body["active"])
		require.LessOrEqual(t, a.body["auth_time"], a.body["iat"])
		require.LessOrEqual(t, a.body["iat"], float64(w.clock.Now().Unix()))
	}
}
