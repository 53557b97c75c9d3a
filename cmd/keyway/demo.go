package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"keyway/config"
)

//go:embed demo_users.jsonl
var demoUsers []byte

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Start with example users and four legacy systems; needs no configuration",
		Long: "Demo starts Keyway on an embedded SQLite with public example users, and prints every legacy\n" +
			"call as a curl line that works.",
		Example: "  keyway demo\n  keyway demo --listen 127.0.0.1:9000 --data ./demo-data",
		Args:    cobra.NoArgs,
	}
	listen := c.Flags().String("listen", "127.0.0.1:8080", "the `ADDRESS` to listen on; port 0 picks a free one")
	data := c.Flags().String("data", "", "the `FOLDER` of the database; default: a temporary one, removed at the end")
	public := c.Flags().Bool("insecure-public", false, "listen beyond loopback although every credential here is public")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*public && !onLoopback(*listen) {
			return usageError{fmt.Errorf("%s is not a loopback address, and the demo's passwords and secrets are public; "+
				"use 127.0.0.1, or add --insecure-public if you mean it", *listen)}
		}
		return runDemo(cmd.Context(), *listen, *data, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return c
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func runDemo(ctx context.Context, address, dir string, stdout, stderr io.Writer) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "keyway-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l, err := listen(ctx, address)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // closed by the server already, if it got so far
	cfg, err := demoConfig(l.Addr().String(), dir)
	if err != nil {
		return err
	}
	p, err := open(ctx, cfg, stderr)
	if err != nil {
		return err
	}
	defer p.close()
	corp, stop, err := startDemoCorp(ctx, cfg, dir, stderr)
	if err != nil {
		return err
	}
	defer stop()
	app, err := newDemoApp(cfg.Issuer)
	if err != nil {
		return err
	}
	p.handler = besideCorp(corp.handler, app.beside(p.handler))
	tune(cfg.Passwords, p.hasher.Workers())
	return p.serve(ctx, l, func(net.Addr) { printDemo(stdout, cfg.Issuer) })
}

// demoConfig is the configuration of the demo at address.
func demoConfig(address, dir string) (*config.Config, error) {
	secret, err := demoSecret(filepath.Join(dir, "secret"))
	if err != nil {
		return nil, err
	}
	users := filepath.Join(dir, "users.jsonl")
	if err := os.WriteFile(users, demoUsers, 0o600); err != nil {
		return nil, err
	}
	c := config.Default()
	c.Issuer, c.Listen = "http://"+address, address
	c.Database, c.Secret, c.UsersFile = config.NewDSN(filepath.Join(dir, "keyway.db")), secret, users
	c.Log.Level = "warn"
	c.Outbound.AllowLoopback = true // apps that try the demo run beside it
	c.Connectors = []config.Connector{demoConnector(c.Issuer)}
	c.Clients, c.Systems = demoClients(c.Issuer), demoSystems(c.Issuer)
	return &c, nil
}

// demoSecret keeps the secret beside the database it seals.
func demoSecret(file string) (config.Secret, error) {
	b, err := os.ReadFile(file) //nolint:gosec // in the demo's own folder
	if errors.Is(err, fs.ErrNotExist) {
		random := make([]byte, 48)
		if _, err := rand.Read(random); err != nil {
			return config.Secret{}, err
		}
		b = []byte(base64.StdEncoding.EncodeToString(random))
		err = os.WriteFile(file, b, 0o600)
		return config.NewSecret(string(b)), err
	}
	return config.NewSecret(string(b)), err
}

func demoClients(issuer string) []config.Client {
	standard := config.Client{AuthMethod: "client_secret_basic", AccessTokenFormat: "opaque", AccessTokenAlg: "ES256", IDTokenAlg: "RS256"}
	people := []string{"openid", "profile", "email", "offline_access"}
	web, spa, service, device := standard, standard, standard, standard
	web.ClientID, web.Name, web.Secret = "demo-web", "Demo web app", config.NewSecret("demo-web-secret-6f1d8f0c2a9b4e7d")
	web.GrantTypes, web.Scopes, web.PKCEOptional = []string{"authorization_code", "refresh_token"}, people, true // any library, as it comes
	web.RedirectURIs = []string{issuer + "/demo/callback", "http://127.0.0.1:8765/callback"}
	web.PostLogoutRedirectURIs = []string{issuer + "/demo", "http://127.0.0.1:8765/"}
	spa.ClientID, spa.Name, spa.AuthMethod = "demo-spa", "Demo browser app", "none"
	spa.GrantTypes, spa.Scopes = []string{"authorization_code", "refresh_token"}, people
	spa.RedirectURIs = []string{"http://127.0.0.1/callback"}
	for _, port := range []string{"3000", "5173", "8000", "8765"} { // where the usual development servers listen
		spa.AllowedCORSOrigins = append(spa.AllowedCORSOrigins, "http://127.0.0.1:"+port)
		spa.PostLogoutRedirectURIs = append(spa.PostLogoutRedirectURIs, "http://127.0.0.1:"+port+"/")
	}
	service.ClientID, service.Name, service.MayIntrospect = "demo-service", "Demo service", true
	service.MayRevokeLegacy, service.MayExchange = true, true
	service.Audience = []string{"https://orders.demo.example"}
	service.Secret = config.NewSecret("demo-service-secret-0b9e3c7a51d24f68")
	service.GrantTypes, service.Scopes = []string{"client_credentials"}, []string{"openid", "profile", "email", "demo.read", "demo.write"}
	device.ClientID, device.Name, device.AuthMethod = "demo-device", "Demo device", "none"
	device.GrantTypes, device.Scopes = []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, people
	return []config.Client{web, spa, service, device}
}

const (
	demoFaveoSecret  = "demo-faveo-jwt-secret-0123456789abcdef0123456789abcdef0123456789ab" //nolint:gosec // public, as the demo says
	demoPayhubSecret = "demo-payhub-jwt-secret-0123456789abcdef0123456789abcdef0123456789a" //nolint:gosec // public, as the demo says
	demoOSSNKey      = "0123456789abcdef0123456789abcdef01234567"
)

func demoSystems(issuer string) []config.System {
	faveo := map[string]any{
		"jwt_secret": config.NewSecret(demoFaveoSecret), "api_key": config.NewSecret("DEMO-FAVEO-API-KEY"),
	}
	ossn := map[string]any{"api_key_token": config.NewSecret(demoOSSNKey), "url": issuer + "/"}
	payhub := map[string]any{"jwt_secret": config.NewSecret(demoPayhubSecret)}
	var systems []config.System
	add := func(template, profile, base string, settings map[string]any) {
		name := template
		if base != "" {
			name = base[1:]
		}
		systems = append(systems, config.System{
			Name: name, Template: template, Profile: profile, BasePath: base, Settings: settings,
			Scopes: []string{"openid", "profile", "email"},
		})
	}
	add("faveo", "1.10", "", faveo)
	add("ossn", "2019", "", ossn)
	add("crmcom", "r6", "", nil)
	add("payhub", "2025", "", payhub)
	for _, profile := range []string{"1.0", "1.9", "2.0", "pro"} {
		add("faveo", profile, "/faveo-"+profile, faveo)
	}
	add("ossn", "10", "/ossn-10", ossn)
	add("crmcom", "r10", "/crmcom-r10", nil)
	add("crmcom", "r12", "/crmcom-r12", map[string]any{"jwt_secret": config.NewSecret("demo-crmcom-jwt-secret-0123456789abcdef0123456789abcdef0123456789a")})
	add("payhub", "2024", "/payhub-2024", payhub)
	return systems
}
