package exchange

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// IDToken is what an ID token of ours says of where it comes from.
type IDToken struct {
	Grant   string // the id of its grant
	Expires time.Time
}

// JTI is the jti of an ID token: it leads back to the grant, for an ID token is
// good for no more than its grant is. once makes it unique.
func JTI(grant, once string) string { return grant + "." + once }

// ReadIDToken reads an ID token that a key of ours signed, and that client
// presents: it must be the one that it was issued to.
func ReadIDToken(payload []byte, issuer, client string, now time.Time) (*IDToken, error) {
	said, err := parseMembers(payload)
	if err != nil {
		return nil, err
	}
	expires, ok := said.time("exp")
	grant, _, found := strings.Cut(said.text("jti"), ".")
	switch {
	case said.text("iss") != issuer || !slices.Contains(said.list("aud"), client):
		return nil, errors.New("not an ID token of ours for this client")
	case !ok || !now.Before(expires):
		return nil, errors.New("the ID token has expired")
	case !found || grant == "" || said.text("sub") == "":
		return nil, errors.New("the ID token does not lead back to a grant")
	}
	return &IDToken{Grant: grant, Expires: expires}, nil
}
