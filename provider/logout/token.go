package logout

import (
	"net/url"
	"time"

	"keyway/provider/redirect"
	"keyway/provider/secret"
)

// Type is the header "typ" of logout tokens (OpenID Connect Back-Channel Logout
// 1.0, section 2.4).
const Type = "logout+jwt"

// event is the one member of the claim "events".
const event = "http://schemas.openid.net/event/backchannel-logout"

// lifetime is how long a logout token is good; each try makes a new one.
const lifetime = 2 * time.Minute

// Claims are those of a logout token (OpenID Connect Back-Channel Logout 1.0,
// section 2.4). Without sid, every session of the subject at the client is meant.
func Claims(issuer, client, subject, sid string, now time.Time) map[string]any {
	c := map[string]any{
		"iss": issuer, "aud": client, "sub": subject, "iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "jti": secret.ID(),
		"events": map[string]any{event: struct{}{}},
	}
	if sid != "" {
		c["sid"] = sid
	}
	return c
}

// FrameURI is what a frame loads so that a client ends a session in the browser
// (OpenID Connect Front-Channel Logout 1.0, section 2).
func FrameURI(uri, issuer, sid string) string {
	return redirect.WithQuery(uri, url.Values{"iss": {issuer}, "sid": {sid}})
}
