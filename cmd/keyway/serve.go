package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"keyway/adapter"
	"keyway/config"
	"keyway/provider"
	"keyway/provider/factor"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/outbound"
	"keyway/provider/store"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "serve",
		Short:   "Answer legacy systems and OAuth clients",
		Example: "  keyway serve --config /etc/keyway/keyway.yaml",
		Args:    cobra.NoArgs,
	}
	file := configFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, *file)
		if err != nil {
			return err
		}
		p, err := open(cmd.Context(), cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer p.close()
		tune(cfg.Passwords, p.hasher.Workers())
		return p.listenAndServe(cmd.Context(), nil)
	}
	return c
}

// loadConfig loads the file and prints its warnings.
func loadConfig(cmd *cobra.Command, file string) (*config.Config, error) {
	cfg, warnings, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	for _, w := range append(warnings, cfg.Overdue(time.Now())...) {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", w)
	}
	return cfg, nil
}

// program is Keyway, put together but not listening yet.
type program struct {
	cfg      *config.Config
	log      *slog.Logger
	now      func() time.Time
	store    *store.Store
	hasher   *identity.Hasher
	gate     *identity.Gate
	chain    *identity.Chain
	factors  provider.Factors
	provider *provider.Provider
	adapter  *adapter.Adapter
	systems  []adapter.Instance
	handler  http.Handler
	closers  []func() error
}

// open puts the program together: it turns each section of the configuration into one
// package's Options, and applies what is declared there. Everything that can
// be wrong is reported before the first request is taken.
func open(ctx context.Context, cfg *config.Config, logTo io.Writer) (*program, error) {
	return openAt(ctx, cfg, logTo, time.Now)
}

// openAt is open with a clock of the caller's.
func openAt(ctx context.Context, cfg *config.Config, logTo io.Writer, now func() time.Time) (_ *program, err error) {
	p := &program{cfg: cfg, log: newLog(cfg.Log, logTo), now: now}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	systems, err := loadSystems(cfg)
	if err = errors.Join(err, applyPresets(cfg)); err != nil {
		return nil, err
	}
	if err = adapter.Check(systems); err != nil {
		return nil, err
	}
	p.systems = systems
	if err = checkTLS(cfg.TLS); err != nil {
		return nil, err
	}
	if err = p.openStore(ctx); err != nil {
		return nil, err
	}
	if p.hasher, err = newHasher(cfg.Passwords); err != nil {
		return nil, err
	}
	if p.provider, err = p.newProvider(ctx, systems); err != nil {
		return nil, err
	}
	if err = p.declare(ctx); err != nil {
		return nil, err
	}
	p.adapter, err = adapter.New(adapter.Options{
		Granter: p.provider, Gate: p.gate, Instances: systems, Now: now, Log: p.log, ClientAddr: clientAddr(cfg.TrustedProxies),
	})
	if err != nil {
		return nil, err
	}
	p.handler, err = p.routes() //nolint:contextcheck // handlers have their request's
	return p, err
}

func (p *program) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		if err := p.closers[i](); err != nil {
			p.log.Error("closing failed", slog.Any("error", err))
		}
	}
	p.closers = nil
}

// derive makes a key for one purpose from the configured secret (RFC 5869).
func derive(cfg *config.Config, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(cfg.Secret.Reveal()), nil, "keyway "+purpose, 32)
}

