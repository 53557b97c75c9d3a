package factor

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

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
	held, err := d.Held(ctx, p.Subject)
	if err != nil {
		return err
	}
	return d.offerPasskey(ctx, p, page, held.Enrolments)
}

func (d *Desk) offerPasskey(ctx context.Context, p *Person, page *pages.EnrolPage, held []Enrolment) error {
	q, err := d.OfferPasskey(ctx, p, page.User.Display(), held)
	if q != nil {
		page.Passkey, page.PasskeyChallenge = q.Options, q.Challenge
	}
	return err
}

// Enrol takes what was posted from the page. Where that cannot be, the page says
// why, offers anew, and there is neither a result nor an error.
func (d *Desk) Enrol(ctx context.Context, p *Person, posted url.Values, page *pages.EnrolPage) (*Enrolled, error) {
	a := Answer{Challenge: posted.Get("challenge"), Name: posted.Get("name"), Code: posted.Get("code"), Passkey: posted.Get("passkey")}
	var (
		done  *Enrolled
		again *Offer
		err   error
	)
	if posted.Has("passkey") {
		done, err = d.EnrolPasskey(ctx, p, a)
	} else {
		page.Name = a.Name
		done, again, err = d.EnrolTOTP(ctx, p, a)
	}
	var problem Problem
	if !errors.As(err, &problem) {
		return done, err
	}
	page.Error = string(problem)
	if err := d.Offer(ctx, p, page); err != nil {
		return nil, err
	}
	if again != nil {
		show(page, again) // the app has scanned this one
	}
	return nil, nil //nolint:nilnil // the page says why
}

func show(page *pages.EnrolPage, o *Offer) {
	page.Image, page.Key, page.Challenge = o.Image, grouped(o.Secret), o.Challenge
}

// grouped is a key as people copy it; apps do not mind the blanks.
func grouped(key string) string {
	var groups []string
	for g := range slices.Chunk([]byte(key), 4) {
		groups = append(groups, string(g))
	}
	return strings.Join(groups, " ")
}

// Ask puts on the page what a person can prove themselves by.
func (d *Desk) Ask(ctx context.Context, p *Person, page *pages.FactorPage) error {
	held, err := d.Held(ctx, p.Subject)
	if err != nil {
		return err
	}
	page.TOTP = held.Has(KindTOTP)
	q, err := d.AskPasskey(ctx, p, held.Enrolments)
	if q != nil {
		page.Passkey, page.Challenge = q.Options, q.Challenge
	}
	return err
}

// Answer judges what was posted from the page. Where it is not right, the page says
// why, and there is neither a proof nor an error.
func (d *Desk) Answer(ctx context.Context, p *Person, posted url.Values, page *pages.FactorPage) (*Proof, error) {
	var (
		proof   *Proof
		err     error
		problem Problem
	)
	if posted.Has("passkey") {
		proof, err = d.Passkey(ctx, p, posted.Get("challenge"), posted.Get("passkey"))
	} else {
		proof, err = d.Code(ctx, p, posted.Get("code"))
	}
	switch {
	case err == nil:
		return proof, nil
	case errors.As(err, &problem):
		page.Error = string(problem)
		return nil, d.Ask(ctx, p, page)
	}
	reason := identity.ReasonOf(err)
	if reason == identity.ReasonInternal {
		return nil, err
	}
	_, page.Error = wire.SignInError(reason)
	if page.Error == "invalid" && posted.Has("passkey") {
		page.Error = string(ProblemPasskey)
	}
	return nil, d.Ask(ctx, p, page)
}
