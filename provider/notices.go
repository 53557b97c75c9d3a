package provider

import (
	"context"
	"errors"

	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/logout"
)

// newDelivery returns nil where nothing is called.
func (p *Provider) newDelivery() (*logout.Delivery, error) {
	o := &p.options
	if o.Outbound == nil {
		return nil, nil
	}
	return logout.New(logout.Options{
		Issuer: o.Issuer, Queue: o.Storage, Addressee: p.notify, Sign: p.keys.Sign, Post: o.Outbound, Now: o.Now, Log: o.Log,
	})
}

// notify is how a client is told of a sign-out; nil where it does not want to
// be told any more.
func (p *Provider) notify(ctx context.Context, n *logout.Notice) (*logout.Addressee, error) {
	c, err := p.liveClient(ctx, n.ClientID)
	if errors.Is(err, identity.ErrNotFound) || err == nil && c.BackchannelLogoutURI == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	to := &logout.Addressee{URI: c.BackchannelLogoutURI, Subject: p.subjectFor(c, n.Subject), SID: p.subjectFor(c, n.SID), Alg: c.IDTokenAlg}
	if to.Alg == "" {
		to.Alg = keys.RS256
	}
	return to, nil
}
