package federation

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Life is what becomes of a connector's people after they signed in. Zero values
// mean the defaults.
type Life struct {
	Recheck    time.Duration // how old the upstream's word may be before it is asked anew; default 5 min
	AllowFor   time.Duration // how old while it is away; default 1 h, negative no longer than Recheck
	MaxSession time.Duration // how old where it cannot be asked; 0 for ever
	KeepTokens bool          // its access token is kept, for clients that may take it
	SignOut    bool          // who signs out here is taken to sign out there
}

func (l *Life) complete() {
	if l.Recheck <= 0 {
		l.Recheck = 5 * time.Minute
	}
	if l.AllowFor == 0 {
		l.AllowFor = time.Hour
	}
}

const (
	claimFor = 30 * time.Second // longer than askFor
	askFor   = 20 * time.Second
	waitFor  = 5 * time.Second  // for somebody else who asks
	pauseFor = 30 * time.Second // after an upstream did not answer
	firstNap = 20 * time.Millisecond
	longNap  = 250 * time.Millisecond
)

// Question is whom an upstream may have to be asked about.
type Question struct {
	Connector string
	Subject   string         // ours
	Event     identity.Event // the client and the request, where what they have ends
	Anew      bool           // be it that the upstream vouched for them a moment ago

	lasting bool // they need not sign in at an upstream that cannot be asked
}

// ErrAway is why nobody knows whether an upstream goes on vouching for somebody.
var ErrAway = errors.New("the upstream has been away for too long")

// errRaced says that the link has changed since it was read.
var errRaced = errors.New("somebody else was faster")

// Follow returns the link of somebody whom a connector's upstream goes on
// vouching for, and asks it where its word is too old. Errors are
// [*identity.Failure]: disabled where it does not vouch for them any more, which
// has ended what they had; expired_token where it cannot be asked and its word is
// too old; unavailable where it has been away for too long, or we are.
func (f *Federation) Follow(ctx context.Context, q Question) (*identity.Link, error) {
	c := f.Find(q.Connector)
	if c == nil {
		return nil, identity.Failf(identity.ReasonDisabled, "the connector is gone")
	}
	return f.followEach(ctx, q, func(l *identity.Link) *Connector {
		if l.Connector == c.ID || c.Issuer != "" && l.Issuer == c.Issuer {
			return f.Find(l.Connector) // by whose client the upstream gave its tokens
		}
		return nil
	})
}

// FollowMade is Follow for whoever proved themselves here, by an app password:
// those who are users for an upstream alone are so for as long as it vouches
// for them. Others are asked nothing about.
func (f *Federation) FollowMade(ctx context.Context, q Question) error {
	if f == nil {
		return nil
	}
	q.lasting = true
	_, err := f.followEach(ctx, q, func(l *identity.Link) *Connector {
		if l.Origin != identity.LinkCreated {
			return nil
		}
		if c := f.Find(l.Connector); c != nil {
			return c
		}
		return &Connector{} // which is gone, or disabled
	})
	if errors.Is(err, errNoLink) {
		return nil
	}
	return err
}

var errNoLink = errors.New("nobody at the upstream is linked to the user")

// followEach follows the links that have a connector, and returns one of the
// question's connector where there is one.
func (f *Federation) followEach(ctx context.Context, q Question, of func(*identity.Link) *Connector) (*identity.Link, error) {
	links, err := f.options.Links.ListLinks(ctx, q.Subject)
	if err != nil {
		return nil, storageOutage(err)
	}
	var found *identity.Link
	for i := range links {
		c := of(&links[i])
		if c == nil {
			continue
		}
		l, err := f.followOne(ctx, &following{connector: c, question: q, link: &links[i], began: f.options.Now()})
		if err != nil {
			return nil, err
		}
		if found == nil || l.Connector == q.Connector {
			found = l
		}
	}
	if found == nil {
		return nil, identity.Fail(identity.ReasonDisabled, errNoLink)
	}
	return found, nil
}

// following is the way of one link.
type following struct {
	connector *Connector
	question  Question
	link      *identity.Link
	began     time.Time
	claim     *Claim
}

// fresh is when the upstream must have vouched for the person at the earliest.
func (w *following) fresh(now time.Time) time.Time {
	if w.question.Anew {
		return w.began
	}
	return now.Add(-w.connector.Life.Recheck)
}

