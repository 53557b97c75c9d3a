package oidc_test

import (
	"testing"

	"keyway/provider/upstream"
)

// FuzzVerifyLogout reads logout tokens that the upstream has signed, whatever they
// say: one that is believed names a session or a person, and itself.
func FuzzVerifyLogout(f *testing.F) {
	s := newIDP(f)
	c := s.connector(f)
	for _, body := range []string{
		`{"iss":"x","aud":"keyway","iat":1,"exp":2,"jti":"j","sid":"s","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`,
		`{"iss":"x","sub":"u","sub":"v","jti":["j"],"events":{"http://schemas.openid.net/event/backchannel-logout":null},"nonce":null}`,
		`{"Sub":"u","SID":"s","exp":1e400}`, `[]`, `{`, ``,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := c.VerifyLogout(t.Context(), s.SignRaw(body, "logout+jwt"))
		if err == nil && (l.ID == "" || l.Subject == "" && l.SID == "" || l.Issuer != s.URL) {
			t.Fatalf("believed %q", body)
		}
		if err != nil && upstream.KindOf(err) != upstream.Untrusted {
			t.Fatalf("%q is not untrusted: %v", body, err)
		}
	})
}
