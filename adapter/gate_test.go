package adapter

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// attempts keeps failures in memory, as many as the tests make.
type attempts struct {
	failures map[string]int
	events   []identity.Event
	err      error
}

var _ identity.Attempts = (*attempts)(nil)

func (a *attempts) CountFailures(context.Context, []string, time.Time) (map[string]int, error) {
	return a.failures, a.err
}

func (a *attempts) RecordFailure(_ context.Context, keys []string, e identity.Event) error {
	for _, k := range keys {
		a.failures[k]++
	}
	a.events = append(a.events, e)
	return a.err
}

func (a *attempts) ClearFailures(context.Context, []string) error { return a.err }

func gateOver(t *testing.T, a *attempts, networks map[string][]netip.Prefix) *identity.Gate {
	t.Helper()
	a.failures = map[string]int{}
	g, err := identity.NewGate(identity.GateOptions{
		Attempts: a, SourceFailures: 3, Networks: networks, Now: func() time.Time { return start },
	})
	require.NoError(t, err)
	return g
}

// openGate is a gate that everybody may come to from anywhere.
func openGate(t *testing.T) *identity.Gate {
	t.Helper()
	return gateOver(t, &attempts{}, nil)
}

func gated(t *testing.T, g Granter, gate Gate, in ...Instance) *Adapter {
	t.Helper()
	a, err := New(Options{Granter: g, Gate: gate, Instances: in, Now: func() time.Time { return start }})
	require.NoError(t, err)
	return a
}

func TestNetworksHoldOnEveryRoute(t *testing.T) {
	tried := &attempts{}
	gate := gateOver(t, tried, map[string][]netip.Prefix{"library": {netip.MustParsePrefix("10.0.0.0/8")}})
	g := &scripted{grant: someGrant(), lookErr: identity.Failf(identity.ReasonUnknownUser, "x")}
	a := gated(t, g, gate, libraryAt(t, map[string]any{"key": "k"}))
	for _, c := range []struct{ name, method, target string }{
		{"login", http.MethodPost, "/login?username=a&password=b&key=k"},
		{"its redirect", http.MethodPost, "/login/"},
		{"whoami", http.MethodGet, "/member?token=x"},
		{"validate", http.MethodGet, "/check?token=x"},
		{"logout", http.MethodPost, "/leave?token=x"},
		{"lookup", http.MethodGet, "/find?key=k&name=a"},
		{"static", http.MethodGet, "/pages/x"},
		{"a method that is not taken", http.MethodPut, "/check"},
		{"OPTIONS", http.MethodOptions, "/check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for from, refused := range map[string]bool{"192.0.2.1:1": true, "10.1.2.3:1": false, "": true} {
				r := httptest.NewRequest(c.method, c.target, nil)
				r.RemoteAddr = from
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				require.Equal(t, refused, w.Body.String() == "no key", "%s: %s", from, w.Body)
			}
		})
	}
	require.NotEmpty(t, tried.events, "what is refused is recorded")
	require.Equal(t, identity.ReasonInvalidClient, tried.events[0].Reason)
}

func TestALookupSaysWhereItComesFrom(t *testing.T) {
	g := &scripted{lookErr: identity.Failf(identity.ReasonUnknownUser, "x")}
	a := gated(t, g, openGate(t), libraryAt(t, map[string]any{"key": "k"}))
	ask(a, http.MethodGet, "/find?key=k&name=a", "", "")
	require.Equal(t, "library", g.looked.System)
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), g.looked.RemoteAddr)
	require.NotEmpty(t, g.looked.RequestID)
}

func TestGuessesOfTheKeyAreCounted(t *testing.T) {
	tried := &attempts{}
	gate := gateOver(t, tried, nil)
	a := gated(t, &scripted{grant: someGrant()}, gate, libraryAt(t, map[string]any{"key": "right"}))
	login := func(key string) string {
		return ask(a, http.MethodPost, "/login?username=a&password=b"+key, "", "").Body.String()
	}
	login("")
	login("&key=right")
	require.Empty(t, tried.events, "a key that is missing or right is no guess")
	for range 3 {
		require.Equal(t, "no key", login("&key=wrong"))
	}
	require.Len(t, tried.events, 3)
	e := tried.events[0]
	e.RequestID = ""
	require.Equal(t, identity.Event{
		At: start, Kind: "system_key", Reason: identity.ReasonInvalidClient, System: "library",
		ClientID: "legacy-library", RemoteAddr: "192.0.2.1",
	}, e)
	require.Contains(t, login("&key=right"), "locked", "while the source is locked no key is looked at")
	tried.err = errors.New("away")
	require.True(t, strings.HasPrefix(login("&key=right"), "later"))
}
