package adapter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
)

// exchange is one request on its way to its reply.
type exchange struct {
	m     *mounted
	route *preparedRoute
	in    *input
	view  View
	exact map[string]string // fields after normalising, byte for byte: passwords are not text
	match map[string]string // account attribute -> what it must be
	token string            // as presented
	from  netip.Addr
	err   error // for the log

	refused Outcome // of the fields, while the presented token is judged first
}

var _ http.Handler = (*Adapter)(nil)

// Mount answers with a everything that no route of the engine takes.
func (a *Adapter) Mount(engine *gin.Engine) {
	engine.NoRoute(func(c *gin.Context) {
		a.ServeHTTP(c.Writer, c.Request)
		c.Writer.WriteHeaderNow()
	})
}

// levels are the routes for the request's host and path, the nearest first.
func (a *Adapter) levels(r *http.Request) [][]*mounted {
	path := pathOf(r)
	var out [][]*mounted
	if t := a.hosts[hostOf(r)]; t != nil {
		out = t.levels(path)
	}
	if t := a.hosts[""]; t != nil && len(out) == 0 {
		out = t.levels(path)
	}
	return out
}

// ServeHTTP answers as the legacy system that the path belongs to.
func (a *Adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	levels := a.levels(r)
	if len(levels) == 0 {
		answer{
			status: http.StatusNotFound, body: `{"error":"not_found"}`,
			headers: map[string]string{"Content-Type": "application/json"},
		}.write(w, r)
		return
	}
	start := a.now()
	x := a.begin(levels[0][0], r, start)
	outcome := a.safely(x, func() Outcome { return a.answer(w, r, x, levels) })
	var out answer
	if outcome == outcomeRedirect {
		out = x.redirect(r)
	} else {
		outcome = a.safely(x, func() (o Outcome) { out, o = x.render(outcome); return o })
		if out.status == 0 {
			out.status = http.StatusInternalServerError
		}
		if out.allow && (out.status == http.StatusMethodNotAllowed || outcome == OutcomeOptions) {
			out.headers["Allow"] = allowed(levels[0])
		}
	}
	out.write(w, r)
	a.report(r.Context(), x, outcome, out.status)
}

// outcomeRedirect never has a reply: a slash too many leads to the path
// without it.
const outcomeRedirect Outcome = "redirect"

// begin makes the exchange of a request before anything of it is read.
func (a *Adapter) begin(m *mounted, r *http.Request, now time.Time) *exchange {
	x := &exchange{from: a.clientAddr(r), exact: map[string]string{}}
	x.view = View{
		Now: now, Site: m.site, Settings: m.settings,
		Request: RequestView{
			ID: a.requestID(r), Method: r.Method, Path: cleanText(r.URL.Path), RemoteAddr: x.from.String(),
		},
	}
	x.choose(m, r)
	return x
}

// choose makes m the route that answers.
func (x *exchange) choose(m *mounted, r *http.Request) {
	x.m, x.route = m, m.route
	req := &x.view.Request
	x.view.Site, x.view.Settings = m.site, m.settings
	below := strings.TrimPrefix(m.path, m.base)
	if strings.HasSuffix(below, "*") {
		below = strings.TrimPrefix(cleanText(r.URL.Path), m.base)
	}
	req.URL = m.site.URL + strings.TrimPrefix(below, "/")
	req.Field, req.Raw = make(map[string]string, len(m.route.names)), make(map[string]string, len(m.route.names))
	for _, name := range m.route.names {
		req.Field[name], req.Raw[name] = "", ""
	}
	x.view.Field = req.Field
}

