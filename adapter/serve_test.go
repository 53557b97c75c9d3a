package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

// scripted is a provider whose answers the test sets.
type scripted struct {
	grant   *provider.Grant
	err     error
	panics  any
	asked   provider.PasswordGrant
	looked  provider.UserQuery
	lookErr error
}

var _ Granter = (*scripted)(nil)

func (s *scripted) GrantPassword(_ context.Context, g provider.PasswordGrant) (*provider.Grant, error) {
	s.asked = g
	if s.panics != nil {
		panic(s.panics)
	}
	return s.grant, s.err
}

func (s *scripted) InspectGrant(context.Context, provider.TokenQuery) (*provider.Grant, error) {
	return s.grant, s.err
}

func (s *scripted) RevokeGrant(context.Context, provider.TokenQuery) error { return s.err }

func (s *scripted) LookupUser(_ context.Context, q provider.UserQuery) (*identity.User, *identity.Account, error) {
	s.looked = q
	return nil, nil, s.lookErr
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func someGrant() *provider.Grant {
	return &provider.Grant{
		AccessToken: "TOKEN", IssuedAt: start, ExpiresAt: start.Add(time.Hour),
		User:    &identity.User{Status: identity.StatusActive},
		Account: &identity.Account{ID: "7", Attributes: map[string]any{}},
	}
}

func library(t *testing.T) *System {
	t.Helper()
	s, err := Load(os.DirFS("testdata/systems"), "library", "system.yaml")
	require.NoError(t, err)
	return s
}

func clinic(t *testing.T) *System {
	t.Helper()
	s, err := Load(os.DirFS("testdata/systems"), "clinic", "system.yaml")
	require.NoError(t, err)
	return s
}

func serve(t *testing.T, g Granter, log *bytes.Buffer, in ...Instance) *Adapter {
	t.Helper()
	o := Options{Granter: g, Gate: openGate(t), Instances: in, Now: func() time.Time { return start }}
	if log != nil {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	a, err := New(o)
	require.NoError(t, err)
	return a
}

func libraryAt(t *testing.T, settings map[string]any) Instance {
	if settings == nil {
		settings = map[string]any{"key_mandatory": false}
	}
	return Instance{Name: "library", System: library(t), SiteURL: "http://l.example", Client: "legacy-library", Settings: settings}
}

func ask(h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryReasonHasAReply(t *testing.T) {
	g := &scripted{}
	a := serve(t, g, nil, libraryAt(t, nil))
	for _, reason := range identity.Reasons() {
		g.err = fmt.Errorf("wrapped: %w", identity.Failf(reason, "for the log"))
		w := ask(a, http.MethodPost, "/login?username=a&password=b", "", "")
		require.NotContains(t, w.Body.String(), "for the log")
		want := http.StatusBadRequest
		switch reason {
		case identity.ReasonInternal:
			want = http.StatusInternalServerError
		case identity.ReasonUnavailable:
			want = http.StatusServiceUnavailable
		case identity.ReasonRateLimited:
			want = http.StatusTooManyRequests
		case identity.ReasonInvalidClient:
			want = http.StatusForbidden
		default:
		}
		require.Equal(t, want, w.Code, reason)
	}
	g.err = errors.New("no failure at all")
	require.Equal(t, http.StatusInternalServerError, ask(a, http.MethodPost, "/login?username=a&password=b", "", "").Code)
	g.err = identity.Failf("brand_new", "a reason of tomorrow")
	require.Equal(t, http.StatusInternalServerError, ask(a, http.MethodPost, "/login?username=a&password=b", "", "").Code)
}

func TestAPanicIsTheSystemsInternalReply(t *testing.T) {
	var log bytes.Buffer
	g := &scripted{panics: "canary-secret"}
	a := serve(t, g, &log, libraryAt(t, nil))
	w := ask(a, http.MethodPost, "/login?username=a&password=b", "", "")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "broken", w.Body.String())
	require.Contains(t, log.String(), "GrantPassword")
	require.NotContains(t, log.String(), "canary")
}

func TestAReplyThatCannotBeRenderedIsInternal(t *testing.T) {
	grant := someGrant()
	grant.Account.ID = "not-a-number" // success.json.tmpl says int
	w := ask(serve(t, &scripted{grant: grant}, nil, libraryAt(t, nil)), http.MethodGet, "/login?username=a&password=b", "", "")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "broken", w.Body.String())
	require.Empty(t, w.Header().Get("Set-Cookie"))
}

func TestOneLogLineAndNoSecretInIt(t *testing.T) {
	var log bytes.Buffer
	a := serve(t, &scripted{grant: someGrant()}, &log, libraryAt(t, nil))
	ask(a, http.MethodPost, "/login?branch=canary-branch", form, "username=canary-user&password=canary-pass")
	line := log.String()
	require.Equal(t, 1, strings.Count(line, "\n"))
	require.NotContains(t, line, "canary")
	require.NotContains(t, line, "TOKEN")
	for _, part := range []string{"request_id=", "system=library", "route=login", "outcome=success", "status=200", "duration=", "client_addr=192.0.2.1"} {
		require.Contains(t, line, part)
	}
}

func TestBadInputIsNeverA500(t *testing.T) {
	a := serve(t, &scripted{err: identity.Failf(identity.ReasonUnknownUser, "")}, nil, libraryAt(t, nil))
	for name, c := range map[string][3]string{
		"a NUL":            {form, "username=a%00b&password=c", "400"},
		"invalid UTF-8":    {form, "username=%ff&password=%ff", "400"},
		"a large password": {form, "username=a&password=" + strings.Repeat("x", 1<<20), "413"},
		"an array":         {"application/json", `{"username":["a"],"password":"b"}`, "400"},
		"an object":        {"application/json", `{"username":{},"password":"b"}`, "400"},
		"duplicate keys":   {"application/json", `{"username":"a","username":"b","password":"c"}`, "400"},
		"deep nesting":     {"application/json", strings.Repeat("[", 100_000/2), "400"},
		"no JSON":          {"application/json", "\xff\x00", "400"},
		"an unknown type":  {"image/png", "x", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c[2], fmt.Sprint(ask(a, http.MethodPost, "/login", c[0], c[1]).Code))
		})
	}
}

