package visit

import (
	"errors"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/secret"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// maxUserAgent is how much of User-Agent is kept, in bytes.
const maxUserAgent = 256

// touchEvery says how stale the last use of a session may be: noting each
// would make every request a write.
const touchEvery = 5 * time.Minute

// Session returns the session of the browser, nil where nobody is signed in.
func (v *Visits) Session(c *gin.Context) (*storage.BrowserSession, error) {
	s, err := v.Kept(c)
	if s == nil || err != nil || s.Connector == "" {
		return s, err
	}
	if ok, err := v.options.Vouched(c.Request.Context(), s); !ok || err != nil {
		return nil, err
	}
	return s, nil
}

// Kept is Session for who leaves, or signs in anew: no upstream is asked.
func (v *Visits) Kept(c *gin.Context) (*storage.BrowserSession, error) {
	value := v.Cookie(c, SessionCookie)
	if value == "" {
		return nil, nil
	}
	ctx, now := c.Request.Context(), v.options.Now()
	s, err := v.options.Storage.FindSession(ctx, storage.HashOf(value))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, wire.Outage(err)
	case !v.Lives(s):
		return nil, nil
	}
	err = v.options.Gate.Ask(ctx, identity.Question{Moment: identity.MomentStay, Subject: s.Subject, Status: s.UserStatus})
	if reason := identity.ReasonOf(err); reason == identity.ReasonUnavailable || reason == identity.ReasonInternal {
		return nil, err
	} else if err != nil {
		return nil, nil //nolint:nilerr // who may not stay is not signed in
	}
	if now.Sub(s.SeenAt) >= min(touchEvery, v.options.Lifetimes.SessionIdle/4) {
		if err := v.options.Storage.TouchSession(ctx, s.Hash, now); err != nil {
			return nil, wire.Outage(err)
		}
	}
	return s, nil
}

// Lives reports whether a session has neither expired nor been idle for too long.
func (v *Visits) Lives(s *storage.BrowserSession) bool {
	now := v.options.Now()
	return now.Before(s.ExpiresAt) && now.Sub(s.SeenAt) < v.options.Lifetimes.SessionIdle
}

// SignIn starts a session under a new random id (against session fixation), within
// an interaction, to which client sent the person; "" for none. Somebody who signs
// in once more keeps what is public of it.
func (v *Visits) SignIn(c *gin.Context, who *identity.Identity, i *storage.Interaction, client string) error {
	old, err := v.Kept(c)
	if err != nil {
		return err
	}
	now, value := v.options.Now(), secret.ID()+secret.ID()
	agent := c.Request.UserAgent()
	x := &storage.SessionStart{
		Session: storage.BrowserSession{
			Hash: storage.HashOf(value), ID: secret.ID(), Subject: who.User.Subject, AMR: who.AMR,
			Connector: who.Connector, ACR: who.ACR, Upstream: who.Upstream, UserAgent: agent[:min(len(agent), maxUserAgent)],
			AuthTime: who.AuthTime, FactorAt: factorAt(who, now), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(v.options.Lifetimes.SessionMax),
		},
		Interaction: i, Event: v.Event(c, "login", who.User.Subject),
	}
	if len(x.Session.AMR) == 0 && who.Connector == "" {
		x.Session.AMR = []string{"pwd"}
	}
	x.Session.RemoteAddr, x.Event.ClientID, x.Event.Directory = x.Event.RemoteAddr, client, v.options.Directory
	x.Event.Connector, x.Event.Verifier = who.Connector, who.Verifier
	if old != nil {
		x.Replaces = old.Hash
		if old.Subject == who.User.Subject {
			x.Session.ID, x.Session.CreatedAt = old.ID, old.CreatedAt
		}
	}
	if i.Subject != who.User.Subject {
		i.Decision = ""
	}
	i.Subject, i.SignedIn = who.User.Subject, now
	if err := v.options.Storage.StartSession(c.Request.Context(), x); err != nil {
		return GoneOrOutage(err)
	}
	v.SetCookie(c, SessionCookie, value)
	return nil
}

// factorAt is when who signs in proved a second factor with the first.
func factorAt(who *identity.Identity, now time.Time) time.Time {
	if who.SecondFactor {
		return now
	}
	return time.Time{}
}

// SignOut ends the session of the browser, and returns what frames have to load so
// that clients see to it too.
func (v *Visits) SignOut(c *gin.Context, s *storage.BrowserSession) ([]string, error) {
	e := v.Event(c, "logout", s.Subject)
	return v.End(c, s, storage.SessionQuery{Subject: s.Subject, ID: s.ID, Event: &e})
}

// End ends sessions that s, the browser's, is one of; otherwise as [Visits.SignOut].
func (v *Visits) End(c *gin.Context, s *storage.BrowserSession, q storage.SessionQuery) ([]string, error) {
	left, err := v.options.Storage.EndSessions(c.Request.Context(), q)
	if err != nil {
		return nil, wire.Outage(err)
	}
	v.SetCookie(c, SessionCookie, "")
	var frames []string
	for _, l := range left {
		if l.SID != s.ID {
			continue
		}
		if uri := v.options.Frame(c.Request.Context(), l.ClientID, s.ID); uri != "" {
			frames = append(frames, uri)
		}
	}
	slices.Sort(frames)
	return slices.Compact(frames), nil
}

// EndOther ends sessions that the browser's is none of.
func (v *Visits) EndOther(c *gin.Context, q storage.SessionQuery) error {
	_, err := v.options.Storage.EndSessions(c.Request.Context(), q)
	return wire.Outage(err)
}
