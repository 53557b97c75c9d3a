package main

import (
	"fmt"

	"keyway/config"
	"keyway/provider/exchange"
	"keyway/provider/keyset"
)

// trustedIssuers are those whose word on who a user is counts.
func trustedIssuers(declared []config.Trusted) ([]exchange.TrustedIssuer, error) {
	all := make([]exchange.TrustedIssuer, 0, len(declared))
	for _, d := range declared {
		x := exchange.TrustedIssuer{
			Issuer: d.Issuer, JWKSURI: d.JWKSURI, Audience: d.Audience, Algorithms: d.Algorithms, Claim: d.SubjectClaim,
			Subjects: d.SubjectIs == "subject", Directory: d.Directory, MaxAge: d.MaxAge, Scopes: d.Scopes, Clients: d.Clients,
		}
		if d.JWKS != "" {
			body, err := readLimited(d.JWKS, keyset.MaxSize)
			if err == nil {
				x.JWKS, err = keyset.Parse([]byte(body))
			}
			if err != nil {
				return nil, fmt.Errorf("trusted issuer %s: jwks: %w", d.Issuer, err)
			}
		}
		all = append(all, x)
	}
	return all, nil
}
