package ldap

import (
	"context"
	"errors"
	"fmt"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// Connector is one directory.
type Connector struct {
	options  Options
	readers  *pool // bound as the reader, for searches
	visitors *pool // bound as whoever came last
}

var (
	_ upstream.Verifier = (*Connector)(nil)
	_ upstream.Follower = (*Connector)(nil)
)

// New returns a connector. It calls nobody: a directory that is away must not
// keep this program from starting.
func New(o Options) (*Connector, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	all, err := newServers(&o)
	if err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	c := &Connector{options: o}
	c.visitors = newPool(&o, all.dial)
	c.readers = newPool(&o, func(ctx context.Context) (*conn, error) { return c.openReader(ctx, all) })
	return c, nil
}

// Close closes the connections that nobody uses; others end with their question.
func (c *Connector) Close() error {
	c.readers.close()
	c.visitors.close()
	return nil
}

// Follows reports whether the directory can be asked about people without their
// passwords.
func (c *Connector) Follows() bool { return c.options.BindDN != "" || c.options.UserDN == "" }

// openReader asks no other server where the reader is refused: too many of its
// refusals lock it.
func (c *Connector) openReader(ctx context.Context, all *servers) (*conn, error) {
	one, err := all.dial(ctx)
	if err != nil || c.options.BindDN == "" {
		return one, err
	}
	if err := one.bind(ctx, c.options.BindDN, c.options.BindPassword); err != nil {
		one.close()
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: fmt.Errorf("who searches is refused: %w", errors.Unwrap(err))}
	}
	return one, nil
}

// Verify implements [upstream.Verifier].
func (c *Connector) Verify(ctx context.Context, l *upstream.Login) (*upstream.Person, error) {
	if l.Password == "" { // an anonymous bind, which many directories let everybody make (RFC 4513, section 5.1.2)
		return nil, upstream.Fail(upstream.Wrong, "the password is empty")
	}
	if len(l.Password) > maxPassword {
		return nil, upstream.Fail(upstream.Wrong, "the password is too long")
	}
	name, err := c.options.judgeName(l.Username)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var p *upstream.Person
	if c.options.UserDN != "" {
		p, err = c.bindFirst(ctx, name, l.Password)
	} else {
		p, err = c.searchFirst(ctx, name, l.Password)
	}
	if err != nil {
		return nil, err
	}
	p.AuthTime, p.AMR = c.options.Now(), []string{"pwd"}
	return p, nil
}

// searchFirst finds the entry and tries the password on it.
func (c *Connector) searchFirst(ctx context.Context, name, password string) (*upstream.Person, error) {
	e, err := only(ctx, c.search, c.options.search(c.options.filterOf(name)))
	if err != nil {
		return nil, err
	}
	visitor, _, err := c.visitors.take(ctx)
	if err != nil {
		return nil, err
	}
	err = visitor.bind(ctx, e.DN, password)
	c.visitors.give(visitor)
	if err := c.judge(e, err); err != nil {
		return nil, c.about(e, err)
	}
	return c.person(ctx, c.search, e)
}

// about adds whom an entry is to an error, so that guesses by all of somebody's
// names count as one.
func (c *Connector) about(e *goldap.Entry, err error) error {
	var refused *upstream.Error
	subject, none := c.options.subjectOf(e)
	if none != nil || !errors.As(err, &refused) {
		return err
	}
	return &upstream.Error{Kind: refused.Kind, Err: refused.Err, Issuer: c.options.Issuer, Subject: subject}
}

