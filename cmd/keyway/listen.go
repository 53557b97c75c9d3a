package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"keyway/config"
)

// drainTime is how long requests may take to finish after the signal to stop.
const drainTime = 20 * time.Second

// checkTLS reports a certificate and key that do not load, before anything
// listens.
func checkTLS(c config.TLS) error {
	if c.Certificate == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.Certificate, c.Key); err != nil {
		return fmt.Errorf("tls: %s and %s: %w", c.Certificate, c.Key, err)
	}
	return nil
}

// listen says what to do about an address that is taken.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w; another program listens there: choose another address, or port 0 for a free one", err)
	}
	return l, err
}

func newLog(c config.Log, to io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}

// routes is everything that is answered, as one list.
func (p *program) routes() (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.UseEscapedPath = true // an encoded slash is no slash: what a proxy guards by its path must not be reached by another spelling
	r.RedirectTrailingSlash, r.RedirectFixedPath, r.HandleMethodNotAllowed = false, false, false
	trusted := make([]string, 0, len(p.cfg.TrustedProxies))
	for _, n := range p.cfg.TrustedProxies {
		trusted = append(trusted, n.String())
	}
	if err := r.SetTrustedProxies(trusted); err != nil {
		return nil, err
	}
	r.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	r.GET("/readyz", p.ready)
	p.provider.Mount(r)
	p.adapter.Mount(r)
	return r, nil
}

// ready answers 200 while the database and a signing key are there.
func (p *program) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 2*time.Second)
	defer cancel()
	c.Header("Cache-Control", "no-store")
	if err := p.provider.Ready(ctx); err != nil {
		p.log.Warn("not ready", slog.Any("error", err))
		c.String(http.StatusServiceUnavailable, "not ready\n")
		return
	}
	c.String(http.StatusOK, "ready\n")
}

// listenAndServe serves until ctx ends, then lets running requests finish.
// It calls up, if given, with the address once it listens.
func (p *program) listenAndServe(ctx context.Context, up func(net.Addr)) error {
	l, err := listen(ctx, p.cfg.Listen)
	if err != nil {
		return err
	}
	return p.serve(ctx, l, up)
}

// door is a listener and the server behind it.
type door struct {
	listener net.Listener
	server   *http.Server
}

// doors are the way in, and the one where clients are asked for certificates.
func (p *program) doors(ctx context.Context, l net.Listener) ([]door, error) {
	all := []door{{l, p.newServer(tls.NoClientCert)}}
	if at := p.cfg.Certificates.Listen; at != "" {
		asking, err := listen(ctx, at)
		if err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("client_certificates.listen: %w", err)
		}
		all = append(all, door{asking, p.newServer(tls.RequestClientCert)}) // the provider judges what is shown
	}
	return all, nil
}

func (p *program) newServer(certificates tls.ClientAuthType) *http.Server {
	limits := p.cfg.Limits
	return &http.Server{
		Handler: p.handler, ReadHeaderTimeout: limits.ReadHeaderTimeout, ReadTimeout: limits.ReadTimeout,
		WriteTimeout: limits.WriteTimeout, IdleTimeout: limits.IdleTimeout, MaxHeaderBytes: 32 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: certificates},
		ErrorLog:  slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

func (p *program) serve(ctx context.Context, l net.Listener, up func(net.Addr)) error {
	doors, err := p.doors(ctx, l)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { p.store.Janitor(ctx, p.cfg.JanitorInterval); return nil })
	group.Go(func() error { p.provider.Run(ctx); return nil })
	for _, d := range doors {
		group.Go(func() error { return p.accept(d) })
		group.Go(func() error { <-ctx.Done(); return p.drain(ctx, d.server) })
	}
	if up != nil {
		up(l.Addr())
	}
	return group.Wait()
}

// accept serves until the server is shut down.
func (p *program) accept(d door) error {
	p.log.Info("listening", slog.String("address", d.listener.Addr().String()), slog.String("issuer", p.cfg.Issuer))
	var err error
	if c := p.cfg.TLS; c.Certificate != "" {
		err = d.server.ServeTLS(d.listener, c.Certificate, c.Key)
	} else {
		err = d.server.Serve(d.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drain lets running requests finish, but not for ever.
func (p *program) drain(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	p.log.Info("stopping", slog.Duration("at_most", drainTime))
	if err := server.Shutdown(ctx); err != nil {
		p.log.Warn("requests were still running and are cut off", slog.Any("error", err))
		return server.Close()
	}
	return nil
}
