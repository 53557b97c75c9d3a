package pages

import (
	"strings"
	"time"
)

// Page is what one page shows; the pages are the types of this file. Texts
// that come from people or clients are given as they are: the renderer
// escapes them.
type Page interface {
	about() traits
}

// traits are what the renderer must know of a page beside its fields.
type traits struct {
	name string // of its template, <name>.html
	Visit
	scripts bool     // it runs scripts of ours
	targets []string // schemes of URLs that its forms may lead to, beside the redirect URI's
	frames  []string // URLs that it frames
	onward  bool     // its one form leads on to wherever the app is that somebody came from
}

// Visit is what a page knows of the request of a client that it is part of.
// All of it may be empty.
type Visit struct {
	Locales     string // ui_locales: BCP 47 tags, the dearest first, separated by spaces (OpenID Connect Core 1.0, section 3.1.2.1)
	ClientName  string // as it is shown: the client's name, or its id
	RedirectURI string // where the browser goes at the end
	Links       []Link // what the client says of itself
	Unvouched   bool   // it registered itself: nobody here knows who it is
}

// Link leads to a page of a client's makers.
type Link struct {
	Kind string // "home", "policy" or "terms"
	URL  string // http or https
}

// LinksOf are the links that are not empty.
func LinksOf(home, policy, terms string) []Link {
	var all []Link
	for _, l := range []Link{{"home", home}, {"policy", policy}, {"terms", terms}} {
		if l.URL != "" {
			all = append(all, l)
		}
	}
	return all
}

// Form is what a page posts back, beside what the person enters.
type Form struct {
	Action      string // path and query that it is posted to
	CSRF        string // posted as "csrf"
	Interaction string // posted as "interaction" unless it is empty
	Hidden      []Field
}

// Field is a field of a form that the person does not see.
type Field struct{ Name, Value string }

// User is the person who is signed in.
type User struct {
	Name     string // "" is shown as the user name
	Username string
	Email    string
}

// Display is the name to call the person by.
func (u User) Display() string {
	for _, s := range []string{u.Name, u.Username, u.Email} {
		if s != "" {
			return s
		}
	}
	return ""
}

// Initial is the first letter of [User.Display], in upper case.
func (u User) Initial() string {
	for _, r := range u.Display() {
		return strings.ToUpper(string(r))
	}
	return ""
}

// LoginPage asks for a user name and a password, posted as "username" and
// "password".
type LoginPage struct {
	Visit
	Form
	Username string // what is filled in already: the login hint, or what was tried
	Again    bool   // somebody is signed in and must prove it anew
	SignUp   string // where people make an account for themselves; "" where they cannot
	Error    string // why the last try failed: "invalid", "locked", "disabled", "unverified", "unavailable"; "" where there was none

	Upstreams    []Upstream // where else people can sign in; chosen by posting "connector" to UpstreamPath
	UpstreamPath string
	NameFirst    bool     // a name may lead to an upstream: no password is needed with it
	NoPassword   bool     // nobody signs in with a password here
	Schemes      []string // of the upstreams' URLs, such as https
}

// Upstream is an identity provider that people can sign in at.
type Upstream struct{ ID, Name string }

// ConsentPage asks whether the client may have what it asks for. The answer
// is posted as "decision", which is "allow" or "deny".
type ConsentPage struct {
	Visit
	Form
	User    User
	Scopes  []string // those that are asked for; known ones are shown as sentences
	Details []Detail // authorization_details (RFC 9396)
}

// Detail is one of the authorization details that a client asks for.
type Detail struct {
	Type  string // shown as the text "details.TYPE", or as it is
	Lines []Line
}

// Line is one member of it.
type Line struct{ Name, Value string }

// DevicePage asks for the code that a device shows, posted as "user_code"
// (RFC 8628, section 3.3).
type DevicePage struct {
	Visit
	Form
	User  User
	Code  string // what is filled in already: from the device's link, or what was tried
	Error string // why the last try failed: "invalid" or "locked"; "" where there was none
}

// DeviceConfirmPage asks whether the device that shows the code may have what
// its client asks for. The answer is posted as "decision", which is "allow" or
// "deny".
type DeviceConfirmPage struct {
	Visit
	Form
	User    User
	Code    string   // as the device shows it
	Scopes  []string // those that are asked for; known ones are shown as sentences
	Address string   // that the device asked from; "" where it is not known
	Asked   time.Time
}

// DeviceDonePage says what was decided about a device.
type DeviceDonePage struct {
	Visit
	Allowed bool
}

// SelectPage asks with which account to go on. The answer is posted as
// "decision", which is "this" or "other".
type SelectPage struct {
	Visit
	Form
	User User // who is signed in
}

// LogoutPage asks whether to sign out. The answer is posted as "decision",
// which is "logout" or "stay".
type LogoutPage struct {
	Visit
	Form
	User    User
	Schemes []string // of the upstream's URLs where the browser signs out there, too
}

// LoggedOutPage says that the person is signed out. Meanwhile frames, which nobody
// sees, tell the clients (OpenID Connect Front-Channel Logout 1.0, section 3).
type LoggedOutPage struct {
	Visit
	Frames   []string // URLs
	Continue string   // where the browser goes after some seconds; "" for nowhere
}

// ErrorPage says what went wrong, and nothing internal. There are texts for
// the codes "login_upstream_refused", "login_upstream_untrusted",
// "login_upstream_unavailable", "login_upstream_unknown",
// "login_upstream_collision", "login_upstream_disabled",
// "login_upstream_elsewhere", "link_upstream_collision", "unknown_client", "invalid_redirect_uri", "interaction_expired",
// "interaction_answered", "invalid_request_uri",
// "wrong_browser", "csrf", "temporarily_unavailable" and "server_error"; every
// other code gets a general one.
type ErrorPage struct {
	Visit
	Code      string
	RequestID string
	Retry     string // path and query of where to sign in once more; "" where that would be of no use
	Back      string // path of the account page, for who came from there; else ""
}

