package account

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/factor"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

const (
	noticeFactorAdded   = "factor_added"
	noticeFactorRemoved = "factor_removed"
)

// freshForFactors is how old a sign-in may be where somebody changes by what they
// sign in.
const freshForFactors = 5 * time.Minute

// PersonAt is who is at a page, as second factors see them.
func PersonAt(c *gin.Context, v *visit.Visits, s *storage.BrowserSession) *factor.Person {
	return &factor.Person{
		Subject: s.Subject, Status: s.UserStatus, Session: s.Hash, From: v.PeerAddr(c), RequestID: c.GetString(wire.RequestID),
	}
}

func (p *Page) fillFactors(ctx context.Context, v *viewed) error {
	if p.options.Factors == nil {
		return nil
	}
	v.page.Factors.Fresh = p.isFresh(v.session, freshForFactors)
	return wire.Outage(p.options.Factors.Fill(ctx, v.session.Subject, &v.page.Factors))
}

// freshly lets only those do it who signed in just now.
func (p *Page) freshly(do action) action {
	return func(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
		if p.isFresh(s, freshForFactors) {
			return do(c, s, values)
		}
		return done{refused: "stale", page: &pages.AccountPage{Factors: pages.FactorSection{Refused: "stale"}}}, nil
	}
}

func (p *Page) enrolPage(c *gin.Context, s *storage.BrowserSession) (*pages.EnrolPage, error) {
	user, err := p.options.Users.FindUser(c.Request.Context(), s.Subject)
	if err != nil {
		return nil, wire.Outage(err)
	}
	return &pages.EnrolPage{
		User: Shown(user, p.options.Directory),
		Form: pages.Form{Action: p.options.Base + Path + "/factors/enrol", CSRF: p.options.Visits.FormToken(c, Path, s)},
	}, nil
}

func (p *Page) addFactor(c *gin.Context, s *storage.BrowserSession, _ url.Values) (done, error) {
	page, err := p.enrolPage(c, s)
	if err != nil {
		return done{}, err
	}
	return done{made: page}, wire.Outage(p.options.Factors.Offer(c.Request.Context(), PersonAt(c, p.options.Visits, s), page))
}

// enrolFactor answers with recovery codes where it is the person's first. They have
// just proved what they enrolled.
func (p *Page) enrolFactor(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	page, err := p.enrolPage(c, s)
	if err != nil {
		return done{}, err
	}
	enrolled, err := p.options.Factors.Enrol(c.Request.Context(), PersonAt(c, p.options.Visits, s), values, page)
	switch {
	case err != nil:
		return done{}, wire.Outage(err)
	case enrolled == nil:
		c.Set(wire.LogRefusal, page.Error)
		return done{made: page, status: http.StatusBadRequest}, nil
	}
	if err := p.options.Visits.Prove(c, s, nil, enrolled.AMR); err != nil {
		return done{}, err
	}
	if enrolled.Codes == nil {
		return done{notice: noticeFactorAdded}, nil
	}
	return done{made: &pages.RecoveryPage{Codes: enrolled.Codes, Continue: p.options.Base + Path}}, nil
}

func (p *Page) removeFactor(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	return done{notice: noticeFactorRemoved}, wire.Outage(p.options.Factors.Remove(c.Request.Context(), s.Subject, values.Get("id")))
}

// newRecoveryCodes answers with the codes: no other page ever has them.
func (p *Page) newRecoveryCodes(c *gin.Context, s *storage.BrowserSession, _ url.Values) (done, error) {
	codes, err := p.options.Factors.NewRecoveryCodes(c.Request.Context(), s.Subject)
	if codes == nil || err != nil {
		return done{}, wire.Outage(err)
	}
	return done{made: &pages.RecoveryPage{Codes: codes, Continue: p.options.Base + Path}}, nil
}
