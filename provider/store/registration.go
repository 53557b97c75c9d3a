package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/registration"
)

var _ registration.Storage = (*Store)(nil)

// registrationLease is the row of lease that registrations change, so that they
// pass one after the other: only then is their number what was counted.
const registrationLease = "registration"

// AddInvitation stores an invitation.
func (s *Store) AddInvitation(ctx context.Context, i *registration.Invitation) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `INSERT INTO invitation (hash, id, note, scopes, max_uses, uses, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			i.Hash[:], i.ID, i.Note, listText(i.Scopes), i.MaxUses, i.Uses, millis(i.CreatedAt), millis(i.ExpiresAt))
		if err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "invitation_made"})
	})
}

const selectInvitation = `SELECT hash, id, note, scopes, max_uses, uses, created_at, expires_at FROM invitation `

func scanInvitation(scan scanFunc) (*registration.Invitation, error) {
	var (
		i                registration.Invitation
		hash             []byte
		scopes           string
		created, expires int64
	)
	if err := scan(&hash, &i.ID, &i.Note, &scopes, &i.MaxUses, &i.Uses, &created, &expires); err != nil {
		return nil, err
	}
	copy(i.Hash[:], hash)
	i.CreatedAt, i.ExpiresAt = instant(created), instant(expires)
	var err error
	i.Scopes, err = list(scopes)
	return &i, err
}

// FindInvitation implements [registration.Storage].
func (s *Store) FindInvitation(ctx context.Context, h registration.Hash) (*registration.Invitation, error) {
	var found *registration.Invitation
	err := s.readRows(ctx, selectInvitation+`WHERE hash = $1`, []any{h[:]}, func(scan scanFunc) (err error) {
		found, err = scanInvitation(scan)
		return err
	})
	if err == nil && found == nil {
		err = identity.ErrNotFound
	}
	return found, err
}

// ListInvitations returns all invitations that have not expired, those first
// that expire first.
func (s *Store) ListInvitations(ctx context.Context) ([]registration.Invitation, error) {
	var all []registration.Invitation
	err := s.readRows(ctx, selectInvitation+`WHERE expires_at > $1 ORDER BY expires_at, id`, []any{millis(s.now())}, func(scan scanFunc) error {
		i, err := scanInvitation(scan)
		if err == nil {
			all = append(all, *i)
		}
		return err
	})
	return all, err
}

// DeleteInvitation takes an invitation back; [identity.ErrNotFound] where there
// is none. The clients that it registered stay.
func (s *Store) DeleteInvitation(ctx context.Context, id string) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `DELETE FROM invitation WHERE id = $1`, id)
		if err == nil && n == 0 {
			return identity.ErrNotFound
		}
		if err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "invitation_withdrawn"})
	})
}

// RegisterClient implements [registration.Storage]. Of many that use one
// invitation at once, as many change its row as it has uses.
func (s *Store) RegisterClient(ctx context.Context, x *registration.Entry) error {
	body, err := json.Marshal(x.Client)
	if err != nil {
		return fmt.Errorf("client %s: %w", x.Client.ID, err)
	}
	if x.Client.Source != client.SourceDynamic {
		return errors.New("store: a client that registers itself is dynamic")
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `INSERT INTO lease (name, holder, until, version) VALUES ($1, $2, 0, 0)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, version = lease.version + 1`, registrationLease, s.holder)
		if err != nil {
			return err
		}
		if x.Invitation != nil {
			n, err := tx.exec(ctx, `UPDATE invitation SET uses = uses + 1 WHERE hash = $1 AND uses < max_uses AND expires_at > $2`,
				x.Invitation[:], millis(s.now()))
			if err != nil {
				return err
			}
			if n == 0 {
				return identity.ErrConflict
			}
		}
		n, err := tx.exec(ctx, `INSERT INTO oauth_client (id, body, source) SELECT $1, $2, $3
			WHERE (SELECT count(*) FROM oauth_client WHERE source = $3 AND source <> '') < $4`,
			x.Client.ID, string(body), x.Client.Source, x.MaxClients)
		if err != nil {
			return err
		}
		if n == 0 {
			return registration.ErrFull
		}
		return s.addEvent(ctx, tx, &x.Event)
	})
}

// ChangeClient implements [registration.Storage]. The first statement locks the
// row, so that what is read after it stays true until the end.
func (s *Store) ChangeClient(ctx context.Context, id string, change func(*client.Client) error, e identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE oauth_client SET source = source WHERE id = $1 AND source = $2`, id, client.SourceDynamic)
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrNotFound
		}
		var stored string
		if err := tx.row(ctx, `SELECT body FROM oauth_client WHERE id = $1`, []any{id}, &stored); err != nil {
			return err
		}
		c, err := parseClient(stored)
		if err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		body, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("client %s: %w", id, err)
		}
		if _, err := tx.exec(ctx, `UPDATE oauth_client SET body = $2 WHERE id = $1`, id, string(body)); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &e)
	})
}