// FormPostPage sends an authorization response to the client by a form (OAuth
// 2.0 Form Post Response Mode). A script of ours submits it; without scripts
// there is a button.
type FormPostPage struct {
	Visit
	Action string // the redirect URI
	Fields []Field
	Onward bool // Action is ours, and leads on to an app that is not known yet
}

// AccountPage shows the person what there is of them. Its forms are posted
// below /account, each with "csrf":
//
//	sessions/end         "id", of the session
//	signout              of this browser
//	signout-everywhere   of every session, grant and token
//	consents/revoke      "client", the client's ID
//	password             "current", "new", and "end_others" to sign out everywhere else
//	factors/add          answered by [EnrolPage], whose form is posted to factors/enrol
//	factors/remove       "id", of what was enrolled
//	factors/codes        answered by [RecoveryPage]
//	factors/again        as apps/again
//	apps/add             "system", "name", "days" (0 for ever), "networks"; answered by [AppPasswordPage]
//	apps/remove          "id", of the app password
//	apps/again           signs in anew, and comes back
//	links/add            "connector", of the upstream that the person goes to
//	links/remove         "id", of the link
//	links/again          signs in anew, and comes back
type AccountPage struct {
	Visit
	CSRF     string
	User     User
	Sessions []Session
	Consents []Consent
	Notice   string // what was done: "session_ended", "consent_revoked", "password_changed", "factor_added", "factor_removed", "app_removed", "linked" or "unlinked"; "" for nothing

	Changeable bool   // the person has a password here
	Refused    string // why it was not changed: an error of [LoginPage], or "too_short", "too_long", "malformed", "common", "own_name", "same"; "" where nobody tried

	Factors FactorSection
	Apps    AppSection
	Links   LinkSection
}

// LinkSection is about where else the person can sign in. Without links and upstreams
// it is not shown.
type LinkSection struct {
	Links     []UpstreamLink
	Upstreams []Upstream // that the person is not linked to, and could be
	Fresh     bool       // the person signed in just now, and so may add one
	Refused   string     // why nothing was done: "stale", "last" or "unavailable"; "" where nobody tried
	Schemes   []string   // of the upstreams' URLs, such as https
}

// UpstreamLink lets the person in who is signed in at an upstream.
type UpstreamLink struct {
	ID    string
	Name  string // the upstream's
	Since time.Time
	Used  time.Time // when the upstream last vouched for them
}

// AppSection is about the person's app passwords. Without systems and passwords it is
// not shown.
type AppSection struct {
	Systems   []AppSystem // for which one can be made
	Passwords []AppPassword
	Fresh     bool   // the person signed in not long ago, and so may make one
	Refused   string // why none was made: "name", "system", "days", "networks", "too_many" or "stale"; "" where nobody tried

	Name, System, Days, Networks string // what was entered then
}

// Choices are how many days an app password may live.
func (AppSection) Choices() []string { return []string{"0", "30", "90", "365"} }

// AppSystem is a legacy system.
type AppSystem struct{ Name, Title string }

// AppPassword is a password for one legacy system.
type AppPassword struct {
	ID       string
	Name     string
	System   string // its title
	Created  time.Time
	Used     time.Time // about the last use; zero for never
	Expires  time.Time // zero for never
	Expired  bool
	Networks []string // from which alone it is taken; empty for any
}

// AppPasswordPage shows a new app password, once.
type AppPasswordPage struct {
	Visit
	Password  string
	Name      string
	System    string   // its title
	Usernames []string // under which the person signs in there
	Expires   time.Time
	Networks  []string
}

// Session is one browser in which the person is signed in.
type Session struct {
	ID        string
	Current   bool // the browser that asks
	UserAgent string
	Address   string
	SignedIn  time.Time
	LastSeen  time.Time
}

// Consent is a client that may act for the person.
type Consent struct {
	ClientID   string
	ClientName string
	Scopes     []string
	Since      time.Time
}

func (p *LoginPage) about() traits {
	return traits{name: "login", Visit: p.Visit, targets: p.Schemes}
}
func (p *SelectPage) about() traits  { return traits{name: "select", Visit: p.Visit} }
func (p *ConsentPage) about() traits { return traits{name: "consent", Visit: p.Visit} }
func (p *DevicePage) about() traits  { return traits{name: "device", Visit: p.Visit} }
func (p *LogoutPage) about() traits {
	return traits{name: "logout", Visit: p.Visit, targets: p.Schemes}
}

func (p *LoggedOutPage) about() traits {
	return traits{name: "logged_out", Visit: p.Visit, frames: p.Frames}
}
func (p *ErrorPage) about() traits { return traits{name: "error", Visit: p.Visit} }
func (p *DeviceConfirmPage) about() traits {
	return traits{name: "device_confirm", Visit: p.Visit}
}
func (p *DeviceDonePage) about() traits { return traits{name: "device_done", Visit: p.Visit} }
func (p *FormPostPage) about() traits {
	return traits{name: "form_post", Visit: p.Visit, scripts: true, onward: p.Onward}
}

func (p *AccountPage) about() traits {
	return traits{name: "account", Visit: p.Visit, targets: p.Links.Schemes}
}

func (p *AppPasswordPage) about() traits {
	return traits{name: "app_password", Visit: p.Visit}
}
