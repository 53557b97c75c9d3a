package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"keyway/provider/secret"
)

// requestIDKey is where a middleware in front may leave the request's id.
const requestIDKey = "request_id"

// The names under which handlers leave what the log line may say.
const (
	logClient = "keyway.client_id"
	logGrant  = "keyway.grant_type"
	logBegin  = "keyway.begin"
	// logRefusal is an error that is told in a redirect or on a page.
	logRefusal = "keyway.refusal"
)

// handle wraps a handler: it turns its error into the answer and writes one
// log line, of which only the fields below can be part.
func (p *Provider) handle(name string, f func(*gin.Context) error) gin.HandlerFunc {
	return p.wrapped(name, f, writeError)
}

// page wraps a handler for people: its errors are a page.
func (p *Provider) page(name string, f func(*gin.Context) error) gin.HandlerFunc {
	return p.wrapped(name, f, p.writeErrorPage)
}

func (p *Provider) wrapped(name string, f func(*gin.Context) error, write func(*gin.Context, *wireError)) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(logBegin, p.options.Now())
		if c.GetString(requestIDKey) == "" {
			c.Set(requestIDKey, secret.ID())
		}
		c.Header("X-Request-Id", c.GetString(requestIDKey))
		err := p.guarded(c, f)
		if err != nil {
			e := toWire(err)
			write(c, e)
			p.logError(c, name, e, err)
			return
		}
		p.options.Log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request", p.requestAttrs(c, name)...)
	}
}

// guarded makes a panic an error. Its value may hold a secret and is not kept.
func (p *Provider) guarded(c *gin.Context, f func(*gin.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("handler panicked with a %T", v)
		}
	}()
	return f(c)
}

func (p *Provider) logError(c *gin.Context, name string, e *wireError, err error) {
	level := slog.LevelInfo
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := append(p.requestAttrs(c, name), slog.String("error", e.Code), slog.String("cause", causeText(err)))
	p.options.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

func (p *Provider) requestAttrs(c *gin.Context, name string) []slog.Attr {
	attrs := make([]slog.Attr, 0, 11)
	attrs = append(attrs,
		slog.String("request_id", c.GetString(requestIDKey)),
		slog.String("endpoint", name),
		slog.String("method", c.Request.Method),
		slog.Int("status", c.Writer.Status()),
		slog.Duration("duration", p.options.Now().Sub(c.GetTime(logBegin))),
		slog.String("client_addr", c.ClientIP()),
	)
	if v := c.GetString(logClient); v != "" {
		attrs = append(attrs, slog.String("client_id", v))
	}
	if v := c.GetString(logGrant); v != "" {
		attrs = append(attrs, slog.String("grant_type", v))
	}
	if v := c.GetString(logRefusal); v != "" {
		attrs = append(attrs, slog.String("refusal", v))
	}
	return attrs
}

// writeJSON writes v as the whole answer.
func writeJSON(c *gin.Context, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only of our own values: cannot happen, and must not be silent
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
		_ = c.Error(errors.New("an answer could not be encoded"))
	}
	c.Data(status, "application/json;charset=UTF-8", body)
}

// noStore marks an answer that must not be cached (RFC 6749, section 5.1).
func noStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}
