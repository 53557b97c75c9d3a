// Command go is an app that signs people in at an OpenID provider, with go-oidc
// and x/oauth2. It knows the provider's URL and its own registration, and
// nothing else of the provider.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// visit is what the app remembers of one browser.
type visit struct {
	mu                     sync.Mutex
	state, nonce, verifier string // while it signs in
	tokens                 *oauth2.Token
	idToken                string
}

type app struct {
	self       string // this app's URL
	provider   *coreosoidc.Provider
	client     oauth2.Config
	endSession string
	mu         sync.Mutex
	visits     map[string]*visit // by the value of the cookie; a real app bounds and expires them
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	address := "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8765")
	a := &app{self: "http://" + address, visits: map[string]*visit{}}
	if err := a.discover(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	for path, handle := range map[string]func(http.ResponseWriter, *http.Request, *visit) error{
		"GET /{$}": a.show, "GET /login": a.login, "GET /callback": a.callback, "GET /refresh": a.refresh, "GET /logout": a.logout,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			v := a.visitOf(w, r)
			v.mu.Lock()
			defer v.mu.Unlock()
			if err := handle(w, r, v); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
			}
		})
	}
	log.Print("open " + a.self + "/login")
	return (&http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe()
}

// discover asks the issuer where everything is.
func (a *app) discover(ctx context.Context) (err error) {
	a.provider, err = coreosoidc.NewProvider(ctx, cmp.Or(os.Getenv("ISSUER"), "http://127.0.0.1:8080"))
	if err != nil {
		return err
	}
	a.client = oauth2.Config{
		ClientID:     cmp.Or(os.Getenv("CLIENT_ID"), "demo-web"),
		ClientSecret: cmp.Or(os.Getenv("CLIENT_SECRET"), "demo-web-secret-6f1d8f0c2a9b4e7d"),
		Endpoint:     a.provider.Endpoint(),
		RedirectURL:  a.self + "/callback",
		Scopes:       []string{coreosoidc.ScopeOpenID, "profile", "email", coreosoidc.ScopeOfflineAccess},
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	err = a.provider.Claims(&metadata)
	a.endSession = metadata.EndSession
	return err
}

func (a *app) login(w http.ResponseWriter, r *http.Request, v *visit) error {
	v.state, v.nonce, v.verifier = rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	http.Redirect(w, r, a.client.AuthCodeURL(v.state, coreosoidc.Nonce(v.nonce), oauth2.S256ChallengeOption(v.verifier)), http.StatusSeeOther)
	return nil
}

func (a *app) callback(w http.ResponseWriter, r *http.Request, v *visit) error {
	q, state := r.URL.Query(), v.state
	v.state = "" // an answer is taken once
	switch {
	case state == "" || q.Get("state") != state:
		return errors.New("this answer is not for a sign-in that began in this browser")
	case q.Get("error") != "":
		return errors.New("the provider says " + q.Get("error"))
	}
	tokens, err := a.client.Exchange(r.Context(), q.Get("code"), oauth2.VerifierOption(v.verifier))
	if err != nil {
		return err
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := a.provider.Verifier(&coreosoidc.Config{ClientID: a.client.ClientID}).Verify(r.Context(), raw)
	if err != nil {
		return err
	}
	if idToken.Nonce != v.nonce {
		return errors.New("the ID token is of another sign-in")
	}
	v.tokens, v.idToken = tokens, raw
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// show says who is signed in, as the provider's userinfo endpoint has it.
func (a *app) show(w http.ResponseWriter, r *http.Request, v *visit) error {
	claims := map[string]any{"signed_in": v.tokens != nil}
	if v.tokens != nil {
		person, err := a.provider.UserInfo(r.Context(), oauth2.StaticTokenSource(v.tokens))
		if err != nil {
			return err
		}
		if err := person.Claims(&claims); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(claims)
}

// refresh trades the refresh token for new tokens. [oauth2.Config.Client] does it
// by itself when the access token has expired.
func (a *app) refresh(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.tokens == nil {
		return errors.New("nobody is signed in")
	}
	tokens, err := a.client.TokenSource(r.Context(), &oauth2.Token{RefreshToken: v.tokens.RefreshToken}).Token()
	if err != nil {
		return err
	}
	v.tokens = tokens
	return a.show(w, r, v)
}

// logout forgets the person here, then signs them out at the provider.
func (a *app) logout(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := url.Values{"client_id": {a.client.ClientID}, "id_token_hint": {v.idToken}, "post_logout_redirect_uri": {a.self + "/"}}
	v.tokens, v.idToken = nil, ""
	http.Redirect(w, r, a.endSession+"?"+q.Encode(), http.StatusSeeOther)
	return nil
}

// visitOf finds the browser again by its cookie, or begins with a new one.
func (a *app) visitOf(w http.ResponseWriter, r *http.Request) *visit {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cookie, err := r.Cookie("visit"); err == nil && a.visits[cookie.Value] != nil {
		return a.visits[cookie.Value]
	}
	id, v := rand.Text(), &visit{}
	a.visits[id] = v
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // and Secure: true where the app has https
		Name: "visit", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return v
}
