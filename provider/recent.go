package provider

import (
	"context"
	"sync"
	"time"

	"keyway/provider/identity"
)

const (
	// recentFor is how long what was read is believed. Another replica's
	// revocation bites here within it; one of this process at once.
	recentFor = 500 * time.Millisecond
	maxRecent = 10_000
)

// recent keeps what was just read, for the endpoints that are asked about the
// same token again and again.
type recent[K comparable, V any] struct {
	mu    sync.RWMutex
	round uint64 // grows when everything is forgotten
	kept  map[K]keptValue[V]
}

// reads are what a provider has just read.
type reads struct {
	tokens recent[Hash, StoredToken]
	users  recent[string, *identity.User]
}

func (r *reads) forget() {
	r.tokens.forget()
	r.users.forget()
}

type keptValue[V any] struct {
	value V
	until time.Time
}

func (r *recent[K, V]) get(key K, now time.Time) (v V, round uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	hit, ok := r.kept[key]
	return hit.value, r.round, ok && now.Before(hit.until)
}

// put keeps v, unless everything was forgotten since get gave round: what was
// read may be older than the reason to forget it.
func (r *recent[K, V]) put(key K, v V, round uint64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.round != round {
		return
	}
	if r.kept == nil || len(r.kept) >= maxRecent {
		r.kept = map[K]keptValue[V]{}
	}
	r.kept[key] = keptValue[V]{value: v, until: now.Add(recentFor)}
}

func (r *recent[K, V]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	r.kept = nil
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
	hit, round, ok := p.reads.tokens.get(h, now)
	if ok {
		return &hit, nil
	}
	st, err := p.options.Storage.FindToken(ctx, h)
	if err == nil && st.Token.Kind == KindAccess {
		p.reads.tokens.put(h, *st, round, now)
	}
	return st, err
}

// findRecentUser is FindUser for claims: they may be a moment old. Whether
// the user may stay is judged by the token.
func (p *Provider) findRecentUser(ctx context.Context, subject string) (*identity.User, error) {
	now := p.options.Now()
	hit, round, ok := p.reads.users.get(subject, now)
	if ok {
		return hit, nil
	}
	u, err := p.options.Users.FindUser(ctx, subject)
	if err == nil {
		p.reads.users.put(subject, u, round, now)
	}
	return u, err
}
