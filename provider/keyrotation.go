package provider

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/secret"
)

// A key is published before it signs, for longer than anybody caches the key
// set, and after it signed, for as long as what it signed is accepted:
//
//	next ── PublishAhead ──> active ── RotateEvery ──> retired ── KeepRetired ──> gone

// rotation is one step of the keys of all algorithms.
type rotation struct {
	policy KeyPolicy
	now    time.Time
	force  bool                 // activate the next key now
	ask    bool                 // publish a next key now
	spare  bool                 // publish a next key now, for when the active one has lived its life
	fresh  map[string]KeyRecord // by algorithm: generated beforehand, used where one is needed
}

// plan tells for which algorithms step would need a fresh key.
func (r rotation) plan(keys []KeyRecord) []string {
	var algs []string
	for _, alg := range signingAlgs() {
		active, next := stateOf(keys, alg)
		if active == nil && next == nil || next == nil && (r.force || r.ask || r.spare || r.due(active)) {
			algs = append(algs, alg)
		}
	}
	return algs
}

// due reports whether the successor of active has to be published.
func (r rotation) due(active *KeyRecord) bool {
	return active != nil && !r.now.Before(active.ActiveAt.Add(r.policy.RotateEvery-r.policy.PublishAhead))
}

// step returns the keys as they shall be from now on. It is a function of the
// stored keys, so that replicas which do it at once agree.
func (r rotation) step(keys []KeyRecord) []KeyRecord {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k KeyRecord) bool {
		return k.State == KeyRetired && !k.ExpiresAt.IsZero() && !r.now.Before(k.ExpiresAt)
	})
	for _, alg := range r.plan(keys) {
		k, ok := r.fresh[alg]
		if !ok {
			continue
		}
		k.State, k.CreatedAt, k.ActiveAt = KeyNext, r.now, r.now.Add(r.policy.PublishAhead)
		if r.spare {
			k.ActiveAt = r.now.Add(r.policy.RotateEvery)
		}
		keys = append(keys, k)
	}
	for _, alg := range signingAlgs() {
		active, next := stateOf(keys, alg)
		if next == nil || active != nil && !r.force && r.now.Before(next.ActiveAt) {
			continue
		}
		if active != nil {
			active.State, active.RetiredAt, active.ExpiresAt = KeyRetired, r.now, r.now.Add(r.policy.KeepRetired)
		}
		next.State, next.ActiveAt = KeyActive, r.now
	}
	return keys
}

// stateOf returns the active and the next key of an algorithm, nil where there
// is none. They point into keys.
func stateOf(keys []KeyRecord, alg string) (active, next *KeyRecord) {
	for i := range keys {
		switch k := &keys[i]; {
		case k.Algorithm != alg:
		case k.State == KeyActive:
			active = k
		case k.State == KeyNext:
			next = k
		}
	}
	return active, next
}

// differs reports whether step would change anything.
func (r rotation) differs(keys []KeyRecord) bool {
	if r.force || len(r.plan(keys)) > 0 {
		return true
	}
	after := r.step(keys)
	return !slices.EqualFunc(keys, after, func(a, b KeyRecord) bool { return a.KID == b.KID && a.State == b.State })
}

// generateKey makes a signing key.
func generateKey(alg string) (KeyRecord, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case algRS256:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case algES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("algorithm %q is not known", alg)
	}
	if err != nil {
		return KeyRecord{}, err
	}
	kid := secret.ID()
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"})
	if err != nil {
		return KeyRecord{}, errors.New("encode a signing key")
	}
	return KeyRecord{KID: kid, Algorithm: alg, PrivateJWK: jwk}, nil
}

// apply does the step on what is stored and returns the keys as they are now.
// It generates outside of the transaction, which may not be held for the time
// an RSA key takes.
func (r rotation) apply(ctx context.Context, s KeyStorage) ([]KeyRecord, error) {
	records, err := s.ListKeys(ctx)
	if err != nil || !r.differs(records) {
		return records, err
	}
	r.fresh = map[string]KeyRecord{}
	for _, alg := range r.plan(records) {
		if r.fresh[alg], err = generateKey(alg); err != nil {
			return nil, err
		}
	}
	err = s.UpdateKeys(ctx, func(now []KeyRecord) ([]KeyRecord, error) {
		records = r.step(now)
		return records, nil
	})
	return records, err
}

// RotateKeys makes the next signing keys the active ones at once and publishes
// further ones. Where no next key was published for longer than the key set is
// cached, relying parties may refuse new tokens for as long as they cache it.
func RotateKeys(ctx context.Context, s KeyStorage, policy KeyPolicy, now time.Time) error {
	policy.complete()
	if _, err := (rotation{policy: policy, now: now, force: true}).apply(ctx, s); err != nil {
		return err
	}
	_, err := rotation{policy: policy, now: now, spare: true}.apply(ctx, s)
	return err
}

// reloadKeys reads the keys and does what is due: at the first start it makes
// them, later it rotates them.
func (p *Provider) reloadKeys(ctx context.Context, r rotation) error {
	r.policy, r.now = p.options.Keys, p.options.Now()
	records, err := r.apply(ctx, p.options.Storage)
	if err != nil {
		return err
	}
	old := p.keys.current()
	if old.same(records) {
		return nil
	}
	set, err := newKeySet(records, old)
	if err != nil {
		return err
	}
	p.keys.set.Store(set)
	for alg, k := range set.active {
		if old == nil || old.active[alg] != k {
			p.options.Log.LogAttrs(ctx, slog.LevelInfo, "signing key is active", slog.String("kid", k.kid), slog.String("alg", alg))
		}
	}
	return nil
}

// Rotate is [RotateKeys] with now; without it, the next keys are published and
// become active after [KeyPolicy.PublishAhead]. This replica follows at once,
// others within [KeyPolicy.Reload].
func (p *Provider) Rotate(ctx context.Context, now bool) error {
	if !now {
		return p.reloadKeys(ctx, rotation{ask: true})
	}
	if err := RotateKeys(ctx, p.options.Storage, p.options.Keys, p.options.Now()); err != nil {
		return err
	}
	return p.reloadKeys(ctx, rotation{})
}
