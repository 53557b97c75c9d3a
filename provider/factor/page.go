package factor

import (
	"context"
	"errors"
	"net/url"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/wire"
)

// Fill adds to the account page's section what somebody has.
func (d *Desk) Fill(ctx context.Context, subject string, s *pages.FactorSection) error {
	held, err := d.Held(ctx, subject)
	if err != nil {
		return err
	}
	s.Offered, s.Recovery = true, held.Recovery
	for i := range held.Enrolments {
		e := &held.Enrolments[i]
		s.Enrolled = append(s.Enrolled, pages.Factor{ID: e.ID, Kind: string(e.Kind), Name: e.Name, Created: e.CreatedAt, Used: e.UsedAt})
	}
	return nil
}

// Offer puts on the page what a person can enrol.
func (d *Desk) Offer(ctx context.Context, p *Person, page *pages.EnrolPage) error {
	offer, err := d.OfferTOTP(ctx, p, page.User.Display())
	if err != nil {
		return err
	}
	show(page, offer)
	return nil
}

// Enrol takes what was posted from the page. Where that cannot be, the page says
// why, offers anew, and there is neither a result nor an error.
func (d *Desk) Enrol(ctx context.Context, p *Person, posted url.Values, page *pages.EnrolPage) (*Enrolled, error) {
	page.Name = posted.Get("name")
	done, again, err := d.EnrolTOTP(ctx, p, Answer{Challenge: posted.Get("challenge"), Name: page.Name, Code: posted.Get("code")})
	var problem Problem
	switch {
	case !errors.As(err, &problem):
		return done, err
	case again != nil:
		page.Error = string(problem)
		show(page, again)
		return nil, nil //nolint:nilnil // the page says why
	}
	page.Error = string(problem)
	return nil, d.Offer(ctx, p, page)
}

func show(page *pages.EnrolPage, o *Offer) {
	page.Image, page.Key, page.Challenge = o.Image, o.Secret, o.Challenge
}

// Ask puts on the page what a person can prove themselves by.
func (d *Desk) Ask(ctx context.Context, p *Person, page *pages.FactorPage) error {
	held, err := d.Held(ctx, p.Subject)
	if err != nil {
		return err
	}
	page.TOTP = held.Has(KindTOTP)
	return nil
}

// Answer judges what was posted from the page. Where it is not right, the page says
// why, and there is neither a proof nor an error.
func (d *Desk) Answer(ctx context.Context, p *Person, posted url.Values, page *pages.FactorPage) (*Proof, error) {
	proof, err := d.Code(ctx, p, posted.Get("code"))
	if err == nil {
		return proof, nil
	}
	reason := identity.ReasonOf(err)
	if reason == identity.ReasonInternal {
		return nil, err
	}
	_, page.Error = wire.SignInError(reason)
	return nil, d.Ask(ctx, p, page)
}
