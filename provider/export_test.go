package provider

import (
	"context"

	"keyway/provider/assertion"
)

// OpenPassword lets the token endpoint grant passwords, for the parity test.
func (p *Provider) OpenPassword() { p.openPassword = true }

// Reload does what Run does at every tick.
func (p *Provider) Reload(ctx context.Context) error { return p.reloadKeys(ctx, rotation{}) }

// Decode verifies a token that the provider signed.
func (p *Provider) Decode(ctx context.Context, token string) (map[string]any, error) {
	t, err := p.keys.Decode(ctx, token)
	if t == nil {
		return nil, err
	}
	return t.Claims, err
}

// What the fuzz tests call.
var (
	ParseForm       = parseForm
	Plain           = plain
	CauseText       = causeText
	VerifyAssertion = assertion.Verify
	AssertedClient  = assertion.Client
)

// Wire is what an error leaves as.
func Wire(err error) (status int, code, description string) {
	e := toWire(err)
	return e.Status, e.Code, e.Description
}

// Keys is a key ring with one ES256 key.
type Keys struct{ ring *keyring }

// Decode verifies a token.
func (k *Keys) Decode(ctx context.Context, token string) (any, error) {
	if k.ring == nil {
		r, err := generateKey(algES256)
		if err != nil {
			return nil, err
		}
		r.State = KeyActive
		set, err := newKeySet([]KeyRecord{r}, nil)
		if err != nil {
			return nil, err
		}
		k.ring = &keyring{}
		k.ring.set.Store(set)
	}
	return k.ring.Decode(ctx, token)
}

// Signature is what fosite stores a token under.
var Signature = signatureOf
