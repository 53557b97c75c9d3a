package federation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/upstream"
)

// Schemes are those of the upstreams' URLs: where we have no https, on a development
// machine, they have none either.
func Schemes(issuer string) []string {
	if strings.HasPrefix(issuer, "http:") {
		return []string{"https", "http"}
	}
	return []string{"https"}
}

// Fill adds to the account page's section where u is linked, and where they could be.
func (f *Federation) Fill(ctx context.Context, u *identity.User, s *pages.LinkSection) error {
	links, err := f.options.Links.ListLinks(ctx, u.Subject)
	if err != nil {
		return err
	}
	linked := map[string]bool{}
	for i := range links {
		l := &links[i]
		name := l.Connector // of one that is gone, nothing else is known
		if c := f.Find(l.Connector); c != nil {
			name = c.Name
		}
		linked[l.Connector] = true
		s.Links = append(s.Links, pages.UpstreamLink{ID: linkID(l), Name: name, Since: l.LinkedAt, Used: l.SeenAt})
	}
	for _, c := range f.Offered(nil) {
		if !linked[c.ID] {
			s.Upstreams = append(s.Upstreams, pages.Upstream{ID: c.ID, Name: c.Name})
		}
	}
	return nil
}

// linkID names a link on a page, without what the upstream calls the person.
func linkID(l *identity.Link) string {
	sum := sha256.Sum256([]byte(l.Issuer + "\x00" + l.UpstreamSubject))
	return hex.EncodeToString(sum[:16])
}

// BeginLink begins a trip by which t.Subject, who has just proved who they are here,
// proves who they are at t.Connector, and returns where the browser goes.
// [identity.ErrNotFound] where nobody can link themselves there.
func (f *Federation) BeginLink(ctx context.Context, t Trip) (string, error) {
	if t.Subject == "" || t.Session == [32]byte{} || !slices.ContainsFunc(f.Offered(nil), func(c Connector) bool { return c.ID == t.Connector }) {
		return "", identity.ErrNotFound
	}
	// Whoever is signed in there may be somebody else who uses this browser. That they
	// were asked anew is not insisted on: many upstreams do not say.
	return f.Begin(ctx, Departure{Trip: t, Prompt: request.PromptLogin})
}

// Unlink removes a link of e.Subject, by its id on the page, with what came of it,
// and returns its connector. It is [identity.ErrLastWay] where nothing else lets them
// in.
func (f *Federation) Unlink(ctx context.Context, id string, e *identity.Event) (string, error) {
	links, err := f.options.Links.ListLinks(ctx, e.Subject)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(links, func(l identity.Link) bool { return linkID(&l) == id })
	if i < 0 {
		return "", identity.ErrNotFound
	}
	u := &identity.Unlinking{Subject: e.Subject, Issuer: links[i].Issuer, UpstreamSubject: links[i].UpstreamSubject, Event: e}
	for _, c := range f.options.Connectors {
		u.Others = append(u.Others, c.ID)
	}
	return links[i].Connector, f.options.Links.RemoveLink(ctx, u)
}

// link links the person to the user who began the trip.
func (f *Federation) link(ctx context.Context, c *Connector, a *Arrival, who *identity.Federated) error {
	now := f.options.Now()
	err := f.options.Links.AddLink(ctx, &identity.Link{
		Connector: c.ID, Issuer: who.Issuer, UpstreamSubject: who.Subject, Subject: a.Trip.Subject, Origin: identity.LinkProved,
		Roles: who.Roles, RefreshToken: who.RefreshToken, AccessToken: who.AccessToken, AccessExpires: who.AccessExpires, LinkedAt: now, SeenAt: now,
	})
	if errors.Is(err, identity.ErrConflict) {
		err = f.linkedBefore(ctx, a, who, err)
	}
	if errors.Is(err, identity.ErrNotFound) {
		return upstream.Fail(upstream.Unknown, "the user is gone")
	}
	if err == nil {
		a.Subject = a.Trip.Subject
	}
	return err
}

// linkedBefore is nil for who is linked to this very user.
func (f *Federation) linkedBefore(ctx context.Context, a *Arrival, who *identity.Federated, conflict error) error {
	l, err := f.options.Links.FindLink(ctx, who.Issuer, who.Subject)
	switch {
	case errors.Is(err, identity.ErrNotFound) || err == nil && l.Subject != a.Trip.Subject:
		return &upstream.Error{Kind: upstream.Collision, Err: conflict}
	default:
		return err
	}
}
