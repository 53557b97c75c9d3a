package exchange_test

import (
	"maps"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
	"keyway/provider/identity"
)

// grantOf is a request of the caller with an assertion.
func grantOf(token string, own *jose.JSONWebKeySet, form ...string) exchange.Assertion {
	f := url.Values{"assertion": {token}}
	for i := 0; i+1 < len(form); i += 2 {
		f.Set(form[i], form[i+1])
	}
	return exchange.Assertion{Form: f, Keys: func(string) (*jose.JSONWebKeySet, error) { return own, nil }, Caller: exchange.Caller{
		ID: caller, Issuer: ours, Scopes: []string{"read", "write", "admin", "openid", "email"}, Audience: []string{"stock"},
	}}
}

func TestGrant(t *testing.T) {
	s, client, w := newSigner(t), newSigner(t), newWorld(t)
	r := w.reader(t, s)
	self := func(changes all) all {
		c := said(all{"iss": caller, "sub": caller})
		maps.Copy(c, changes)
		return c
	}
	t.Run("a client may speak for itself", func(t *testing.T) {
		who, d, err := r.Grant(t.Context(), grantOf(client.sign(t, nil, self(nil)), client.public))
		require.NoError(t, err)
		require.Equal(t, &exchange.Party{Client: caller, Scopes: []string{"read", "write", "admin"}}, who)
		require.Equal(t, &exchange.Decision{Scopes: []string{"read", "write", "admin"}, Audience: []string{"stock"}}, d)
	})
	t.Run("a client may not speak for a user, nor for another client", func(t *testing.T) {
		for _, changes := range []all{{"sub": "alice"}, {"sub": w.alice}, {"iss": "other", "sub": "other"}, {"iss": "other"}} {
			_, _, err := r.Grant(t.Context(), grantOf(client.sign(t, nil, self(changes)), client.public))
			wantCode(t, err, "invalid_grant")
		}
		_, _, err := r.Grant(t.Context(), grantOf(client.sign(t, nil, self(nil)), nil))
		wantCode(t, err, "invalid_grant")
	})
	t.Run("a trusted issuer may speak for a user, once", func(t *testing.T) {
		a := grantOf(s.sign(t, all{"typ": "JWT"}, said(all{"iat": nil, "act": all{"sub": "gw"}})), nil, "scope", "write")
		who, d, err := r.Grant(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, w.alice, who.Subject)
		require.Equal(t, noon, who.AuthTime)
		require.Equal(t, []string{"write"}, d.Scopes)
		require.Equal(t, &exchange.Actor{Subject: "gw", Issuer: corp}, d.Act)
		_, _, err = r.Grant(t.Context(), a)
		wantCode(t, err, "invalid_grant")
		require.ErrorContains(t, err, "invalid_grant")
	})
	t.Run("what is asked for is bounded by the issuer and the caller", func(t *testing.T) {
		token := s.sign(t, nil, said(all{"jti": "bounded"}))
		_, _, err := r.Grant(t.Context(), grantOf(token, nil, "scope", "admin"))
		wantCode(t, err, "invalid_scope")
		_, _, err = r.Grant(t.Context(), grantOf(token, nil, "audience", "else"))
		wantCode(t, err, "invalid_target")
		_, _, err = r.Grant(t.Context(), grantOf(token, nil))
		require.NoError(t, err, "nothing that was refused used it up")
	})
	t.Run("the gate keeps people out", func(t *testing.T) {
		for _, name := range []string{"newbie", "gone", "nobody"} {
			_, _, err := r.Grant(t.Context(), grantOf(s.sign(t, nil, said(all{"sub": name, "jti": name})), nil))
			wantCode(t, err, "invalid_grant")
		}
	})
	t.Run("may_act that names another is refused", func(t *testing.T) {
		_, _, err := r.Grant(t.Context(), grantOf(s.sign(t, nil, said(all{"jti": "m", "may_act": all{"sub": "x"}})), nil))
		wantCode(t, err, "invalid_grant")
	})
	t.Run("a missing assertion is invalid_request", func(t *testing.T) {
		_, _, err := r.Grant(t.Context(), grantOf("", nil))
		wantCode(t, err, "invalid_request")
	})
	for _, c := range []struct {
		name          string
		head, changes all
	}{
		{"a life of more than five minutes", nil, all{"exp": noon.Unix() + 361}},
		{"no exp", nil, all{"exp": "x"}},
		{"no jti", nil, all{"jti": nil}},
		{"an empty jti", nil, all{"jti": ""}},
		{"a list of audiences", nil, all{"aud": []any{ours}}},
		{"another's audience", nil, all{"aud": "https://other.example"}},
		{"a malformed iat", nil, all{"iat": "x"}},
		{"an access token", all{"typ": "at+jwt"}, nil},
		{"alg none", all{"alg": "none"}, nil},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, _, err := r.Grant(t.Context(), grantOf(s.sign(t, c.head, said(c.changes)), nil))
			wantCode(t, err, "invalid_grant")
			_, _, err = r.Grant(t.Context(), grantOf(client.sign(t, c.head, self(c.changes)), client.public))
			wantCode(t, err, "invalid_grant")
		})
	}
	t.Run("another's key is refused, and so is what is no token", func(t *testing.T) {
		for _, token := range []string{s.sign(t, nil, self(nil)), "a.b", "a.b.c"} {
			_, _, err := r.Grant(t.Context(), grantOf(token, client.public))
			wantCode(t, err, "invalid_grant")
		}
	})
	t.Run("keys that cannot be had are no judgement", func(t *testing.T) {
		away := w.reader(t, s, func(x *exchange.TrustedIssuer) { x.JWKS, x.JWKSURI = nil, corp+"/down" })
		_, _, err := away.Grant(t.Context(), grantOf(s.sign(t, nil, said(nil)), nil))
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	})
}

func TestOf50WithOneAssertionOneWins(t *testing.T) {
	s, w := newSigner(t), newWorld(t)
	r := w.reader(t, s)
	token := s.sign(t, nil, said(nil))
	var won atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, _, err := r.Grant(t.Context(), grantOf(token, nil)); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, won.Load())
}

func TestAStorageThatIsAwayIsNoJudgement(t *testing.T) {
	s, w := newSigner(t), newWorld(t)
	r := w.reader(t, s)
	require.NoError(t, w.store.Close())
	_, err := r.Read(t.Context(), s.sign(t, nil, said(nil)), caller)
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	_, _, err = r.Grant(t.Context(), grantOf(s.sign(t, nil, said(nil)), nil))
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
}
