package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/account"
	"keyway/provider/client"
	"keyway/provider/factor"
	"keyway/provider/farewell"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/logout"
	"keyway/provider/pages"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

func (p *Provider) newVisits() (*visit.Visits, error) {
	o := &p.options
	return visit.New(visit.Options{
		Issuer: o.Issuer, Directory: o.Directory, Key: p.tokens.forms, Storage: o.Storage, Gate: o.Gate,
		Vouched: p.sessionVouched, Frame: p.frame, PeerAddr: o.PeerAddr, Now: o.Now,
		Lifetimes: visit.Lifetimes{Interaction: o.Lifetimes.Interaction, SessionIdle: o.Lifetimes.SessionIdle, SessionMax: o.Lifetimes.SessionMax},
	})
}

// frame is what a frame loads to tell a client of a sign-out; "" for nothing.
func (p *Provider) frame(ctx context.Context, id, sid string) string {
	client, err := p.liveClient(ctx, id)
	if err != nil || client.FrontchannelLogoutURI == "" {
		return ""
	}
	return logout.FrameURI(client.FrontchannelLogoutURI, p.options.Issuer, p.subjectFor(client, sid))
}

func (p *Provider) newFarewell() (*farewell.Endpoint, error) {
	o := &p.options
	return farewell.New(farewell.Options{
		Issuer: o.Issuer, Base: p.base, AccountURL: p.url(account.Path), Visits: p.visits, Pages: o.Pages, Person: p.pageUser,
		Upstream: p.signOutUpstream,
		Hint:     func(token string) (keys.Hint, error) { return p.keys.Hint(o.Issuer, token) },
		Client: func(ctx context.Context, id string) (*client.Client, error) {
			c, err := p.liveClient(ctx, id)
			if err != nil {
				return nil, err
			}
			return c.Client, nil
		},
		Subject: func(c *client.Client, subject string) string { return p.tokens.subjects.Of(c.Sector(), subject) },
	})
}

func (p *Provider) newAccount() (*account.Page, error) {
	o := &p.options
	a := account.Options{
		Issuer: o.Issuer, Directory: o.Directory, Visits: p.visits, Storage: o.Storage, Users: o.Users, Pages: o.Pages, Now: o.Now,
		LoginURL: p.url(pathLogin), ClientName: p.clientName, Forget: p.reads.Forget,
		Base: p.base, Missing: p.factorMissing, ProceedURL: p.url(pathAuthorize), Leave: p.farewell.Leave,
		Passwords: o.Passwords, Factors: p.offeredDesk(), Apps: o.AppPasswords,
	}
	if o.Federation != nil {
		a.Links = o.Federation
	}
	return account.New(a)
}

// offeredDesk is nil where people can have no second factor.
func (p *Provider) offeredDesk() *factor.Desk {
	if !p.options.Factors.Policy.Offered() {
		return nil
	}
	return p.options.Factors.Desk
}

// clientName is "" for a client that has none, or that is gone.
func (p *Provider) clientName(ctx context.Context, id string) (string, error) {
	client, err := p.client(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return client.Name, nil
}

// toAccount ends an interaction that has no request.
func (p *Provider) toAccount(c *gin.Context, i *Interaction) error {
	err := p.options.Storage.EndInteraction(c.Request.Context(), i.Hash)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return wire.Outage(err)
	}
	c.Redirect(http.StatusSeeOther, p.url(account.Path))
	return nil
}

// pageUser is how pages name who is signed in.
func (p *Provider) pageUser(ctx context.Context, s *BrowserSession) (pages.User, error) {
	u, err := p.options.Users.FindUser(ctx, s.Subject)
	if err != nil {
		return pages.User{}, wire.Outage(err)
	}
	return account.Shown(u, p.options.Directory), nil
}

// request parses the authorization request of an interaction anew; nil for
// one that has none.
func (p *Provider) request(ctx context.Context, i *Interaction) (*authorization, error) {
	if i.Query == "" || i.Purpose != "" {
		return nil, nil
	}
	values, err := url.ParseQuery(i.Query)
	if err != nil {
		return nil, err
	}
	client, err := p.authorizingClient(ctx, values)
	if err != nil {
		return nil, err
	}
	a, err := p.judge(client, values)
	if a != nil && i.Pushed != (Hash{}) {
		a.pushed = &i.Pushed
	}
	return a, err
}
