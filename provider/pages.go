package provider

import (
	"time"

	"keyway/provider/identity"
)

// Page is what one page shows; the pages are the types of this file. Texts
// that come from people or clients are given as they are: the renderer
// escapes them.
type Page interface {
	about() pageTraits
}

// pageTraits are what the renderer must know of a page beside its fields.
type pageTraits struct {
	name string // of its template, <name>.html
	Visit
}

// Visit is what a page knows of the request of a client that it is part of.
// All of it may be empty.
type Visit struct {
	Locales     string // ui_locales: BCP 47 tags, the dearest first, separated by spaces (OpenID Connect Core 1.0, section 3.1.2.1)
	ClientName  string // as it is shown: the client's name, or its id
	RedirectURI string // where the browser goes at the end
}

// Form is what a page posts back, beside what the person enters.
type Form struct {
	Action      string // path and query that it is posted to
	CSRF        string // posted as "csrf"
	Interaction string // posted as "interaction" unless it is empty
}

// PageUser is the person who is signed in.
type PageUser struct {
	Name     string // "" is shown as the user name
	Username string
	Email    string
}

// Display is the name to call the person by.
func (u PageUser) Display() string {
	for _, s := range []string{u.Name, u.Username, u.Email} {
		if s != "" {
			return s
		}
	}
	return ""
}

// LoginPage asks for a user name and a password, posted as "username" and
// "password".
type LoginPage struct {
	Visit
	Form
	Username string          // what is filled in already: the login hint, or what was tried
	Fixed    bool            // the person of Username must sign in again; the name cannot be changed
	Failure  identity.Reason // why the last try failed; "" where there was none
}

// ConsentPage asks whether the client may have what it asks for. The answer
// is posted as "decision", which is "allow" or "deny".
type ConsentPage struct {
	Visit
	Form
	User   PageUser
	Scopes []string // those that are asked for; known ones are shown as sentences
}

// LogoutPage asks whether to sign out. The answer is posted as "decision",
// which is "logout" or "stay".
type LogoutPage struct {
	Visit
	Form
	User PageUser
}

// LoggedOutPage says that the person is signed out.
type LoggedOutPage struct {
	Visit
}

// ErrorPage says what went wrong, and nothing internal. Code is an OAuth
// error code, or one of the codes that [ErrorPage] has texts for beside them:
// "unknown_client", "invalid_redirect_uri", "interaction_expired",
// "wrong_browser", "not_found". An unknown code gets a general text.
type ErrorPage struct {
	Visit
	Code      string
	RequestID string
}

// AccountPage shows the person what there is of them. All its forms are
// posted to Action with a field "action":
//
//	end_session     and "session", the session's ID
//	revoke_consent  and "client", the client's ID
//	sign_out        of this browser
//	sign_out_all    of everything, everywhere
//	password        and "current_password", "new_password"; only where MayChangePassword
type AccountPage struct {
	Visit
	Form
	User              PageUser
	Sessions          []PageSession
	Consents          []PageConsent
	MayChangePassword bool
	Failure           string // why the last action failed: "wrong_password", "weak_password", "locked", "rate_limited" or another; "" where it did not
	Notice            string // what was done: "session_ended", "consent_revoked", "password_changed", "signed_out_elsewhere"; "" for nothing
}

// PageSession is one browser in which the person is signed in.
type PageSession struct {
	ID        string
	Current   bool // the browser that asks
	UserAgent string
	Address   string
	SignedIn  time.Time
	LastSeen  time.Time
}

// PageConsent is a client that may act for the person.
type PageConsent struct {
	ClientID   string
	ClientName string
	Scopes     []string
	Since      time.Time
}

func (p *LoginPage) about() pageTraits     { return pageTraits{"login", p.Visit} }
func (p *ConsentPage) about() pageTraits   { return pageTraits{"consent", p.Visit} }
func (p *LogoutPage) about() pageTraits    { return pageTraits{"logout", p.Visit} }
func (p *LoggedOutPage) about() pageTraits { return pageTraits{"logged_out", p.Visit} }
func (p *ErrorPage) about() pageTraits     { return pageTraits{"error", p.Visit} }
func (p *AccountPage) about() pageTraits   { return pageTraits{"account", p.Visit} }