// bindFirst tries the password and reads the entry then, as who has just signed
// in where there is no reader.
func (c *Connector) bindFirst(ctx context.Context, name, password string) (*upstream.Person, error) {
	as, err := c.options.bindName(name)
	if err != nil {
		return nil, err
	}
	visitor, _, err := c.visitors.take(ctx)
	if err != nil {
		return nil, err
	}
	defer c.visitors.give(visitor)
	if err := visitor.bind(ctx, as, password); err != nil {
		return nil, err
	}
	find := visitor.search
	if c.options.BindDN != "" {
		find = c.search
	}
	e, err := c.entryOf(ctx, find, as, name)
	if err != nil {
		return nil, err
	}
	if !c.options.bindsDN() { // names are ambiguous; that this entry has this password is not
		err = visitor.bind(ctx, e.DN, password)
		if kind := upstream.KindOf(err); kind == upstream.Wrong || kind == upstream.Unknown {
			return nil, upstream.Fail(upstream.Refused, "the entry that was found is not who signed in")
		}
	}
	if err := c.judge(e, err); err != nil {
		return nil, err
	}
	return c.person(ctx, find, e)
}

func (c *Connector) entryOf(ctx context.Context, find finder, as, name string) (*goldap.Entry, error) {
	r := c.options.search(c.options.filterOf(name))
	if c.options.bindsDN() {
		r.BaseDN, r.Scope = as, goldap.ScopeBaseObject
		if c.options.UserFilter == "" {
			r.Filter = "(objectClass=*)"
		}
	}
	return only(ctx, find, r)
}

// judge adds what the entry says to what the bind said.
func (c *Connector) judge(e *goldap.Entry, bound error) error {
	switch upstream.KindOf(bound) {
	case upstream.Wrong:
		if locked(e) {
			return upstream.Fail(upstream.Locked, "the account is locked")
		}
		return bound // who does not know the password learns nothing of the account
	case upstream.Refused, upstream.Expired, upstream.Locked:
		if err := disabled(e, c.options.Now()); err != nil {
			return err
		}
	default:
	}
	if bound != nil {
		return bound
	}
	return disabled(e, c.options.Now())
}

// Follow implements [upstream.Follower]. That somebody is locked, or has to change
// their password, does not end what they have: others can bring the first about.
func (c *Connector) Follow(ctx context.Context, k *upstream.Known) (*upstream.Person, error) {
	if k.Issuer != c.options.Issuer {
		return nil, upstream.Fail(upstream.Unknown, "the person is of another directory")
	}
	filter, err := c.options.followFilter(k.Subject)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	e, err := only(ctx, c.search, c.options.search(filter))
	if err != nil {
		return nil, err
	}
	if err := disabled(e, c.options.Now()); err != nil {
		return nil, err
	}
	p, err := c.person(ctx, c.search, e)
	if err == nil && p.Subject != k.Subject {
		return nil, upstream.Fail(upstream.Untrusted, "the directory found somebody else")
	}
	return p, err
}

// search searches as the reader. A search can be put again, so one that a
// connection from the pool was too old for is, once.
func (c *Connector) search(ctx context.Context, r *goldap.SearchRequest) ([]*goldap.Entry, error) {
	for again := true; ; again = false {
		reader, reused, err := c.readers.take(ctx)
		if err != nil {
			return nil, err
		}
		found, err := reader.search(ctx, r)
		stale := reader.broken && reused && upstream.KindOf(err) == upstream.Unavailable
		c.readers.give(reader)
		if err == nil || !stale || !again || ctx.Err() != nil {
			return found, err
		}
	}
}

// search asks for one more entry than there may be.
func (o *Options) search(filter string) *goldap.SearchRequest {
	scope := goldap.ScopeWholeSubtree
	if o.Scope == "one" {
		scope = goldap.ScopeSingleLevel
	}
	return goldap.NewSearchRequest(o.BaseDN, scope, goldap.NeverDerefAliases, 2, 0, false, filter, o.wanted(), nil)
}

// only returns the one entry that there is.
func only(ctx context.Context, find finder, r *goldap.SearchRequest) (*goldap.Entry, error) {
	found, err := find(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, upstream.Fail(upstream.Unknown, "nobody there is found")
	case len(found) > 1:
		return nil, upstream.Fail(upstream.Refused, "more than one entry is found")
	case found[0].DN == "":
		return nil, upstream.Fail(upstream.Untrusted, "the entry has no name; to bind as it would be to bind as nobody")
	}
	return found[0], nil
}
