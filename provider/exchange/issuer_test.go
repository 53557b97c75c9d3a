package exchange_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const corp = "https://corp.example"

// signer is somebody with a key.
type signer struct {
	key    *ecdsa.PrivateKey
	public *jose.JSONWebKeySet
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &signer{key: k, public: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &k.PublicKey, KeyID: "k1", Algorithm: "ES256"}}}}
}

// sign signs anything, under any header.
func (s *signer) sign(t *testing.T, head map[string]any, said map[string]any) string {
	t.Helper()
	h := map[string]any{"alg": "ES256", "kid": "k1"}
	maps.Copy(h, head)
	hb, err := json.Marshal(h)
	require.NoError(t, err)
	cb, err := json.Marshal(said)
	require.NoError(t, err)
	input := base64.RawURLEncoding.EncodeToString(hb) + "." + base64.RawURLEncoding.EncodeToString(cb)
	sum := crypto.SHA256.New()
	sum.Write([]byte(input))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum.Sum(nil))
	require.NoError(t, err)
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	v.FillBytes(out[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(out)
}

// said are good claims with changes; a nil value removes.
func said(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": corp, "aud": ours, "sub": "alice", "jti": "1", "iat": noon.Unix() - 60, "exp": noon.Unix() + 120,
	}
	for name, v := range changes {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

type all = map[string]any

var errDown = errors.New("down")

// noTokens has none of ours.
type noTokens struct{ exchange.Tokens }

// world is a database with some users, and who asks it.
type world struct {
	exchange.ReaderOptions
	store *store.Store
	alice string // her subject
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: func() time.Time { return noon }})}
	gate, err := identity.NewGate(identity.GateOptions{Attempts: w.store, Now: func() time.Time { return noon }, Failures: 3})
	require.NoError(t, err)
	person := func(name string, status identity.Status) identity.Record {
		return identity.Record{User: identity.User{Status: status, LoginNames: []identity.LoginName{{Directory: "staff", Name: name}}}}
	}
	done, err := w.store.SaveRecords(t.Context(), []identity.Record{
		person("alice", identity.StatusActive), person("newbie", identity.StatusUnverified), person("gone", identity.StatusDisabled),
	})
	require.NoError(t, err)
	w.alice = done[0].Subject
	w.ReaderOptions = exchange.ReaderOptions{
		Audience: []string{ours, ours + "/oauth2/token"}, Tokens: noTokens{}, Users: w.store, Gate: gate, Replays: w.store, Now: func() time.Time { return noon },
	}
	return w
}

// reader trusts corp, which is s.
func (w *world) reader(t *testing.T, s *signer, change ...func(*exchange.TrustedIssuer)) *exchange.Reader {
	t.Helper()
	x := exchange.TrustedIssuer{Issuer: corp, JWKS: s.public, Directory: "staff", Scopes: []string{"read", "write"}}
	for _, f := range change {
		f(&x)
	}
	o := w.ReaderOptions
	o.Issuers = []exchange.TrustedIssuer{x}
	o.Published = func(_ context.Context, uri, kid string) (*jose.JSONWebKeySet, error) {
		if uri == corp+"/keys" && kid == "k1" {
			return s.public, nil
		}
		return nil, errDown
	}
	r, err := exchange.NewReader(o)
	require.NoError(t, err)
	return r
}

