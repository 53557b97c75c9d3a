package provider

import (
	"context"

	"keyway/provider/identity"
	"keyway/provider/recent"
)

// reads are what a provider has just read.
type reads struct {
	tokens recent.Reads[Hash, StoredToken]
	users  recent.Reads[string, *identity.User]
}

func (r *reads) forget() {
	r.tokens.Forget()
	r.users.Forget()
}

// forgetful is a storage whose writes that end tokens make the provider forget what
// it has read.
type forgetful struct {
	Storage

	reads *reads
}

var _ Storage = forgetful{}

// Issue implements [TokenStorage].
func (s forgetful) Issue(ctx context.Context, x *Issue) error {
	if x.Rotate == nil {
		return s.Storage.Issue(ctx, x)
	}
	defer s.reads.forget()
	return s.Storage.Issue(ctx, x)
}

// Revoke implements [TokenStorage].
func (s forgetful) Revoke(ctx context.Context, q RevokeQuery) (int, error) {
	defer s.reads.forget()
	return s.Storage.Revoke(ctx, q)
}

// SaveClient implements [ClientStorage]; it may disable the client.
func (s forgetful) SaveClient(ctx context.Context, c *Client) error {
	defer s.reads.forget()
	return s.Storage.SaveClient(ctx, c)
}

// DeleteClient implements [ClientStorage].
func (s forgetful) DeleteClient(ctx context.Context, id string) error {
	defer s.reads.forget()
	return s.Storage.DeleteClient(ctx, id)
}

// StartSession implements [SessionStorage]; it may revoke grants.
func (s forgetful) StartSession(ctx context.Context, x *SessionStart) error {
	if x.Replaces != (Hash{}) {
		defer s.reads.forget()
	}
	return s.Storage.StartSession(ctx, x)
}

// EndSessions implements [SessionStorage]; it may revoke grants.
func (s forgetful) EndSessions(ctx context.Context, q SessionQuery) ([]SessionClient, error) {
	defer s.reads.forget()
	return s.Storage.EndSessions(ctx, q)
}

// RevokeConsent implements [AccountStorage].
func (s forgetful) RevokeConsent(ctx context.Context, subject, client string, e *identity.Event) error {
	defer s.reads.forget()
	return s.Storage.RevokeConsent(ctx, subject, client, e)
}

// Directory returns d for use in this process: what it changes of people, the
// provider sees at once, and not only after the moment for which it believes
// what it has read.
func (p *Provider) Directory(d identity.Directory) identity.Directory {
	return forgetfulDirectory{Directory: d, reads: &p.reads}
}

type forgetfulDirectory struct {
	identity.Directory

	reads *reads
}

var _ identity.Directory = forgetfulDirectory{}

// SaveRecords implements [identity.Directory].
func (d forgetfulDirectory) SaveRecords(ctx context.Context, records []identity.Record) ([]identity.SaveResult, error) {
	defer d.reads.forget()
	return d.Directory.SaveRecords(ctx, records)
}

// SetStatus implements [identity.Directory].
func (d forgetfulDirectory) SetStatus(ctx context.Context, subject string, to identity.Status) error {
	defer d.reads.forget()
	return d.Directory.SetStatus(ctx, subject, to)
}

// findRecent is FindToken for access tokens that may have been read a moment
// ago.
func (p *Provider) findRecent(ctx context.Context, h Hash) (*StoredToken, error) {
	now := p.options.Now()
	hit, round, ok := p.reads.tokens.Get(h, now)
	if ok {
		return &hit, nil
	}
	st, err := p.options.Storage.FindToken(ctx, h)
	if err == nil && st.Token.Kind == KindAccess {
		p.reads.tokens.Put(h, *st, round, now)
	}
	return st, err
}

// findRecentUser is FindUser for claims: they may be a moment old. Whether
// the user may stay is judged by the token.
func (p *Provider) findRecentUser(ctx context.Context, subject string) (*identity.User, error) {
	now := p.options.Now()
	hit, round, ok := p.reads.users.Get(subject, now)
	if ok {
		return hit, nil
	}
	u, err := p.options.Users.FindUser(ctx, subject)
	if err == nil {
		p.reads.users.Put(subject, u, round, now)
	}
	return u, err
}
