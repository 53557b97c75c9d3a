package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"keyway/provider/identity"
	"keyway/provider/keys"
)

// keysLease is the row of lease whose version counts the changes of the signing
// keys.
const keysLease = "signing_keys"

func sealBinding(kid string) string { return "signing_key|" + kid }

// ListKeys implements [keys.Storage]. The keys come in the order of their
// creation.
func (s *Store) ListKeys(ctx context.Context) ([]keys.Record, error) {
	rctx, cancel, run := s.backend.read(ctx)
	defer cancel()
	return s.listKeys(rctx, &session{run: run})
}

func (s *Store) listKeys(ctx context.Context, from *session) ([]keys.Record, error) {
	var all []keys.Record
	err := from.rows(ctx, `SELECT kid, algorithm, state, sealed, created_at, active_at, retired_at, expires_at
		FROM signing_key`, nil, func(scan scanFunc) error {
		var (
			k                                 keys.Record
			sealed                            []byte
			created, active, retired, expires int64
		)
		err := scan(&k.KID, &k.Algorithm, &k.State, &sealed, &created, &active, &retired, &expires)
		if err != nil {
			return err
		}
		k.CreatedAt, k.ActiveAt, k.RetiredAt, k.ExpiresAt = instant(created), instant(active), instant(retired), instant(expires)
		k.PrivateJWK, err = s.seal.open(sealed, sealBinding(k.KID))
		all = append(all, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b keys.Record) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.KID, b.KID)
	})
	return all, nil
}

// UpdateKeys implements [keys.Storage]. Making an RSA key takes most of a
// second, so change runs outside the transaction, and its result is stored only if
// the keys are still those it was given; otherwise it runs again with the new ones.
// An error of change is returned as it is.
func (s *Store) UpdateKeys(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	select {
	case s.keys <- struct{}{}:
		defer func() { <-s.keys }()
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	for {
		err := s.updateKeysOnce(ctx, change)
		if !errors.Is(err, errKeysMoved) {
			return err
		}
		if ctx.Err() != nil {
			return unavailable(ctx.Err())
		}
	}
}

var errKeysMoved = fmt.Errorf("the signing keys were changed meanwhile: %w", identity.ErrConflict)

func (s *Store) updateKeysOnce(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	var version int64
	err := s.readRow(ctx, `SELECT version FROM lease WHERE name = $1`, []any{keysLease}, &version)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	before, err := s.ListKeys(ctx) // read after the version: at worst newer, and then refused
	if err != nil {
		return err
	}
	after, err := change(slices.Clone(before))
	if err != nil || reflect.DeepEqual(before, after) {
		return err
	}
	sealed := make([][]byte, len(after))
	for i, k := range after {
		if sealed[i], err = s.seal.seal(k.PrivateJWK, sealBinding(k.KID)); err != nil {
			return err
		}
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `INSERT INTO lease (name, holder, until, version) VALUES ($1, $2, 0, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, version = excluded.version
			WHERE lease.version = $4`, keysLease, s.holder, version+1, version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errKeysMoved
		}
		if err := replaceKeys(ctx, tx, after, sealed); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "keys_rotated"})
	})
}

func replaceKeys(ctx context.Context, tx *session, keys []keys.Record, sealed [][]byte) error {
	if _, err := tx.exec(ctx, `DELETE FROM signing_key`); err != nil {
		return err
	}
	for i, k := range keys {
		_, err := tx.exec(ctx, `INSERT INTO signing_key
			(kid, algorithm, state, sealed, created_at, active_at, retired_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, k.KID, k.Algorithm, string(k.State), sealed[i],
			millis(k.CreatedAt), millis(k.ActiveAt), millis(k.RetiredAt), millis(k.ExpiresAt))
		if err != nil {
			return err
		}
	}
	return nil
}
