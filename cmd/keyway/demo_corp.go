package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"keyway/config"
)

//go:embed demo_corp_users.jsonl
var demoCorpUsers []byte

// Where the demo's upstream is, and how Keyway is known there.
const (
	demoCorpPath   = "/corp"
	demoCorpDomain = "corp.example"
	demoCorpSecret = "demo-corp-secret-5d0c8a7e3b1f4296"
	demoRecheck    = 5 * time.Second // so that nobody who tries it has to wait
)

// demoConnector is how people get to Example Corp.
func demoConnector(issuer string) config.Connector {
	return config.Connector{
		ID: "corp", Name: "Example Corp", Type: "oidc", Issuer: issuer + demoCorpPath, ClientID: "keyway", ClientSecret: config.NewSecret(demoCorpSecret),
		AuthMethod: "client_secret_basic", Scopes: []string{"profile", "email", "offline_access"}, Domains: []string{demoCorpDomain}, Directory: "default", Create: true,
		Userinfo: true, Mapping: demoMapping(), Life: config.Life{Recheck: demoRecheck, WhenAway: config.WhenAway{AllowFor: time.Hour}, Logout: true},
	}
}

// demoMapping gives people of Example Corp an account in each old system, so that
// an app password opens all of them. The ids are made of what their provider says;
// a company would take those that its old systems know its people by.
func demoMapping() config.Mapping {
	number := `split(claims.email, "@")[0] == "alice" ? 4711 : ""` // who else there may be has none in systems with numbers
	return config.Mapping{
		LoginNames: []config.MappingName{{Directory: "crmcom/CRMDEMO", Name: "claims.email"}},
		Accounts: []config.MappingAccount{
			{System: "faveo", ID: number, Attributes: map[string]any{"user_name": "claims.email", "role": `"user"`}},
			{System: "ossn", ID: number},
			{System: "crmcom", ID: `"CRMDEMO/" + claims.email`, Attributes: map[string]any{"organisation": `"CRMDEMO"`, "unit": `"EE63A82C4FEBE02FF34E90DD1EBA5ABE"`}},
			{System: "payhub", ID: "claims.email", Attributes: map[string]any{"apiKey": `"DEMO-PAYHUB-APIKEY-CORP"`}}, //nolint:gosec // public, as all of the demo
		},
	}
}

// demoCorp is the configuration of Example Corp: a provider with people of its own,
// whose one client is the demo.
func demoCorp(demo *config.Config, dir string) (*config.Config, error) {
	dir = filepath.Join(dir, "corp")
	words := filepath.Join(dir, "branding", "messages")
	if err := os.MkdirAll(words, 0o700); err != nil {
		return nil, err
	}
	for _, language := range []string{"en", "de"} {
		if err := os.WriteFile(filepath.Join(words, language+".json"), []byte(`{"product": "Example Corp"}`+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	users := filepath.Join(dir, "users.jsonl")
	if err := os.WriteFile(users, demoCorpUsers, 0o600); err != nil {
		return nil, err
	}
	secret, err := demoSecret(filepath.Join(dir, "secret"))
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.Issuer, c.Listen = demo.Issuer+demoCorpPath, demo.Listen
	c.Database, c.Secret, c.UsersFile = config.NewDSN(filepath.Join(dir, "keyway.db")), secret, users
	c.Log, c.BrandingDir = demo.Log, filepath.Dir(words)
	c.Outbound.AllowLoopback = true // to tell the demo who signed out
	c.Clients = []config.Client{{
		ClientID: "keyway", Name: "Keyway's demo", AuthMethod: "client_secret_basic", Secret: config.NewSecret(demoCorpSecret),
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scopes: []string{"openid", "profile", "email", "offline_access"}, SkipConsent: true,
		RedirectURIs:           []string{demo.Issuer + "/login/callback/corp"},
		PostLogoutRedirectURIs: []string{demo.Issuer + "/login/signed-out/corp"}, BackchannelLogoutURI: demo.Issuer + "/login/backchannel/corp",
		AccessTokenFormat: "opaque", AccessTokenAlg: "ES256", IDTokenAlg: "RS256",
	}}
	return &c, nil
}

// startDemoCorp opens Example Corp, which lives until stop is called.
func startDemoCorp(ctx context.Context, demo *config.Config, dir string, stderr io.Writer) (p *program, stop func(), err error) {
	cfg, err := demoCorp(demo, dir)
	if err != nil {
		return nil, nil, err
	}
	if p, err = open(ctx, cfg, stderr); err != nil {
		return nil, nil, fmt.Errorf("example corp: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.provider.Run(ctx)
	}()
	return p, func() {
		cancel()
		<-done
		p.close()
	}, nil
}

// besideCorp answers what is Example Corp's, and leaves the rest to next.
func besideCorp(corp, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if strings.HasPrefix(path, demoCorpPath+"/") || path == "/.well-known/oauth-authorization-server"+demoCorpPath {
			corp.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
