package adapter

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

// shop answers a client's mistake as an error of its own, and says how long a
// token lives.
const shop = `
system: shop
profile: "1"
settings: {life: {type: duration, default: 1h}}
input: {form: true}
token: {format: hex32, lifetime: life}
replies: {internal: {status: 500, text: internal}}
routes:
  login:
    path: /login
    action: login
    fields:
      username: {from: [name]}
      password: {from: [word], missing: internal}
    replies: {success: {text: "{{ .Token.Remaining }}"}}
`

func shopAt(t *testing.T) Instance {
	t.Helper()
	s, err := Load(fstest.MapFS{"shop/system.yaml": {Data: []byte(shop)}}, "shop", "system.yaml")
	require.NoError(t, err)
	return Instance{Name: "shop", System: s, SiteURL: "http://shop.example", Client: "legacy-shop"}
}

func TestOnlyWhatIsTheOperatorsBusinessIsLoggedAsAnError(t *testing.T) {
	for _, c := range []struct {
		name, body string
		err        error
		outcome    string
		isError    bool
	}{
		{"a client's mistake that the system answers as internal", "name=a", nil, "internal", false},
		{"a wrong password", "name=a&word=b", identity.Failf(identity.ReasonWrongPassword, "x"), "wrong_password", false},
		{"an outage", "name=a&word=b", identity.Failf(identity.ReasonUnavailable, "x"), "unavailable", true},
		{"an error without a reason", "name=a&word=b", http.ErrBodyNotAllowed, "internal", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			a := serve(t, &scripted{grant: someGrant(), err: c.err}, &log, shopAt(t))
			ask(a, http.MethodPost, "/login", form, c.body)
			require.Contains(t, log.String(), "outcome="+c.outcome)
			require.Equal(t, c.isError, strings.Contains(log.String(), "level=ERROR"))
		})
	}
}

func TestANewTokenOfAnHourHas3600Seconds(t *testing.T) {
	now := start.Add(999 * time.Millisecond)
	for name, issued := range map[string]time.Time{"of the clock's second": start, "of the very moment": now} {
		t.Run(name, func(t *testing.T) {
			g := &scripted{grant: &provider.Grant{IssuedAt: issued, ExpiresAt: issued.Add(time.Hour), User: &identity.User{}}}
			a, err := New(Options{Granter: g, Gate: openGate(t), Instances: []Instance{shopAt(t)}, Now: func() time.Time { return now }})
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "/login?name=a&word=b", nil)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			require.Equal(t, "3600", w.Body.String())
		})
	}
}
