package exchange

import (
	"errors"
	"slices"
	"strings"
	"time"

	"keyway/provider/keys"
)

// IDToken is what an ID token of ours says of where it comes from.
type IDToken struct {
	Grant   string // the id of its grant
	Expires time.Time
}

// JTI is the jti of an ID token: it leads back to the grant, for an ID token is
// good for no more than its grant is. once makes it unique.
func JTI(grant, once string) string { return grant + "." + once }

// Verifier verifies what keys of ours signed.
type Verifier interface {
	Verify(token string) (*keys.Signed, error)
}

// ReadIDToken reads an ID token of ours that a client presents: it must be the
// one that it was issued to.
func ReadIDToken(v Verifier, token string, by Caller, now time.Time) (*IDToken, error) {
	signed, err := v.Verify(token)
	if err != nil {
		return nil, err
	}
	said, err := parseMembers(signed.Payload)
	if err != nil || signed.Type != "" && signed.Type != "JWT" {
		return nil, errors.New("not an ID token of ours")
	}
	expires, ok := said.time("exp")
	grant, _, found := strings.Cut(said.text("jti"), ".")
	switch {
	case said.text("iss") != by.Issuer || !slices.Contains(said.list("aud"), by.ID):
		return nil, errors.New("not an ID token of ours for this client")
	case !ok || !now.Before(expires):
		return nil, errors.New("the ID token has expired")
	case !found || grant == "" || said.text("sub") == "":
		return nil, errors.New("the ID token does not lead back to a grant")
	}
	return &IDToken{Grant: grant, Expires: expires}, nil
}
