package adapter

import (
	"crypto/sha256"
	"crypto/subtle"
)

// checkKey asks for the system's own API key. The outcome is "" when it is
// right or not asked for.
func (x *exchange) checkKey() Outcome {
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
	// Digests have one length, so that the time tells nothing of the key's.
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(text))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return OutcomeInvalidClient
	}
	return ""
}
