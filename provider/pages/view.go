package pages

import (
	"encoding/base64"
	"html/template"
	"net/url"
	"strings"
	"time"
)

// view is what the templates see: the page's own fields under .Page, and the
// methods below.
type view struct {
	pages   *Pages
	catalog *catalog
	Page    Page
}

// Lang is the language of the page, as a BCP 47 tag.
func (v *view) Lang() string { return v.catalog.tag.String() }

// Name is the name of the page.
func (v *view) Name() string { return v.Page.about().name }

// T is the text of a key.
func (v *view) T(key string, args ...any) (string, error) {
	return v.pages.catalogs.text(v.catalog, key, args...)
}

// Or is the text of prefix.code, or else of prefix.default.
func (v *view) Or(prefix, code string, args ...any) (string, error) {
	if !v.pages.catalogs.has(prefix + "." + code) {
		code = "default"
	}
	return v.T(prefix+"."+code, args...)
}

// Scope is what a scope lets its client do; a scope of the operator's own is
// shown as it is, unless the operator's messages have a text for it.
func (v *view) Scope(scope string) (string, error) {
	if v.pages.catalogs.has("scope." + scope) {
		return v.T("scope." + scope)
	}
	return v.T("scope.default", scope)
}

// Detail is what a type of authorization details is called; one without a text
// among the operator's messages is shown as it is.
func (v *view) Detail(kind string) (string, error) {
	if v.pages.catalogs.has("details." + kind) {
		return v.T("details." + kind)
	}
	return v.T("details.default", kind)
}

// Time is a time as a person reads it.
func (v *view) Time(t time.Time) (string, error) { return v.pages.catalogs.at(v.catalog, t) }

// ISO is a time as a program reads it.
func (v *view) ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Asset is the URL of a static file, "" where there is none.
func (v *view) Asset(name string) string {
	a := v.pages.assets[name]
	if a == nil {
		return ""
	}
	return v.pages.base + "/assets/" + name + "?v=" + a.hash
}

// PNG is the URL of a picture that is in the page itself.
func (v *view) PNG(image []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(image)) //nolint:gosec // an alphabet without markup
}

// Path is the URL of one of our own paths.
func (v *view) Path(path string) string { return v.pages.base + path }

// Link is a URL that leads beyond us, also into an app: html/template takes apps' own
// schemes for scripts. Such a scheme has a dot in it, as registration sees to; a
// script's has none.
func (v *view) Link(uri string) template.URL {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && !strings.Contains(u.Scheme, ".") {
		return ""
	}
	return template.URL(uri) //nolint:gosec // judged above
}

// Host is where a URL leads, as far as a person cares.
func (v *view) Host(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// Browser is what a User-Agent header says of a browser, for one who looks
// for the device they know.
func (v *view) Browser(agent string) (string, error) {
	name, system := firstIn(agent, browsers), firstIn(agent, platforms)
	switch {
	case name != "" && system != "":
		return v.T("browser.on", name, system)
	case name+system != "":
		return name + system, nil
	}
	return v.T("browser.unknown")
}

// mark is what a User-Agent header has in it, and what that means.
type mark struct{ in, means string }

// browsers are in the order in which they pretend to be each other.
var browsers = []mark{
	{"Edg", "Microsoft Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS", "Firefox"},
	{"CriOS", "Chrome"},
	{"HeadlessChrome", "Chromium"},
	{"Chromium/", "Chromium"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
}

var platforms = []mark{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"Windows", "Windows"},
	{"CrOS", "ChromeOS"},
	{"Mac OS X", "macOS"},
	{"Linux", "Linux"},
}

func firstIn(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.in) {
			return m.means
		}
	}
	return ""
}

