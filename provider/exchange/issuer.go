package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/assertion"
)

const (
	leeway        = time.Minute     // of others' clocks, for what begins
	maxGrantLife  = 5 * time.Minute // from now to the exp of an assertion that is a grant
	standardAge   = time.Hour
	subjectClaim  = "sub"
	emailClaim    = "email"
	verifiedClaim = "email_verified"
)

// TrustedIssuer is somebody else whose signed word on who a user is counts.
type TrustedIssuer struct {
	Issuer     string              // the claim iss
	JWKS       *jose.JSONWebKeySet // its keys
	JWKSURI    string              // where it publishes them instead
	Audience   []string            // one of them a token must be for; default: our issuer and token endpoint
	Algorithms []string            // default: all of [assertion.Algorithms]
	Claim      string              // that names the user; default sub
	Subjects   bool                // the claim is a subject of ours, instead of a login name
	Directory  string              // of the login name
	MaxAge     time.Duration       // since iat; default 1 h
	Scopes     []string            // the most that its word is good for
	Clients    []string            // that may present it; empty: every client with the right to exchange
}

func (x *TrustedIssuer) complete(ours []string) error {
	if len(x.Audience) == 0 {
		x.Audience = ours
	}
	if len(x.Algorithms) == 0 {
		x.Algorithms = assertion.Algorithms()
	}
	if x.Claim == "" {
		x.Claim = subjectClaim
	}
	if x.MaxAge == 0 {
		x.MaxAge = standardAge
	}
	switch {
	case x.Issuer == "" || slices.Contains(ours, x.Issuer):
		return errors.New("it must be somebody else")
	case (x.JWKS == nil) == (x.JWKSURI == ""):
		return errors.New("it needs keys, or a URL with keys")
	case !subset(x.Algorithms, assertion.Algorithms()):
		return fmt.Errorf("algorithms must be among %s", strings.Join(assertion.Algorithms(), ", "))
	case x.MaxAge < 0:
		return errors.New("the greatest age must not be negative")
	case !x.Subjects && x.Directory == "":
		return errors.New("it needs the directory of its login names")
	}
	return nil
}
