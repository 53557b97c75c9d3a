package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// maxAnswer is the most that is read for one question, in bytes.
const maxAnswer = 1 << 20

// bounded is a connection that reads no more than is left. What the library
// decodes has no limit of its own.
type bounded struct {
	net.Conn
	left atomic.Int64
}

func (b *bounded) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}

// conn is one connection. One caller has it at a time.
type conn struct {
	raw    *bounded
	ldap   *goldap.Conn
	broken bool // it must not be used again
	since  time.Time
	expiry *time.Timer // while it is idle
}

// close ends whatever waits for an answer, too. The library waits for what is
// being written, so what is under it is closed first; and it would wait for an
// answer for ever that another one took the place of.
func (c *conn) close() {
	_ = c.raw.Close()
	_ = c.ldap.Close()
}

// startTLS says nothing in the clear but that it wants to stop doing so.
func (c *conn) startTLS(ctx context.Context, config *tls.Config) error {
	answer, err := c.ask(ctx, func(l *goldap.Conn) error { return l.StartTLS(config) })
	state, ok := c.ldap.TLSConnectionState()
	switch {
	case err != nil && ctx.Err() == nil: // the library does not say whether it was the certificate
		err = &upstream.Error{Kind: upstream.Untrusted, Err: fmt.Errorf("StartTLS: %w", errors.Unwrap(err))}
	case err != nil:
	case answer != nil:
		err = &upstream.Error{Kind: upstream.Untrusted, Err: fmt.Errorf("StartTLS: result %d", answer.ResultCode)}
	case !ok || !state.HandshakeComplete:
		err = upstream.Fail(upstream.Untrusted, "StartTLS left the connection in the clear")
	default:
		return nil
	}
	c.close()
	return err
}

// ask puts one question, which ends with ctx. The answer is what a server that
// understood it refused it with, nil for a yes; err is an [*upstream.Error], and
// the connection is of no use after it.
func (c *conn) ask(ctx context.Context, question func(*goldap.Conn) error) (answer *goldap.Error, err error) {
	c.raw.left.Store(maxAnswer)
	stop := context.AfterFunc(ctx, c.close)
	err = question(c.ldap)
	if !stop() {
		c.broken = true
	}
	switch {
	case err == nil:
		return nil, nil
	case c.raw.left.Load() <= 0:
		c.broken = true
		return nil, upstream.Fail(upstream.Untrusted, "the answer is too long")
	case errors.As(err, &answer) && answer.ResultCode < goldap.ErrorNetwork:
		return answer, nil
	}
	c.broken = true
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return nil, &upstream.Error{Kind: upstream.Unavailable, Err: err}
}

// search returns what was found. That a size limit was passed is told by the
// number of entries.
func (c *conn) search(ctx context.Context, r *goldap.SearchRequest) ([]*goldap.Entry, error) {
	var found *goldap.SearchResult
	r.EnforceSizeLimit = true
	answer, err := c.ask(ctx, func(l *goldap.Conn) (err error) {
		found, err = l.Search(r)
		if errors.Is(err, goldap.ErrSizeLimitExceeded) { // more than the server was asked for: the rest is not waited for
			c.broken = true
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case answer != nil && answer.ResultCode != goldap.LDAPResultSizeLimitExceeded:
		return nil, failedSearch(answer)
	}
	return found.Entries, nil
}

// failedSearch takes nothing for an answer about somebody that may be one about
// the search: a base that is not there, rights that the reader has lost.
func failedSearch(answer *goldap.Error) error {
	kind := upstream.Unavailable
	if answer.ResultCode == goldap.LDAPResultReferral {
		kind = upstream.Untrusted // it names another server, which nobody here has chosen
	}
	return &upstream.Error{Kind: kind, Err: fmt.Errorf("search: result %d %s", answer.ResultCode, goldap.LDAPResultCodeMap[answer.ResultCode])}
}

// alive asks a connection that was idle for long whether it still is one: a
// firewall forgets them without a word.
func (c *conn) alive(ctx context.Context, now time.Time) bool {
	if c.broken || c.ldap.IsClosing() {
		return false
	}
	if now.Sub(c.since) < restless {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	r := goldap.NewSearchRequest("", goldap.ScopeBaseObject, goldap.NeverDerefAliases, 1, 0, true, "(objectClass=*)", []string{"1.1"}, nil)
	_, _ = c.ask(ctx, func(l *goldap.Conn) error { _, err := l.Search(r); return err })
	return !c.broken // whatever the answer is
}

const (
	restless    = 30 * time.Second // after which an idle connection is tried before it is used
	aliveWithin = time.Second
)
