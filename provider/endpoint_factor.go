package provider

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/stepup"
	"keyway/provider/wire"
)

// Factors are second factors. Without a policy, nobody has one.
type Factors struct {
	Policy *factor.Policy
	Desk   *factor.Desk // people enrol and prove theirs with it; must be given where the policy offers them
}

func (p *Provider) newStepUp() (*stepup.Page, error) {
	o := &p.options
	if !o.Factors.Policy.Offered() {
		return nil, nil
	}
	return stepup.New(stepup.Options{
		Issuer: o.Issuer, Base: p.base, Directory: o.Directory, Visits: p.visits, Users: o.Users, Pages: o.Pages, Desk: o.Factors.Desk,
		LoginPath: p.path(pathLogin), BackURL: p.url(pathAuthorize), Open: p.openFactor,
	})
}

// contexts are the authentication contexts that there are, the plainest first.
func (p *Provider) contexts() []string {
	if p.options.Factors.Policy.Offered() {
		return []string{pageACR, factor.ACR}
	}
	return []string{pageACR}
}

// contextOf is that of a browser session, as a request may have it.
func contextOf(s *BrowserSession, a *authorization) string {
	exactly := a != nil && a.OnlyACR && a.ACR == pageACR
	switch {
	case !s.FactorAt.IsZero() && !exactly:
		return factor.ACR
	case s.Connector != "":
		return s.ACR
	}
	return pageACR
}

// factorState is what the gate is told of a second factor that was proved or not.
func factorState(proved bool) identity.FactorState {
	if proved {
		return identity.FactorProved
	}
	return identity.FactorMissing
}

// judgeFactor decides what is missing of a session for a client, nil for none.
func (p *Provider) judgeFactor(ctx context.Context, s *BrowserSession, client *fositeClient, a *authorization) (factor.Verdict, error) {
	verdict, err := p.options.Factors.Policy.Judge(ctx, factor.Asked{
		Subject: s.Subject, Connector: s.Connector, Proved: !s.FactorAt.IsZero(),
		Wanted: client != nil && client.RequireSecondFactor || a != nil && a.ACR == factor.ACR,
	})
	return verdict, wire.Outage(err)
}

// factorMissing is judgeFactor for pages that belong to no client.
func (p *Provider) factorMissing(ctx context.Context, s *BrowserSession) (bool, error) {
	verdict, err := p.judgeFactor(ctx, s, nil, nil)
	return verdict != factor.Enough, err
}

// missingFactor decides whether a second factor has to come, or first another
// sign-in: who has none yet must not get one in a browser that was left open.
func (p *Provider) missingFactor(ctx context.Context, s *BrowserSession, i *Interaction, client *fositeClient, a *authorization) (step, error) {
	verdict, err := p.judgeFactor(ctx, s, client, a)
	switch {
	case err != nil || verdict == factor.Enough:
		return stepDone, err
	case verdict == factor.MustHave && !p.signedInJustNow(s, i):
		return stepLogin, nil
	}
	return stepFactor, nil
}

// missingOwn is missingFactor for an interaction that no client began.
func (p *Provider) missingOwn(ctx context.Context, s *BrowserSession, i *Interaction) (step, error) {
	if !p.options.Factors.Policy.Offered() {
		return stepDone, nil
	}
	client, err := p.deviceClient(ctx, i)
	if err != nil {
		return stepDone, err
	}
	return p.missingFactor(ctx, s, i, client, nil)
}

func (p *Provider) signedInJustNow(s *BrowserSession, i *Interaction) bool {
	now := p.options.Now()
	return now.Sub(s.AuthTime) < believed || i != nil && i.Subject == s.Subject && now.Sub(i.SignedIn) < believed
}

// openFactor finds what the second factor is a step of. Who is not there to give one
// goes back to the dispatcher.
func (p *Provider) openFactor(c *gin.Context, id string) (*stepup.Step, error) {
	if id == "" {
		p.send(c, pathAuthorize, id)
		return nil, nil
	}
	id, i, a, err := p.open(c, id)
	if i == nil || err != nil {
		return nil, err
	}
	s, err := p.visits.Session(c)
	if err != nil {
		return nil, err
	}
	step := &stepup.Step{ID: id, Interaction: i, Session: s, Visit: a.visit()}
	var client *fositeClient
	if a != nil {
		client = a.client
	} else if client, err = p.deviceClient(c.Request.Context(), i); err != nil {
		return nil, err
	}
	next := stepLogin
	if s != nil {
		if next, err = p.missingFactor(c.Request.Context(), s, i, client, a); err != nil {
			return nil, err
		}
	}
	if next != stepFactor {
		p.send(c, pathAuthorize, id)
		return nil, nil
	}
	if client != nil {
		step.Client = client.ID
		c.Set(wire.LogClient, client.ID)
	}
	step.Missing, err = p.judgeFactor(c.Request.Context(), s, client, a)
	return step, err
}

// deviceClient is the client of the device that somebody at an interaction lets in;
// nil before they named one.
func (p *Provider) deviceClient(ctx context.Context, i *Interaction) (*fositeClient, error) {
	if i.Device == (Hash{}) {
		return nil, nil
	}
	st, err := p.options.Storage.FindDeviceGrant(ctx, i.Device)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, wire.Outage(err)
	}
	client, err := p.liveClient(ctx, st.Device.ClientID)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	return client, err
}
