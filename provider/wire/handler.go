package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/secret"
)

// RequestID is where a middleware in front may leave the request's id.
const RequestID = "request_id"

// The names under which handlers leave what the log line may say.
const (
	LogClient = "keyway.client_id"
	LogGrant  = "keyway.grant_type"
	logBegin  = "keyway.begin"
	// LogRefusal is an error that is told in a redirect or on a page.
	LogRefusal = "keyway.refusal"
)

// Endpoints wraps handlers.
type Endpoints struct {
	Now func() time.Time
	Log *slog.Logger
}

// Wrap turns the error of a handler into the answer, by write, and writes one
// log line, of which only the fields below can be part.
func (p *Endpoints) Wrap(name string, f func(*gin.Context) error, write func(*gin.Context, *Error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(logBegin, p.Now())
		if c.GetString(RequestID) == "" {
			c.Set(RequestID, secret.ID())
		}
		c.Header("X-Request-Id", c.GetString(RequestID))
		err := guarded(c, f)
		if err != nil {
			e := From(err)
			write(c, e)
			p.logError(c, name, e, err)
			return
		}
		p.Log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request", p.requestAttrs(c, name)...)
	}
}

// guarded makes a panic an error. Its value may hold a secret and is not kept.
func guarded(c *gin.Context, f func(*gin.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("handler panicked with a %T", v)
		}
	}()
	return f(c)
}

func (p *Endpoints) logError(c *gin.Context, name string, e *Error, err error) {
	level := slog.LevelInfo
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := append(p.requestAttrs(c, name), slog.String("error", e.Code), slog.String("cause", CauseText(err)))
	p.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

func (p *Endpoints) requestAttrs(c *gin.Context, name string) []slog.Attr {
	attrs := make([]slog.Attr, 0, 11)
	attrs = append(attrs,
		slog.String("request_id", c.GetString(RequestID)),
		slog.String("endpoint", name),
		slog.String("method", c.Request.Method),
		slog.Int("status", c.Writer.Status()),
		slog.Duration("duration", p.Now().Sub(c.GetTime(logBegin))),
		slog.String("client_addr", c.ClientIP()),
	)
	if v := c.GetString(LogClient); v != "" {
		attrs = append(attrs, slog.String("client_id", v))
	}
	if v := c.GetString(LogGrant); v != "" {
		attrs = append(attrs, slog.String("grant_type", v))
	}
	if v := c.GetString(LogRefusal); v != "" {
		attrs = append(attrs, slog.String("refusal", v))
	}
	return attrs
}

// WriteJSON writes v as the whole answer.
func WriteJSON(c *gin.Context, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only of our own values: cannot happen, and must not be silent
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
		_ = c.Error(errors.New("an answer could not be encoded"))
	}
	c.Data(status, "application/json;charset=UTF-8", body)
}

// Accepts reports whether a request names a media type in its header Accept; a
// range that contains it is not enough.
func Accepts(r *http.Request, media string) bool {
	for _, accepted := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if named, _, err := mime.ParseMediaType(accepted); err == nil && named == media {
			return true
		}
	}
	return false
}

// NoStore marks an answer that must not be cached (RFC 6749, section 5.1).
func NoStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}

// SeeOther sends the browser to a URI as it is registered; the framework would
// write it anew.
func SeeOther(c *gin.Context, uri string) {
	c.Header("Location", uri)
	c.Status(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
}