// answer finds the outcome of a request, in the order that the contracts
// know: path and method, network, limit, key, fields, action.
func (a *Adapter) answer(w http.ResponseWriter, r *http.Request, x *exchange, levels [][]*mounted) Outcome {
	m, o := a.pick(w, r, x, levels)
	if refused := a.admit(r.Context(), x); refused != "" {
		return refused
	}
	if o != "" {
		return o
	}
	if m.redirect || m.slashTooMany(pathOf(r)) {
		return outcomeRedirect
	}
	if limit := m.rate; limit != nil {
		remaining, ok := limit.take(x.from, x.view.Now)
		x.view.Rate = RateView{Limit: limit.limit, Remaining: remaining}
		if !ok {
			return OutcomeRateLimited
		}
	}
	if o := x.read(w, r); o != "" {
		return o
	}
	if o := a.checkKey(r.Context(), x); o != "" {
		return o
	}
	x.refused = x.readFields(x.route.fields)
	if x.refused != "" && !x.route.presentsToken() {
		return m.uniformly(x.refused)
	}
	x.collectMatch(x.route.fields)
	return a.act(r.Context(), x)
}

// presentsToken reports whether the route acts on a presented token, which is
// judged before its fields are.
func (r *preparedRoute) presentsToken() bool {
	return r.Action == ActionValidate || r.Action == ActionLogout || r.Action == ActionWhoAmI && r.Lookup == nil
}

// read reads the body once, by the rules of the first route that needs it.
func (x *exchange) read(w http.ResponseWriter, r *http.Request) (o Outcome) {
	if x.in == nil {
		x.in, o = readInput(w, r, x.route.Input)
		x.view.Request.JSON = x.in.json
		return o
	}
	x.in.rules = x.route.Input
	return ""
}

func allowed(level []*mounted) string {
	var methods []string
	seen := map[string]bool{}
	for _, m := range level {
		for _, name := range m.route.Methods {
			if !seen[name] {
				methods = append(methods, name)
			}
			seen[name] = true
		}
	}
	return strings.Join(methods, ", ")
}

// redirect leads to the same path without its last slash, at the address that
// the outside knows.
func (x *exchange) redirect(r *http.Request) answer {
	location := strings.TrimSuffix(x.view.Request.URL, "/")
	if !x.m.redirect { // below a "*", where anything may stand in the path
		below := strings.TrimSuffix(strings.TrimPrefix(cleanText(r.URL.Path), x.m.base), "/")
		location = x.m.site.URL + (&url.URL{Path: strings.TrimPrefix(below, "/")}).EscapedPath()
	}
	if r.URL.RawQuery != "" {
		location += "?" + r.URL.RawQuery
	}
	return answer{status: http.StatusMovedPermanently, headers: map[string]string{"Location": location}}
}

// safely turns a panic into the outcome internal. What panicked with may hold
// anything, so the log gets where it happened and no more.
func (a *Adapter) safely(x *exchange, f func() Outcome) (o Outcome) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
			o = OutcomeInternal
			return
		}
		o = OutcomeInternal
		x.err = identity.Failf(identity.ReasonInternal, "panic of type %T at %s", v, panicSite())
		x.view.User, x.view.Account, x.view.Token = nil, nil, nil
	}()
	return f()
}

// panicSite is the function that panicked.
func panicSite() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
	}
}

// report writes the request's one log line. Nothing that a client sent stands
// in it.
func (a *Adapter) report(ctx context.Context, x *exchange, o Outcome, status int) {
	attrs := []slog.Attr{
		slog.String("request_id", x.view.Request.ID), slog.String("system", x.m.name), slog.String("route", x.route.name),
		slog.String("outcome", string(o)), slog.Int("status", status),
		slog.Duration("duration", a.now().Sub(x.view.Now)), slog.String("client_addr", x.from.String()),
	}
	level := slog.LevelInfo
	if x.err != nil {
		attrs = append(attrs, slog.String("reason", string(identity.ReasonOf(x.err))))
	}
	if ours(x.err) {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	a.log.LogAttrs(ctx, level, "legacy request", attrs...)
}

// ours reports whether an error is the operator's business. An outcome does not
// tell: some legacy systems answer a client's mistake as an error of their own.
func ours(err error) bool {
	switch identity.ReasonOf(err) {
	case identity.ReasonInternal, identity.ReasonUnavailable:
		return true
	default:
		return false
	}
}

// connectionAddr is the address at the other end of the connection.
func connectionAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func newRequestID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return hex.EncodeToString(b)
}
