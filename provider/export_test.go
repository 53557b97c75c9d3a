package provider

import (
	"context"
	"encoding/json"

	"keyway/provider/assertion"
	"keyway/provider/wire"
)

// OpenPassword lets the token endpoint grant passwords, for the parity test.
func (p *Provider) OpenPassword() { p.openPassword = true }

// Reload does what Run does at every tick.
func (p *Provider) Reload(ctx context.Context) error { return p.keys.Reload(ctx, p.keySource(), false) }

// Decode verifies a token that the provider signed.
func (p *Provider) Decode(_ context.Context, token string) (claims map[string]any, err error) {
	signed, err := p.keys.Verify(token)
	if err == nil {
		err = json.Unmarshal(signed.Payload, &claims)
	}
	return claims, err
}

// What the fuzz tests call.
var (
	ParseForm       = wire.ParseForm
	Plain           = wire.Plain
	CauseText       = wire.CauseText
	VerifyAssertion = assertion.Verify
	AssertedClient  = assertion.Client
)

// Wire is what an error leaves as.
func Wire(err error) (status int, code, description string) {
	e := wire.From(err)
	return e.Status, e.Code, e.Description
}

// Signature is what fosite stores a token under.
var Signature = signatureOf
