package adapter

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"keyway/provider/identity"
)

// checkKey asks for the system's own API key. The outcome is "" when it is
// right or not asked for. A guess counts against its source, and while that is
// locked no key is looked at.
func (a *Adapter) checkKey(ctx context.Context, x *exchange) Outcome {
	k := x.route.key
	if k == nil || x.route.NoKey || k.Mandatory != "" && x.m.settings[k.Mandatory] != true {
		return ""
	}
	want := toText(x.m.settings[k.Setting])
	if want == "" {
		return k.Unset
	}
	got, ok := x.in.find(k.from)
	text := normalise(got.text, k.Normalise, x.m.settings)
	if !ok || got.notString || text == "" {
		return k.Missing
	}
	if err := a.gate.Ask(ctx, x.question(identity.MomentTry)); err != nil {
		return a.refuse(ctx, x, "system_key", err)
	}
	// Digests have one length, so that the time tells nothing of the key's.
	want256, text256 := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(text))
	if subtle.ConstantTimeCompare(want256[:], text256[:]) != 1 {
		return a.refuse(ctx, x, "system_key", identity.Failf(identity.ReasonInvalidClient, "not the system's key"))
	}
	return ""
}
