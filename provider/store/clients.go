package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"keyway/provider"
	"keyway/provider/identity"
)

// FindClient implements [storage.ClientStorage].
func (s *Store) FindClient(ctx context.Context, id string) (*provider.Client, error) {
	var body string
	if err := s.readRow(ctx, `SELECT body FROM oauth_client WHERE id = $1`, []any{id}, &body); err != nil {
		return nil, err
	}
	return parseClient(body)
}

// ListClients implements [storage.ClientStorage].
func (s *Store) ListClients(ctx context.Context) ([]*provider.Client, error) {
	var clients []*provider.Client
	err := s.readRows(ctx, `SELECT body FROM oauth_client`, nil, func(scan scanFunc) error {
		var body string
		if err := scan(&body); err != nil {
			return err
		}
		c, err := parseClient(body)
		clients = append(clients, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Sorted here: databases differ in how they compare texts.
	slices.SortFunc(clients, func(a, b *provider.Client) int { return strings.Compare(a.ID, b.ID) })
	return clients, nil
}

// SaveClient implements [storage.ClientStorage].
func (s *Store) SaveClient(ctx context.Context, c *provider.Client) error {
	if c.ID == "" || len(c.ID) > maxKey || !storable(c.ID) {
		return errors.New("store: a client's id is a text of 1 to 512 bytes")
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("client %s: %w", c.ID, err)
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `INSERT INTO oauth_client (id, body, source) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET body = excluded.body, source = excluded.source WHERE oauth_client.body <> excluded.body`,
			c.ID, string(body), c.Source)
		if err != nil || n == 0 {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "client_saved", ClientID: c.ID})
	})
}

// DeleteClient implements [storage.ClientStorage].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `DELETE FROM oauth_client WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrNotFound
		}
		if _, err = s.revoke(ctx, tx, provider.RevokeQuery{ClientID: id, Reason: "client deleted"}); err != nil {
			return err
		}
		if _, err = tx.exec(ctx, `DELETE FROM consent WHERE client_id = $1`, id); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "client_deleted", ClientID: id})
	})
}

func parseClient(body string) (*provider.Client, error) {
	var c provider.Client
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return nil, fmt.Errorf("stored client: %w", err)
	}
	return &c, nil
}