// samplePages have every field filled, and one page each of what templates
// decide on.
func samplePages() []Page {
	visit := Visit{
		ClientName: "Example", RedirectURI: "https://app.example/callback", Unvouched: true,
		Links: LinksOf("https://app.example/", "https://app.example/policy", "https://app.example/terms"),
	}
	form := Form{Action: "/", CSRF: "csrf", Interaction: "interaction"}
	user := User{Name: "Alice Example", Username: "alice", Email: "alice@example.com"}
	at := time.Unix(0, 0)
	return append(sampleFactorPages(visit, form, user), []Page{
		&LoginPage{Form: form, SignUp: "/sign-up"},
		&LoginPage{Form: form, NameFirst: true, Upstreams: []Upstream{{"corp", "Example Corp"}}, UpstreamPath: "/login/upstream"},
		&LoginPage{Form: form, NoPassword: true, Upstreams: []Upstream{{"corp", "Example Corp"}}, UpstreamPath: "/login/upstream"},
		&SelectPage{Visit: visit, Form: form, User: user}, &LoginPage{Visit: visit, Form: form, Username: "alice", Again: true, Error: "invalid"},
		&ConsentPage{Visit: visit, Form: form, User: user, Scopes: []string{"openid", "profile", "own"}},
		&ConsentPage{Visit: visit, Form: form, User: user, Details: []Detail{{Type: "payment", Lines: []Line{{Name: "amount", Value: "1"}}}}},
		&DevicePage{Form: form, User: user}, &DevicePage{Visit: visit, Form: form, User: user, Code: "WDJB-MJHT", Error: "invalid"},
		&DeviceConfirmPage{Visit: visit, Form: form, User: user, Code: "WDJB-MJHT", Scopes: []string{"openid", "own"}, Address: "192.0.2.1", Asked: at},
		&DeviceConfirmPage{Visit: visit, Form: form, User: user, Code: "WDJB-MJHT"},
		&DeviceDonePage{Visit: visit, Allowed: true}, &DeviceDonePage{Visit: visit},
		&LogoutPage{Visit: visit, Form: form, User: user}, &LogoutPage{Form: form},
		&LoggedOutPage{}, &LoggedOutPage{Visit: visit, Frames: []string{"https://app.example/out?sid=1"}, Continue: "https://app.example/"},
		&ErrorPage{}, &ErrorPage{Code: "login_upstream_refused", RequestID: "1", Retry: "/login?interaction=1", Back: "/account"}, &ErrorPage{Visit: visit, Code: "invalid_request", RequestID: "1"},
		&FormPostPage{Visit: visit, Action: visit.RedirectURI, Fields: []Field{{"code", "x"}}},
		&AccountPage{},
		&AccountPage{
			Visit: visit, CSRF: "csrf", User: user, Notice: "session_ended", Changeable: true, Refused: "common",
			Sessions: []Session{{ID: "1", Current: true, SignedIn: at, LastSeen: at}, {ID: "2", UserAgent: "Firefox/", Address: "192.0.2.1"}},
			Consents: []Consent{{ClientID: "app", ClientName: "App", Scopes: []string{"email"}, Since: at}},
			Apps: AppSection{
				Systems: []AppSystem{{"faveo", "Faveo"}}, Refused: "name", Fresh: true, System: "faveo", Days: "90",
				Passwords: []AppPassword{
					{ID: "1", Name: "Gateway", System: "Faveo", Created: at, Used: at, Expires: at, Networks: []string{"192.0.2.0/24"}},
					{ID: "2", Name: "Old", System: "Faveo", Created: at, Expires: at, Expired: true},
				},
			},
		},
		&AccountPage{
			Apps:  AppSection{Systems: []AppSystem{{"faveo", "Faveo"}}, Refused: "stale"},
			Links: LinkSection{Links: []UpstreamLink{{ID: "1", Name: "Example Corp", Since: at, Used: at}}, Refused: "last", Fresh: true, Upstreams: []Upstream{{"other", "Other"}}},
		},
		&AccountPage{Links: LinkSection{Upstreams: []Upstream{{"corp", "Example Corp"}}}},
		&AppPasswordPage{Visit: visit, Password: "aaaaa", Name: "Gateway", System: "Faveo", Usernames: []string{"alice"}, Expires: at, Networks: []string{"192.0.2.0/24"}},
		&AppPasswordPage{Password: "aaaaa", Name: "Gateway", System: "Faveo"},
	}...)
}