func (p *program) openStore(ctx context.Context) error {
	seal, err := derive(p.cfg, "seal v1")
	if err != nil {
		return err
	}
	dsn := p.cfg.Database
	if !dsn.Postgres() {
		if err := os.MkdirAll(filepath.Dir(dsn.Reveal()), 0o700); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	p.store, err = store.Open(ctx, store.Options{
		DSN: dsn.Reveal(), SealKey: seal, Now: p.now, Log: p.log,
		KeepAttempts: max(24*time.Hour, p.cfg.Lockout.Window), KeepEvents: p.cfg.EventRetention,
	})
	if err != nil {
		return fmt.Errorf("database %s: %w", dsn, err)
	}
	p.closers = append(p.closers, p.store.Close)
	return nil
}

func newHasher(c config.Passwords) (*identity.Hasher, error) {
	return identity.NewHasher(identity.HasherOptions{
		Memory: uint32(c.Argon2.MemoryKiB), Time: uint32(c.Argon2.Iterations), Threads: uint8(c.Argon2.Parallelism), //nolint:gosec // config bounds them
		Workers: c.Workers, Queue: c.Queue, Wait: c.Wait,
	})
}

// newSignIn puts the one path together by which passwords are judged.
func (p *program) newSignIn(upstreams *federation.Federation) (*identity.SignIn, *identity.Gate, error) {
	names, err := derive(p.cfg, "login names v1")
	if err != nil {
		return nil, nil, err
	}
	networks := map[string][]netip.Prefix{}
	for _, s := range p.cfg.Systems {
		if len(s.Networks) > 0 {
			networks[s.Name] = s.Networks
		}
	}
	policy, err := p.factorPolicy()
	if err != nil {
		return nil, nil, err
	}
	gate, err := identity.NewGate(identity.GateOptions{
		Attempts: p.store, Failures: p.cfg.Lockout.Failures, SourceFailures: p.cfg.Lockout.SourceFailures,
		Window: p.cfg.Lockout.Window, Networks: networks, NameKey: names, Factors: policy, Now: p.now,
	})
	if err != nil {
		return nil, nil, err
	}
	if err := p.newFactors(policy, gate); err != nil {
		return nil, nil, err
	}
	var verified *identity.Verified
	if ttl := p.cfg.Passwords.VerifiedCache; ttl > 0 {
		if verified, err = identity.NewVerified(identity.VerifiedOptions{TTL: ttl, Now: p.now}); err != nil {
			return nil, nil, err
		}
	}
	local, err := identity.NewLocal(identity.LocalOptions{
		Users: p.store, Hasher: p.hasher, Verified: verified, KeepHashes: p.cfg.Passwords.KeepHashes, Logger: p.log, Now: p.now,
	})
	if err != nil {
		return nil, nil, err
	}
	if p.chain, err = p.verifiers(local, upstreams); err != nil {
		return nil, nil, err
	}
	signIn, err := identity.NewSignIn(identity.SignInOptions{
		Users: p.store, Gate: gate, Authenticator: p.chain, Verified: verified, Now: p.now,
		Codes: factor.NewCodes(factor.CodesOptions{Policy: policy, Desk: p.factors.Desk, Locked: gate.Ask}),
	})
	return signIn, gate, err
}

// newCalls makes the one client for what others name.
func (p *program) newCalls() (*outbound.Client, error) {
	return p.callsOf(outbound.Options{Timeout: p.cfg.Outbound.Timeout})
}

// callsTo makes a client for one upstream that judges passwords, whose connections
// are kept.
func (p *program) callsTo(g config.Guard) (*outbound.Client, error) {
	return p.callsOf(outbound.Options{Timeout: g.Timeout, PerHost: g.Parallel})
}

func (p *program) callsOf(o outbound.Options) (*outbound.Client, error) {
	o.AllowLoopback, o.AllowHosts, o.AllowNetworks = p.cfg.Outbound.AllowLoopback, p.cfg.Outbound.AllowHosts, p.cfg.Outbound.AllowNetworks
	calls, err := outbound.New(o)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() error { calls.Close(); return nil })
	return calls, nil
}

func (p *program) newProvider(ctx context.Context, systems []adapter.Instance) (*provider.Provider, error) {
	calls, err := p.newCalls()
	if err != nil {
		return nil, err
	}
	upstreams, err := p.newFederation(calls)
	if err != nil {
		return nil, err
	}
	signIn, gate, err := p.newSignIn(upstreams) //nolint:contextcheck // a breaker logs for nobody's request
	if err != nil {
		return nil, err
	}
	p.gate = gate
	secret, err := derive(p.cfg, "tokens v1")
	if err != nil {
		return nil, err
	}
	site, err := newPages(p.cfg)
	if err != nil {
		return nil, err
	}
	shown, err := certificates(p.cfg)
	if err != nil {
		return nil, err
	}
	trusted, err := trustedIssuers(p.cfg.TrustedIssuers)
	if err != nil {
		return nil, err
	}
	passwords, err := identity.NewPasswords(identity.PasswordsOptions{
		Users: p.store, Storage: p.store, SignIn: signIn, Hasher: p.hasher, Directory: "default", Now: p.now,
	})
	if err != nil {
		return nil, err
	}
	apps, err := p.appDesk(systems)
	if err != nil {
		return nil, err
	}
	told, err := p.rolesOf(upstreams)
	if err != nil {
		return nil, err
	}
	t, s := p.cfg.Tokens, p.cfg.Sessions
	return provider.New(ctx, provider.Options{
		Issuer: p.cfg.Issuer, Storage: p.store, Users: p.store, SignIn: signIn, Gate: gate, Secrets: p.hasher,
		Secret: secret, Now: p.now, Log: p.log, Pages: site, PeerAddr: clientAddr(p.cfg.TrustedProxies), Outbound: calls,
		RequireDPoPNonce: t.DPoPNonce, Certificates: shown, Passwords: passwords, AppPasswords: apps, Federation: upstreams, Roles: told, Factors: p.factors,
		Registration: p.registration(), TrustedIssuers: trusted, SignUpURL: p.cfg.SignIn.SignUpURL, DetailTypes: detailTypes(p.cfg.Clients),
		Lifetimes: provider.Lifetimes{
			Access: t.AccessLifetime, IDToken: t.IDLifetime, Refresh: t.RefreshLifetime, RefreshMax: t.RefreshMaxAge,
			Code: t.CodeLifetime, Interaction: s.SignIn, SessionIdle: s.Idle, SessionMax: s.Max,
		},
		Keys: keys.Policy{RotateEvery: t.KeyRotation},
	})
}
