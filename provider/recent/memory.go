package recent

import (
	"context"
	"time"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/storage"
)

// Memory is what a provider has just read. The zero value is ready.
type Memory struct {
	tokens Reads[storage.Hash, storage.StoredToken]
	users  Reads[string, *identity.User]
}

// Forget everything.
func (m *Memory) Forget() {
	m.tokens.Forget()
	m.users.Forget()
}

// FindToken is [storage.TokenStorage.FindToken] for access tokens that may have
// been read a moment ago.
func (m *Memory) FindToken(ctx context.Context, from storage.TokenStorage, h storage.Hash, now time.Time) (*storage.StoredToken, error) {
	hit, round, ok := m.tokens.Get(h, now)
	if ok {
		return &hit, nil
	}
	st, err := from.FindToken(ctx, h)
	if err == nil && st.Token.Kind == storage.KindAccess {
		m.tokens.Put(h, *st, round, now)
	}
	return st, err
}

// FindUser is [identity.Users.FindUser] for claims: they may be a moment old.
// Whether the user may stay is judged by the token.
func (m *Memory) FindUser(ctx context.Context, from identity.Users, subject string, now time.Time) (*identity.User, error) {
	hit, round, ok := m.users.Get(subject, now)
	if ok {
		return hit, nil
	}
	u, err := from.FindUser(ctx, subject)
	if err == nil {
		m.users.Put(subject, u, round, now)
	}
	return u, err
}

// Storage is one whose writes that end tokens make the memory forget.
type Storage struct {
	storage.Storage

	Memory *Memory
}

var _ storage.Storage = Storage{}

// Issue implements [storage.TokenStorage].
func (s Storage) Issue(ctx context.Context, x *storage.Issue) error {
	if x.Rotate == nil {
		return s.Storage.Issue(ctx, x)
	}
	defer s.Memory.Forget()
	return s.Storage.Issue(ctx, x)
}

// Revoke implements [storage.TokenStorage].
func (s Storage) Revoke(ctx context.Context, q storage.RevokeQuery) (int, error) {
	defer s.Memory.Forget()
	return s.Storage.Revoke(ctx, q)
}

// SaveClient implements [storage.ClientStorage]; it may disable the client.
func (s Storage) SaveClient(ctx context.Context, c *client.Client) error {
	defer s.Memory.Forget()
	return s.Storage.SaveClient(ctx, c)
}

// DeleteClient implements [storage.ClientStorage].
func (s Storage) DeleteClient(ctx context.Context, id string) error {
	defer s.Memory.Forget()
	return s.Storage.DeleteClient(ctx, id)
}

// StartSession implements [storage.SessionStorage]; it may revoke grants.
func (s Storage) StartSession(ctx context.Context, x *storage.SessionStart) error {
	if x.Replaces != (storage.Hash{}) {
		defer s.Memory.Forget()
	}
	return s.Storage.StartSession(ctx, x)
}

// EndSessions implements [storage.SessionStorage]; it may revoke grants.
func (s Storage) EndSessions(ctx context.Context, q storage.SessionQuery) ([]storage.SessionClient, error) {
	defer s.Memory.Forget()
	return s.Storage.EndSessions(ctx, q)
}

// RevokeConsent implements [storage.AccountStorage].
func (s Storage) RevokeConsent(ctx context.Context, subject, client string, e *identity.Event) error {
	defer s.Memory.Forget()
	return s.Storage.RevokeConsent(ctx, subject, client, e)
}

// Directory is one whose changes of people make the memory forget.
type Directory struct {
	identity.Directory

	Memory *Memory
}

var _ identity.Directory = Directory{}

// SaveRecords implements [identity.Directory].
func (d Directory) SaveRecords(ctx context.Context, records []identity.Record) ([]identity.SaveResult, error) {
	defer d.Memory.Forget()
	return d.Directory.SaveRecords(ctx, records)
}

// SetStatus implements [identity.Directory].
func (d Directory) SetStatus(ctx context.Context, subject string, to identity.Status) error {
	defer d.Memory.Forget()
	return d.Directory.SetStatus(ctx, subject, to)
}
