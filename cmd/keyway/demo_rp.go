package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// demoAppSessions bounds how many visitors the demo's app remembers.
const demoAppSessions = 1000

const demoAppCookie = "keyway_demo_app"

//go:embed demo_rp.html
var demoAppPage string

// demoApp is the demo's relying party: an app as somebody else would write it,
// over go-oidc and x/oauth2, that knows nothing of Keyway but the issuer's
// URL, a client id, a secret, and its own address.
type demoApp struct {
	issuer   string
	client   oauth2.Config // without its endpoints, which are discovered
	page     *template.Template
	mu       sync.Mutex
	sessions map[string]*demoVisit // by the value of the cookie
	order    []string              // of sessions, the oldest first
}

// demoVisit is what the app remembers of one browser.
type demoVisit struct {
	state, nonce, verifier string // while it signs in
	idToken                string // afterwards
	ID, Userinfo           []demoClaim
	Problem                string // why the last sign-in failed
}

// demoClaim is a claim as it is shown.
type demoClaim struct{ Name, Value string }

// newDemoApp returns the app of the client demo-web.
func newDemoApp(issuer string) (*demoApp, error) {
	page, err := template.New("demo").Parse(demoAppPage)
	if err != nil {
		return nil, err
	}
	web := demoClients(issuer)[0]
	return &demoApp{
		issuer: issuer, page: page, sessions: map[string]*demoVisit{},
		client: oauth2.Config{
			ClientID: web.ClientID, ClientSecret: web.Secret.Reveal(), RedirectURL: issuer + "/demo/callback",
			Scopes: []string{coreosoidc.ScopeOpenID, "profile", "email"},
		},
	}, nil
}

// beside answers what is below /demo, and leaves the rest to next.
func (a *demoApp) beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; path != "/demo" && !strings.HasPrefix(path, "/demo/") {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		a.serve(w, r)
	})
}

func (a *demoApp) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h := w.Header()
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	var err error
	switch r.URL.Path {
	case "/demo", "/demo/":
		err = a.show(w, r)
	case "/demo/login":
		err = a.login(w, r)
	case "/demo/callback":
		err = a.callback(w, r)
	case "/demo/logout":
		err = a.logout(w, r)
	default:
		http.NotFound(w, r)
	}
	if err != nil {
		a.put(w, &demoVisit{Problem: err.Error()})
		http.Redirect(w, r, "/demo", http.StatusSeeOther)
	}
}

// show is the app's one page.
func (a *demoApp) show(w http.ResponseWriter, r *http.Request) error {
	visit := a.visit(r)
	if visit == nil {
		visit = &demoVisit{}
	}
	var b bytes.Buffer
	if err := a.page.Execute(&b, visit); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
	return nil
}

// discover asks the issuer where everything is.
func (a *demoApp) discover(ctx context.Context) (*coreosoidc.Provider, oauth2.Config, error) {
	provider, err := coreosoidc.NewProvider(ctx, a.issuer)
	client := a.client
	if err == nil {
		client.Endpoint = provider.Endpoint()
		client.Endpoint.AuthStyle = oauth2.AuthStyleInHeader // a guess would send a refused code twice
	}
	return provider, client, err
}

func (a *demoApp) login(w http.ResponseWriter, r *http.Request) error {
	_, client, err := a.discover(r.Context())
	if err != nil {
		return err
	}
	visit := &demoVisit{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	a.put(w, visit)
	options := []oauth2.AuthCodeOption{coreosoidc.Nonce(visit.nonce), oauth2.S256ChallengeOption(visit.verifier)}
	for _, name := range []string{"prompt", "ui_locales", "login_hint"} {
		if v := r.URL.Query().Get(name); v != "" {
			options = append(options, oauth2.SetAuthURLParam(name, v))
		}
	}
	http.Redirect(w, r, client.AuthCodeURL(visit.state, options...), http.StatusSeeOther) //nolint:gosec // the issuer's own endpoint; what the query gives is in its parameters
	return nil
}

func (a *demoApp) callback(w http.ResponseWriter, r *http.Request) error {
	q, visit := r.URL.Query(), a.visit(r)
	switch {
	case visit == nil || visit.state == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(visit.state)) == 0:
		return errors.New("this answer is not for a sign-in that began in this browser")
	case q.Get("iss") != a.issuer:
		return errors.New("this answer is of another issuer") // RFC 9207
	case q.Get("error") != "":
		return fmt.Errorf("the provider says %s", q.Get("error"))
	}
	done, err := a.redeem(r.Context(), visit, q.Get("code"))
	if err != nil {
		return err
	}
	a.put(w, done)
	http.Redirect(w, r, "/demo", http.StatusSeeOther)
	return nil
}

// redeem trades the code for tokens and verifies what they say.
func (a *demoApp) redeem(ctx context.Context, visit *demoVisit, code string) (*demoVisit, error) {
	provider, client, err := a.discover(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := client.Exchange(ctx, code, oauth2.VerifierOption(visit.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := provider.Verifier(&coreosoidc.Config{ClientID: client.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != visit.nonce {
		return nil, errors.New("the ID token has another nonce")
	}
	userinfo, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, err
	}
	if userinfo.Subject != idToken.Subject {
		return nil, errors.New("userinfo is of another person")
	}
	done := &demoVisit{idToken: raw}
	if done.ID, err = demoClaims(idToken.Claims); err != nil {
		return nil, err
	}
	done.Userinfo, err = demoClaims(userinfo.Claims)
	return done, err
}

// logout forgets the person here, then at the provider.
func (a *demoApp) logout(w http.ResponseWriter, r *http.Request) error {
	visit := a.visit(r)
	a.put(w, &demoVisit{})
	provider, _, err := a.discover(r.Context())
	if err != nil {
		return err
	}
	var endpoints struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&endpoints); err != nil {
		return err
	}
	q := url.Values{"client_id": {a.client.ClientID}, "post_logout_redirect_uri": {a.issuer + "/demo"}}
	if visit != nil && visit.idToken != "" {
		q.Set("id_token_hint", visit.idToken)
	}
	http.Redirect(w, r, endpoints.EndSession+"?"+q.Encode(), http.StatusSeeOther)
	return nil
}

func (a *demoApp) visit(r *http.Request) *demoVisit {
	cookie, err := r.Cookie(demoAppCookie)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[cookie.Value]
}

// put begins a new session with a cookie of its own.
func (a *demoApp) put(w http.ResponseWriter, visit *demoVisit) {
	id := rand.Text()
	a.mu.Lock()
	a.sessions[id] = visit
	if a.order = append(a.order, id); len(a.order) > demoAppSessions {
		delete(a.sessions, a.order[0])
		a.order = a.order[1:]
	}
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // the demo has no https
		Name: demoAppCookie, Value: id, Path: "/demo", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// demoClaims lists claims by name.
func demoClaims(decode func(any) error) ([]demoClaim, error) {
	var claims map[string]json.RawMessage
	if err := decode(&claims); err != nil {
		return nil, err
	}
	out := make([]demoClaim, 0, len(claims))
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		value := string(claims[name])
		var text string
		if json.Unmarshal(claims[name], &text) == nil {
			value = text
		}
		out = append(out, demoClaim{name, value})
	}
	return out, nil
}
