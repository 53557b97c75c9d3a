package keys

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
	policy Policy
	now    time.Time
	force  bool              // activate the next key now
	ask    bool              // publish a next key now
	spare  bool              // publish a next key now, for when the active one has lived its life
	fresh  map[string]Record // by algorithm: generated beforehand, used where one is needed
}

// plan tells for which algorithms step would need a fresh key.
func (r rotation) plan(keys []Record) []string {
	var algs []string
	for _, alg := range Algorithms() {
		active, next := stateOf(keys, alg)
		if active == nil && next == nil || next == nil && (r.force || r.ask || r.spare || r.due(active)) {
			algs = append(algs, alg)
		}
	}
	return algs
}

// due reports whether the successor of active has to be published.
func (r rotation) due(active *Record) bool {
	return active != nil && !r.now.Before(active.ActiveAt.Add(r.policy.RotateEvery-r.policy.PublishAhead))
}

// step returns the keys as they shall be from now on. It is a function of the
// stored keys, so that replicas which do it at once agree.
func (r rotation) step(keys []Record) []Record {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k Record) bool {
		return k.State == Retired && !k.ExpiresAt.IsZero() && !r.now.Before(k.ExpiresAt)
	})
	for _, alg := range r.plan(keys) {
		k, ok := r.fresh[alg]
		if !ok {
			continue
		}
		k.State, k.CreatedAt, k.ActiveAt = Next, r.now, r.now.Add(r.policy.PublishAhead)
		if r.spare {
			k.ActiveAt = r.now.Add(r.policy.RotateEvery)
		}
		keys = append(keys, k)
	}
	for _, alg := range Algorithms() {
		active, next := stateOf(keys, alg)
		if next == nil || active != nil && !r.force && r.now.Before(next.ActiveAt) {
			continue
		}
		if active != nil {
			active.State, active.RetiredAt, active.ExpiresAt = Retired, r.now, r.now.Add(r.policy.KeepRetired)
		}
		next.State, next.ActiveAt = Active, r.now
	}
	return keys
}

// stateOf returns the active and the next key of an algorithm, nil where there
// is none. They point into keys.
func stateOf(keys []Record, alg string) (active, next *Record) {
	for i := range keys {
		switch k := &keys[i]; {
		case k.Algorithm != alg:
		case k.State == Active:
			active = k
		case k.State == Next:
			next = k
		}
	}
	return active, next
}

// differs reports whether step would change anything.
func (r rotation) differs(keys []Record) bool {
	if r.force || len(r.plan(keys)) > 0 {
		return true
	}
	after := r.step(keys)
	return !slices.EqualFunc(keys, after, func(a, b Record) bool { return a.KID == b.KID && a.State == b.State })
}

// generateKey makes a signing key.
func generateKey(alg string) (Record, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case RS256:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("algorithm %q is not known", alg)
	}
	if err != nil {
		return Record{}, err
	}
	kid := secret.ID()
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"})
	if err != nil {
		return Record{}, errors.New("encode a signing key")
	}
	return Record{KID: kid, Algorithm: alg, PrivateJWK: jwk}, nil
}

// apply does the step on what is stored and returns the keys as they are now.
// It generates outside of the transaction, which may not be held for the time
// an RSA key takes.
func (r rotation) apply(ctx context.Context, s Storage) ([]Record, error) {
	records, err := s.ListKeys(ctx)
	if err != nil || !r.differs(records) {
		return records, err
	}
	r.fresh = map[string]Record{}
	for _, alg := range r.plan(records) {
		if r.fresh[alg], err = generateKey(alg); err != nil {
			return nil, err
		}
	}
	err = s.UpdateKeys(ctx, func(now []Record) ([]Record, error) {
		records = r.step(now)
		return records, nil
	})
	return records, err
}

// Rotate makes the next signing keys the active ones at once and publishes
// further ones. Where no next key was published for longer than the key set is
// cached, relying parties may refuse new tokens for as long as they cache it.
func Rotate(ctx context.Context, s Storage, policy Policy, now time.Time) error {
	if err := policy.Complete(); err != nil {
		return err
	}
	if _, err := (rotation{policy: policy, now: now, force: true}).apply(ctx, s); err != nil {
		return err
	}
	_, err := rotation{policy: policy, now: now, spare: true}.apply(ctx, s)
	return err
}

// Source is where a [Ring] has its keys from.
type Source struct {
	Storage Storage
	Policy  Policy // complete
	Now     func() time.Time
	Log     *slog.Logger
}

// Reload reads the keys and does what is due: at the first start it makes
// them, later it rotates them. With ask, the next keys are published now, to
// become active after [Policy.PublishAhead].
func (k *Ring) Reload(ctx context.Context, from *Source, ask bool) error {
	records, err := rotation{policy: from.Policy, now: from.Now(), ask: ask}.apply(ctx, from.Storage)
	if err != nil {
		return err
	}
	old := k.current()
	if old.same(records) {
		return nil
	}
	set, err := newKeySet(records, old)
	if err != nil {
		return err
	}
	k.set.Store(set)
	for alg, key := range set.active {
		if old == nil || old.active[alg] != key {
			from.Log.LogAttrs(ctx, slog.LevelInfo, "signing key is active", slog.String("kid", key.kid), slog.String("alg", alg))
		}
	}
	return nil
}