func TestReader(t *testing.T) {
	s, stranger, w := newSigner(t), newSigner(t), newWorld(t)
	r := w.reader(t, s)
	read := func(head, changes all) error {
		_, err := r.Read(t.Context(), s.sign(t, head, said(changes)), caller)
		return err
	}
	t.Run("a good token says who, until when and what at most", func(t *testing.T) {
		token := s.sign(t, all{"typ": "application/at+JWT"}, said(all{
			"aud": []any{"x", ours + "/oauth2/token"}, "auth_time": noon.Unix() - 3000, "scope": "write admin",
			"exp": float64(noon.Unix()) + 120.5, "act": all{"sub": "gw", "act": all{"sub": "cron", "iss": "https://x.example"}},
			"may_act": all{"sub": caller},
		}))
		require.True(t, r.Trusts(token))
		got, err := r.Read(t.Context(), token, caller)
		require.NoError(t, err)
		want := &exchange.Party{
			Subject: w.alice, AuthTime: noon.Add(-3000 * time.Second), Expires: noon.Add(2 * time.Minute), Scopes: []string{"write"},
			Act:    &exchange.Actor{Subject: "gw", Issuer: corp, Act: &exchange.Actor{Subject: "cron", Issuer: "https://x.example"}},
			MayAct: all{"sub": caller},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	t.Run("whom the gate keeps out, and whom nobody knows, is refused", func(t *testing.T) {
		for name, reason := range map[string]identity.Reason{
			"newbie": identity.ReasonUnverified, "gone": identity.ReasonDisabled, "nobody": identity.ReasonUnknownUser,
		} {
			_, err := r.Read(t.Context(), s.sign(t, nil, said(all{"sub": name})), caller)
			require.Equal(t, reason, identity.ReasonOf(err), name)
		}
	})
	t.Run("a token without a scope is good for what its issuer is", func(t *testing.T) {
		got, err := r.Read(t.Context(), s.sign(t, nil, said(nil)), caller)
		require.NoError(t, err)
		require.Equal(t, []string{"read", "write"}, got.Scopes)
	})
	for _, c := range []struct {
		name          string
		head, changes all
		want          string
	}{
		{"no exp", nil, all{"exp": nil}, "exp"},
		{"an exp that is text", nil, all{"exp": "9999999999"}, "exp"},
		{"an absurd exp", nil, all{"exp": 1e300}, "exp"},
		{"an exp of this moment", nil, all{"exp": noon.Unix()}, "exp"},
		{"no iat", nil, all{"iat": nil}, "iat"},
		{"an iat of long ago", nil, all{"iat": noon.Unix() - 3661}, "too old"},
		{"an iat in the future", nil, all{"iat": noon.Unix() + 61}, "future"},
		{"an nbf in the future", nil, all{"nbf": noon.Unix() + 61}, "not valid yet"},
		{"an nbf that is text", nil, all{"nbf": "now"}, "not valid yet"},
		{"another audience", nil, all{"aud": "https://other.example"}, "audience"},
		{"no audience", nil, all{"aud": nil}, "audience"},
		{"an audience of another type", nil, all{"aud": all{"a": ours}}, "audience"},
		{"no subject", nil, all{"sub": nil}, "names no user"},
		{"a subject that is a number", nil, all{"sub": 7}, "names no user"},
		{"a NUL in the subject", nil, all{"sub": "a\x00b"}, "names no user"},
		{"a subject without end", nil, all{"sub": strings.Repeat("a", 256)}, "names no user"},
		{"another issuer", nil, all{"iss": "https://other.example"}, "not trusted"},
		{"our own issuer", nil, all{"iss": ours}, "not trusted"},
		{"a member Iss instead of iss", nil, all{"iss": nil, "Iss": corp}, "not trusted"},
		{"alg none", all{"alg": "none"}, nil, "algorithm"},
		{"alg None", all{"alg": "None"}, nil, "algorithm"},
		{"alg HS256", all{"alg": "HS256"}, nil, "algorithm"},
		{"alg ES384", all{"alg": "ES384"}, nil, "algorithm"},
		{"a header without alg", all{"alg": nil}, nil, "algorithm"},
		{"a logout token", all{"typ": "logout+jwt"}, nil, "type"},
		{"a DPoP proof", all{"typ": "dpop+jwt"}, nil, "type"},
		{"a request object", all{"typ": "oauth-authz-req+jwt"}, nil, "type"},
		{"a header that must be understood", all{"crit": []any{"x"}, "x": 1}, nil, "no key of the set"},
		{"an unknown kid", all{"kid": "k2"}, nil, "no key of the set"},
		{"an act that is text", nil, all{"act": "gw"}, "act"},
		{"an act that names nobody", nil, all{"act": all{"iss": corp}}, "act"},
		{"an act with an issuer of another type", nil, all{"act": all{"sub": "a", "iss": 1}}, "act"},
		{"a may_act that is text", nil, all{"may_act": caller}, "may_act"},
		{"a jti of another type", nil, all{"jti": 1}, "jti"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) { require.ErrorContains(t, read(c.head, c.changes), c.want) })
	}
	t.Run("a chain of actors that is too deep is refused", func(t *testing.T) {
		var act any
		for range 6 {
			act = all{"sub": "x", "act": act}
		}
		require.ErrorContains(t, read(nil, all{"act": act}), "too deep")
	})
	t.Run("what is not a token is refused", func(t *testing.T) {
		for _, token := range []string{"", "a", "a.b", "a.b.c", "a.b.c.d", "bnVsbA.bnVsbA.x", strings.Repeat("a.", 9000)} {
			require.False(t, r.Trusts(token))
			_, err := r.Read(t.Context(), token, caller)
			require.Error(t, err, token)
		}
	})
	t.Run("a changed or emptied signature is refused", func(t *testing.T) {
		token := s.sign(t, nil, said(nil))
		input := token[:strings.LastIndexByte(token, '.')+1]
		other := stranger.sign(t, nil, said(nil))
		for _, bad := range []string{input, input + "AAAA", input + other[strings.LastIndexByte(other, '.')+1:]} {
			_, err := r.Read(t.Context(), bad, caller)
			require.Error(t, err, bad)
		}
	})
	t.Run("a key that the header brings along is not used", func(t *testing.T) {
		jwk, err := json.Marshal(jose.JSONWebKey{Key: &stranger.key.PublicKey, KeyID: "k1"})
		require.NoError(t, err)
		for _, head := range []all{{"jwk": json.RawMessage(jwk)}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/cert"}} {
			_, err = r.Read(t.Context(), stranger.sign(t, head, said(nil)), caller)
			require.ErrorContains(t, err, "no key of the set")
		}
	})
	t.Run("keys may be published", func(t *testing.T) {
		published := w.reader(t, s, func(x *exchange.TrustedIssuer) { x.JWKS, x.JWKSURI = nil, corp+"/keys" })
		_, err := published.Read(t.Context(), s.sign(t, nil, said(nil)), caller)
		require.NoError(t, err)
	})
	t.Run("keys that cannot be had are no judgement", func(t *testing.T) {
		away := w.reader(t, s, func(x *exchange.TrustedIssuer) {
			x.JWKS, x.JWKSURI = nil, corp+"/down"
		})
		_, err := away.Read(t.Context(), s.sign(t, nil, said(nil)), caller)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	})
}

func TestReaderOfOneIssuer(t *testing.T) {
	s, w := newSigner(t), newWorld(t)
	read := func(changes all, change func(*exchange.TrustedIssuer)) (*exchange.Party, error) {
		return w.reader(t, s, change).Read(t.Context(), s.sign(t, nil, said(changes)), caller)
	}
	t.Run("the claim that names the user can be another", func(t *testing.T) {
		got, err := read(all{"upn": "ALICE", "sub": "1234"}, func(x *exchange.TrustedIssuer) { x.Claim = "upn" })
		require.NoError(t, err)
		require.Equal(t, w.alice, got.Subject)
	})
	t.Run("a login name is of its directory", func(t *testing.T) {
		_, err := read(nil, func(x *exchange.TrustedIssuer) { x.Directory = "default" })
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	})
	t.Run("it can name subjects of ours", func(t *testing.T) {
		subjects := func(x *exchange.TrustedIssuer) { x.Subjects, x.Directory = true, "" }
		got, err := read(all{"sub": w.alice}, subjects)
		require.NoError(t, err)
		require.Equal(t, w.alice, got.Subject)
		_, err = read(nil, subjects)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	})
	t.Run("an e-mail address counts only where it is verified", func(t *testing.T) {
		byEmail := func(x *exchange.TrustedIssuer) { x.Claim = "email" }
		for _, verified := range []any{nil, false, "true", 1} {
			_, err := read(all{"email": "alice", "email_verified": verified}, byEmail)
			require.ErrorContains(t, err, "not verified")
		}
		_, err := read(all{"email": "alice", "email_verified": true}, byEmail)
		require.NoError(t, err)
	})
	t.Run("only its clients may present its tokens", func(t *testing.T) {
		_, err := read(nil, func(x *exchange.TrustedIssuer) { x.Clients = []string{"another"} })
		require.ErrorContains(t, err, "this client")
		_, err = read(nil, func(x *exchange.TrustedIssuer) { x.Clients = []string{caller} })
		require.NoError(t, err)
	})
	t.Run("its list of algorithms can be shorter", func(t *testing.T) {
		_, err := read(nil, func(x *exchange.TrustedIssuer) { x.Algorithms = []string{"RS256"} })
		require.ErrorContains(t, err, "algorithm")
	})
	t.Run("it can have an audience of its own", func(t *testing.T) {
		own := func(x *exchange.TrustedIssuer) { x.Audience = []string{"app"} }
		_, err := read(nil, own)
		require.ErrorContains(t, err, "audience")
		_, err = read(all{"aud": "app"}, own)
		require.NoError(t, err)
	})
	for name, change := range map[string]func(*exchange.TrustedIssuer){
		"one without keys":                 func(x *exchange.TrustedIssuer) { x.JWKS = nil },
		"one whose keys cannot be fetched": func(x *exchange.TrustedIssuer) { x.JWKS, x.JWKSURI = nil, corp },
		"one that is ourselves":            func(x *exchange.TrustedIssuer) { x.Issuer = ours },
		"one without a name":               func(x *exchange.TrustedIssuer) { x.Issuer = "" },
		"one with shared secrets":          func(x *exchange.TrustedIssuer) { x.Algorithms = []string{"ES256", "HS256"} },
		"one without any directory":        func(x *exchange.TrustedIssuer) { x.Directory = "" },
		"one with an age below zero":       func(x *exchange.TrustedIssuer) { x.MaxAge = -1 },
	} {
		t.Run(name+" is refused at the start", func(t *testing.T) {
			x := exchange.TrustedIssuer{Issuer: corp, JWKS: s.public, Directory: "staff"}
			o := w.ReaderOptions
			change(&x)
			o.Issuers = []exchange.TrustedIssuer{x}
			_, err := exchange.NewReader(o)
			require.Error(t, err)
		})
	}
}

// Casdoor exchanged tokens without looking at their signature, issuer, expiry
// and audience.
func TestCVE20269097AndCVE20269094ForeignTokensAreVerifiedWholly(t *testing.T) {
	s, stranger, w := newSigner(t), newSigner(t), newWorld(t)
	r := w.reader(t, s)
	for name, token := range map[string]string{
		"signature": stranger.sign(t, nil, said(nil)),
		"issuer":    s.sign(t, nil, said(all{"iss": "https://evil.example"})),
		"expiry":    s.sign(t, nil, said(all{"exp": noon.Unix() - 1})),
		"audience":  s.sign(t, nil, said(all{"aud": "another-app"})),
	} {
		_, err := r.Read(t.Context(), token, caller)
		require.Error(t, err, name)
		_, _, err = r.Grant(t.Context(), grantOf(token, nil))
		wantCode(t, err, "invalid_grant")
	}
}

// ZITADEL took JWTs of an upstream without aud and exp.
func TestCVE202655669GHSAWxg7W2v3W38gAudAndExpMustBeThere(t *testing.T) {
	s := newSigner(t)
	r := newWorld(t).reader(t, s)
	for _, missing := range []string{"aud", "exp"} {
		_, err := r.Read(t.Context(), s.sign(t, nil, said(all{missing: nil})), caller)
		require.ErrorContains(t, err, missing[:3])
	}
}

func TestRSAKeys(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &k.PublicKey, KeyID: "r"}}}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256} {
		js, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k}, (&jose.SignerOptions{}).WithHeader("kid", "r"))
		require.NoError(t, err)
		body, err := json.Marshal(said(nil))
		require.NoError(t, err)
		jws, err := js.Sign(body)
		require.NoError(t, err)
		token, err := jws.CompactSerialize()
		require.NoError(t, err)
		r := newWorld(t).reader(t, &signer{public: set})
		_, err = r.Read(t.Context(), token, caller)
		require.NoError(t, err, alg)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NvcnAuZXhhbXBsZSJ9.AA")
	f.Add("e30.e30.")
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &k.PublicKey}}}
	none := struct {
		exchange.Tokens
		exchange.Users
		exchange.Gate
		exchange.Replays
	}{}
	r, err := exchange.NewReader(exchange.ReaderOptions{
		Issuers: []exchange.TrustedIssuer{{Issuer: corp, JWKS: set, Subjects: true}}, Audience: []string{ours},
		Tokens: none, Users: none, Gate: none, Replays: none, Now: func() time.Time { return noon },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if st, err := r.Read(t.Context(), token, caller); err == nil || st != nil {
			t.Fatal("a token that nobody signed was read")
		}
	})
}