func (f *Federation) followOne(ctx context.Context, w *following) (*identity.Link, error) {
	var waited time.Duration
	for nap := firstNap; ; nap = min(2*nap, longNap) {
		now := f.options.Now()
		switch {
		case w.connector.ID == "":
			return nil, identity.Failf(identity.ReasonDisabled, "the connector is gone")
		case !w.link.RefusedAt.IsZero():
			return nil, identity.Failf(identity.ReasonDisabled, "the upstream does not vouch for them any more")
		case w.link.SeenAt.After(w.fresh(now)):
			return w.link, nil
		case w.connector.Follower == nil || w.connector.ByToken && len(w.link.RefreshToken) == 0:
			return w.untraceable(now)
		case now.Before(w.link.AskAt) && (w.link.AskedBy == "" || waited >= waitFor || !sleep(ctx, nap)):
			return w.away(now)
		case now.Before(w.link.AskAt):
			waited += nap
		default:
			if l, err := f.ask(ctx, w); !errors.Is(err, errRaced) {
				return l, err
			}
		}
		l, err := f.options.Links.FindLink(ctx, w.link.Issuer, w.link.UpstreamSubject)
		if errors.Is(err, identity.ErrNotFound) {
			return nil, identity.Fail(identity.ReasonDisabled, errNoLink)
		}
		if err != nil {
			return nil, storageOutage(err)
		}
		w.link = l
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// untraceable is whom nobody can be asked about: they stay until they have to sign
// in anew.
func (w *following) untraceable(now time.Time) (*identity.Link, error) {
	if most := w.connector.Life.MaxSession; !w.question.lasting && most > 0 && now.Sub(w.link.SeenAt) >= most {
		return nil, identity.Failf(identity.ReasonExpiredToken, "the upstream cannot be asked, and vouched for them too long ago")
	}
	return w.link, nil
}

// away is while the upstream does not answer: its last word counts for a while.
// Beyond that nobody is sent off for good: it may be back in a moment.
func (w *following) away(now time.Time) (*identity.Link, error) {
	if now.Sub(w.link.SeenAt) < w.connector.Life.AllowFor {
		return w.link, nil
	}
	return nil, identity.Fail(identity.ReasonUnavailable, ErrAway)
}

// ask claims the link and asks the upstream. What was asked is seen to its end,
// though the client may hang up: the refresh token could be lost in between.
func (f *Federation) ask(ctx context.Context, w *following) (*identity.Link, error) {
	now := f.options.Now()
	w.claim = &Claim{
		ID: rand.Text(), Issuer: w.link.Issuer, Subject: w.link.UpstreamSubject, Until: now.Add(claimFor), Seen: w.fresh(now),
	}
	held, err := f.options.Follows.ClaimLink(ctx, w.claim)
	if errors.Is(err, identity.ErrConflict) || errors.Is(err, identity.ErrNotFound) {
		return nil, errRaced
	}
	if err != nil {
		return nil, storageOutage(err)
	}
	w.link = held
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	p, err := w.connector.Follower.Follow(ctx, &upstream.Known{
		Issuer: held.Issuer, Subject: held.UpstreamSubject, RefreshToken: string(held.RefreshToken),
	})
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), claimFor-askFor)
	defer stop()
	if err == nil {
		err = f.keep(ctx, w, p)
	}
	switch {
	case err == nil:
		l, err := f.options.Links.FindLink(ctx, held.Issuer, held.UpstreamSubject)
		return l, storageOutage(err)
	case errors.Is(err, errRaced):
		return nil, err
	case upstream.KindOf(err) == upstream.Unavailable:
		return f.release(ctx, w, p, err)
	}
	return nil, f.end(ctx, w, err)
}

// keep saves what the upstream says now. Errors are [*upstream.Error], or those
// of storage.
func (f *Federation) keep(ctx context.Context, w *following, p *upstream.Person) error {
	x := &Followed{Claim: w.claim, Silent: p.Claims == nil, Person: &identity.Federated{
		Connector: w.link.Connector, Issuer: w.link.Issuer, Subject: w.link.UpstreamSubject, Roles: w.link.Roles,
		RefreshToken: []byte(p.RefreshToken),
	}}
	var err error
	if !x.Silent {
		if x.Person, err = w.connector.Mapper.Map(p); err != nil {
			return err
		}
	}
	w.connector.keepToken(x.Person, p)
	switch err = f.options.Follows.KeepFollowed(ctx, x); {
	case errors.Is(err, identity.ErrNotFound):
		return errRaced
	case errors.Is(err, identity.ErrConflict):
		return &upstream.Error{Kind: upstream.Collision, Err: err}
	}
	return err
}

// keepToken keeps the upstream's access token where somebody may take it.
func (c *Connector) keepToken(who *identity.Federated, p *upstream.Person) {
	if c.Life.KeepTokens {
		who.AccessToken, who.AccessExpires = []byte(p.AccessToken), p.AccessExpires
	}
}

// release is for an upstream that gave no answer. For a while nobody asks it then.
func (f *Federation) release(ctx context.Context, w *following, p *upstream.Person, cause error) (*identity.Link, error) {
	f.options.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream could not be asked about somebody who signed in there",
		slog.String("connector", w.connector.ID), slog.String("cause", cause.Error()))
	var refresh []byte
	if p != nil {
		refresh = []byte(p.RefreshToken)
	}
	now := f.options.Now()
	err := f.options.Follows.ReleaseLink(ctx, w.claim, refresh, now.Add(pauseFor))
	if errors.Is(err, identity.ErrNotFound) {
		return nil, errRaced
	}
	if err != nil {
		return nil, storageOutage(err)
	}
	return w.away(now)
}

// end ends what the person has here.
func (f *Federation) end(ctx context.Context, w *following, cause error) error {
	e := w.question.Event
	e.At, e.Kind, e.Subject, e.Connector = f.options.Now(), "upstream_ended", w.link.Subject, w.connector.ID
	e.Reason = identity.ReasonDisabled
	if o, ok := OutcomeOf(cause); ok {
		e.Reason = o.Reason
	}
	f.options.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream does not vouch for somebody any more",
		slog.String("connector", w.connector.ID), slog.String("subject", w.link.Subject), slog.String("cause", cause.Error()))
	err := f.options.Follows.EndFollowed(ctx, &Refusal{
		Claim: w.claim, Connector: w.connector.ID, Subject: w.link.Subject, Made: w.link.Origin == identity.LinkCreated, Event: e,
	})
	if errors.Is(err, identity.ErrNotFound) {
		return errRaced
	}
	if err != nil {
		return storageOutage(err)
	}
	return identity.Fail(identity.ReasonDisabled, cause)
}

// storageOutage marks an error of storage as such.
func storageOutage(err error) error {
	var failure *identity.Failure
	if err == nil || errors.As(err, &failure) {
		return err
	}
	return identity.Fail(identity.ReasonUnavailable, err)
}