func TestTheProviderIsAskedWithWhatWasSent(t *testing.T) {
	g := &scripted{grant: someGrant()}
	in := libraryAt(t, nil)
	in.Directory, in.Lifetime = "staff", time.Minute
	ask(serve(t, g, nil, in), http.MethodPost, "/login", form, "username=%20a%00%ff&password=%20b%00%ff%20&branch=east")
	require.Equal(t, "a\uFFFD\uFFFD", g.asked.Credentials.Username)
	require.Equal(t, " b\x00\xff ", g.asked.Credentials.Password, "a password is passed on as it is")
	require.Equal(t, "staff", g.asked.Credentials.Directory)
	require.Equal(t, "library", g.asked.Credentials.System)
	require.Equal(t, "library", g.asked.AccountSystem)
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), g.asked.Credentials.RemoteAddr)
	require.True(t, g.asked.Credentials.StatusFirst)
	require.True(t, g.asked.NeedAccount)
	require.Equal(t, map[string]string{"branches": "east"}, g.asked.Match)
	require.Equal(t, time.Minute, g.asked.Token.Lifetime)
	require.Equal(t, provider.FormatHex32, g.asked.Token.Format)
	require.NotEmpty(t, g.asked.RequestID)
}

func TestPathsAreTakenLiterally(t *testing.T) {
	a := serve(t, &scripted{grant: someGrant()}, nil, libraryAt(t, nil))
	for path, want := range map[string]bool{
		"/login": true, "//login": false, "/LOGIN": false, "/login/x": false, "/log%69n": true, "/x%2Flogin": false,
		"/pages/": true, "/PaGes/x/y": true, "/pages": false, "/member/": true, "/enter/": true, "/check/": false, "/": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://any.example"+path, nil)
		require.Equal(t, want, len(a.levels(r)) > 0, path)
	}
	w := ask(a, http.MethodGet, "/nowhere", "", "")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.JSONEq(t, `{"error":"not_found"}`, w.Body.String())
}

func TestHEADHasTheLengthAndNoBody(t *testing.T) {
	w := ask(serve(t, &scripted{grant: someGrant()}, nil, libraryAt(t, nil)), http.MethodHead, "/check?token=x", "", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "4", w.Header().Get("Content-Length"))
	require.Zero(t, w.Body.Len())
}

func TestInstancesHaveTheirOwnHostAndPath(t *testing.T) {
	here, there := libraryAt(t, nil), libraryAt(t, nil)
	here.Host = "Here.example"
	there.Name, there.BasePath, there.SiteURL = "there", "/deep/er", "http://l.example/deep/er/"
	g := &scripted{grant: someGrant()}
	a := serve(t, g, nil, here, there)
	ask(a, http.MethodGet, "http://here.EXAMPLE.:8080/login?username=a&password=b", "", "")
	require.Equal(t, "library", g.asked.Credentials.System)
	w := ask(a, http.MethodGet, "http://elsewhere.example/deep/er/enter/?x=y", "", "")
	require.Equal(t, "http://l.example/deep/er/enter?x=y", w.Header().Get("Location"))
	require.Equal(t, http.StatusNotFound, ask(a, http.MethodGet, "http://elsewhere.example/login", "", "").Code)
}

func TestMistakesOfInstancesAreReportedTogether(t *testing.T) {
	one, two := libraryAt(t, map[string]any{"kee": "x", "per_minute": "many", "lifetime": "soon"}), libraryAt(t, nil)
	two.Client, two.SiteURL, two.BasePath = "", "nowhere", "x/"
	three := Instance{Name: "clinic", System: clinic(t), SiteURL: "http://c/", Client: "c"}
	four := libraryAt(t, nil)
	four.Name = "again"
	_, err := New(Options{Granter: &scripted{}, Gate: openGate(t), Now: func() time.Time { return start }, Instances: []Instance{one, two, three, four, {Name: "none"}}})
	require.Error(t, err)
	for _, want := range []string{
		`library: settings.kee: unknown setting; is "key" meant?`, "settings.per_minute: this must be a whole number",
		"settings.lifetime: this must be a duration", "two instances have this name", "needs a name and a client",
		"site_url must be a URL", `base_path "x/"`, "clinic: settings.jwt_secret: this setting is required",
		"again: route login: /login is answered by route login of library already", "none: the system was not loaded",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = New(Options{})
	require.Error(t, err)
}

func TestMountedOnGinItTakesWhatNoRouteTakes(t *testing.T) {
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	serve(t, &scripted{grant: someGrant()}, nil, libraryAt(t, nil)).Mount(engine)
	require.Equal(t, "ok", ask(engine, http.MethodGet, "/healthz", "", "").Body.String())
	require.Equal(t, "3600", ask(engine, http.MethodGet, "/check?token=x", "", "").Body.String())
	w := ask(engine, http.MethodPost, "/leave?token=x", "", "")
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Zero(t, w.Body.Len())
	require.Equal(t, http.StatusNotFound, ask(engine, http.MethodGet, "/nowhere", "", "").Code)
}
