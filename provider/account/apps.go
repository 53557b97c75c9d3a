package account

import (
	"context"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

const noticeApp = "app_removed"

// freshForApps is how old a sign-in may be for an app password, which goes on
// opening the old apps.
const freshForApps = 15 * time.Minute

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

func (p *Page) fillApps(ctx context.Context, v *viewed) error {
	if p.options.Apps == nil {
		return nil
	}
	v.page.Apps.Fresh = p.isFresh(v.session, freshForApps)
	return wire.Outage(p.options.Apps.Fill(ctx, v.user, &v.page.Apps))
}

// addApp answers with the password: no other page ever has it.
func (p *Page) addApp(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	page := &pages.AccountPage{Apps: pages.AppSection{
		Name: values.Get("name"), System: values.Get("system"), Days: values.Get("days"), Networks: values.Get("networks"),
	}}
	if !p.isFresh(s, freshForApps) {
		page.Apps.Refused = "stale"
		return done{refused: "stale", page: page}, nil
	}
	made, err := p.options.Apps.Add(c.Request.Context(), s.Subject, &page.Apps)
	if made == nil || err != nil {
		return done{refused: page.Apps.Refused, page: page}, wire.Outage(err)
	}
	return done{made: made}, nil
}

func (p *Page) removeApp(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	defer p.options.Forget()
	return done{notice: noticeApp}, wire.Outage(p.options.Apps.Remove(c.Request.Context(), s.Subject, values.Get("id")))
}
