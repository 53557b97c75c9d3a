package provider

import (
	"context"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/wire"
)

const (
	actionAddApp      = "/apps/add"
	actionRemoveApp   = "/apps/remove"
	actionSignInAgain = "/apps/again"
	noticeApp         = "app_removed"

	// purposeAgain is the purpose of an interaction that leads back to the account
	// page by a new sign-in.
	purposeAgain = "again"
	// freshFor is how old a sign-in may be for an app password: a browser that was left
	// open must not give away what goes on opening the old apps.
	freshFor = 15 * time.Minute
)

// AppPasswords makes and removes app passwords. Errors are [*identity.Failure].
type AppPasswords interface {
	// Fill adds to s what u has and may have.
	Fill(ctx context.Context, u *identity.User, s *pages.AppSection) error
	// Add makes what was entered in s. Where that cannot be, s says why, and there
	// is neither page nor error.
	Add(ctx context.Context, subject string, s *pages.AppSection) (*pages.AppPasswordPage, error)
	// Remove also ends what was granted to the subject in the password's system.
	Remove(ctx context.Context, subject, id string) error
}

func (p *Provider) fillApps(ctx context.Context, page *pages.AccountPage, u *identity.User, s *BrowserSession) error {
	if p.options.AppPasswords == nil {
		return nil
	}
	page.Apps.Fresh = p.isFresh(s)
	return wire.Outage(p.options.AppPasswords.Fill(ctx, u, &page.Apps))
}

func (p *Provider) isFresh(s *BrowserSession) bool { return p.options.Now().Sub(s.AuthTime) < freshFor }

// addApp answers with the password: no other page ever has it.
func (p *Provider) addApp(c *gin.Context, s *BrowserSession, values url.Values) (done, error) {
	page := &pages.AccountPage{Apps: pages.AppSection{
		Name: values.Get("name"), System: values.Get("system"), Days: values.Get("days"), Networks: values.Get("networks"),
	}}
	if !p.isFresh(s) {
		page.Apps.Refused = "stale"
		return done{refused: "stale", page: page}, nil
	}
	made, err := p.options.AppPasswords.Add(c.Request.Context(), s.Subject, &page.Apps)
	return done{made: made, refused: page.Apps.Refused, page: page}, wire.Outage(err)
}

func (p *Provider) removeApp(c *gin.Context, s *BrowserSession, values url.Values) (done, error) {
	defer p.reads.Forget()
	return done{notice: noticeApp}, wire.Outage(p.options.AppPasswords.Remove(c.Request.Context(), s.Subject, values.Get("id")))
}

func (p *Provider) signInAgain(c *gin.Context, _ *BrowserSession, _ url.Values) (done, error) {
	id, err := p.beginInteraction(c, Interaction{Purpose: purposeAgain})
	return done{interaction: id}, err
}
