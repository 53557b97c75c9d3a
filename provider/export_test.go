package provider

import "context"

// OpenPassword lets the token endpoint grant passwords, for the parity test.
func (p *Provider) OpenPassword() { p.openPassword = true }

// Reload does what Run does at every tick.
func (p *Provider) Reload(ctx context.Context) error { return p.reloadKeys(ctx, rotation{}) }

// Decode verifies a token that the provider signed.
func (p *Provider) Decode(ctx context.Context, token string) (map[string]any, error) {
	t, err := p.keys.Decode(ctx, token)
	if err != nil {
		return nil, err
	}
	return t.Claims, nil
}

// What the fuzz tests call.
var (
	ParseForm       = parseForm
	VerifyAssertion = verifyAssertion
	AssertedClient  = assertedClient
	Plain           = plain
)
