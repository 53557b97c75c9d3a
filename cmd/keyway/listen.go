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

func (p *program) serve(ctx context.Context, l net.Listener, up func(net.Addr)) error {
	limits := p.cfg.Limits
	server := &http.Server{
		Handler: p.handler, ReadHeaderTimeout: limits.ReadHeaderTimeout, ReadTimeout: limits.ReadTimeout,
		WriteTimeout: limits.WriteTimeout, IdleTimeout: limits.IdleTimeout, MaxHeaderBytes: 32 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		ErrorLog:  slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { p.store.Janitor(ctx, p.cfg.JanitorInterval); return nil })
	group.Go(func() error { p.provider.Run(ctx); return nil })
	group.Go(func() error {
		p.log.Info("listening", slog.String("address", l.Addr().String()), slog.String("issuer", p.cfg.Issuer))
		if up != nil {
			up(l.Addr())
		}
		err := p.accept(server, l)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		p.log.Info("stopping", slog.Duration("at_most", drainTime))
		if err := server.Shutdown(drain); err != nil {
			p.log.Warn("requests were still running and are cut off", slog.Any("error", err))
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

func (p *program) accept(server *http.Server, l net.Listener) error {
	if c := p.cfg.TLS; c.Certificate != "" {
		return server.ServeTLS(l, c.Certificate, c.Key)
	}
	return server.Serve(l)
}
