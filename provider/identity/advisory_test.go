package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// The tests here are named after what went wrong in other servers.

// CVE-2025-24806 and CVE-2026-47203 (Authelia): failures were counted for each
// way to write a user's name.
func TestCVE202524806And202647203OneCounterForEachPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("right"), "alice", "alice@example.com", "a.liddell")
	s := h.signIn(t, h.local(t, nil), nil)
	for _, name := range []string{"alice", "ALICE@example.com ", "A.Liddell"} {
		_, err := s.Authenticate(t.Context(), as(name, "wrong"))
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	}
	for _, name := range []string{"alice", "alice@example.com", "a.liddell", "Alice "} {
		_, err := s.Authenticate(t.Context(), as(name, "right"))
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err), name)
	}
}

// Keycloak #12298: who had no account was told so sooner. What a hash costs is
// tested in TestEveryFailureCostsTheSame.
func TestKeycloak12298And48888AnUnknownNameCostsAHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("right"), "alice")
	h.user(t, identity.StatusActive, identity.RecordCredential{}, "passwordless")
	a := h.local(t, nil)
	over, cancel := context.WithCancel(t.Context())
	cancel() // no hash is computed for a request that is over, and that shows
	stranger := as("alice", "wrong")
	stranger.Stranger = true
	hopeless := as("alice", "right")
	hopeless.Hopeless = true
	alice, passwordless := h.login(t, "alice"), h.login(t, "passwordless")
	for _, tt := range []struct {
		name string
		c    identity.Credentials
		l    *identity.Login
	}{
		{"a wrong password", as("alice", "wrong"), alice},
		{"an unknown name", as("nobody", "wrong"), nil},
		{"a name that is unknown to the system", stranger, nil},
		{"a user without a password", as("passwordless", "wrong"), passwordless},
		{"a way to sign in that is not taken", hopeless, alice},
		{"an unknown name in a way that is not taken", hopeless, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.AuthenticateLogin(over, tt.c, tt.l)
			require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		})
	}
}

// CVE-2024-10270 and GHSA-cq42-vhv7-xr7p (Keycloak): somebody who knew a name
// could keep its user out for good.
func TestCVE202410270AndGHSAcq42vhv7xr7pMaliciousLockout(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice")
	g := h.gate(t, nil)
	s := h.signIn(t, h.local(t, nil), func(o *identity.SignInOptions) { o.Gate = g })
	start := h.Now()
	for h.Now().Sub(start) < 15*time.Minute { // a wrong password every minute
		_, _ = s.Authenticate(t.Context(), as("alice", "wrong"))
		h.add(time.Minute)
		stays := identity.Question{Moment: identity.MomentStay, Subject: alice, Status: identity.StatusActive}
		require.NoError(t, g.Ask(t.Context(), stays), "it ends no session")
	}
	h.add(2 * time.Second)
	_, err := s.Authenticate(t.Context(), as("alice", "right"))
	require.NoError(t, err, "it ends by itself, and what was tried during it does not prolong it")
	events, err := h.store.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
	require.NoError(t, err)
	require.Less(t, len(events), 20)
}

// CVE-2026-9798 (Keycloak): lockout was not asked about at every way in.
func TestCVE20269798ALockHoldsAtEveryWayIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.gate(t, nil)
	q := identity.Question{Subject: "a1", Status: identity.StatusActive}
	fails(t, g, h, q, 3)
	for _, system := range []string{"", "faveo"} {
		for _, moment := range []identity.Moment{identity.MomentTry, identity.MomentEnter} {
			q.Moment, q.System = moment, system
			require.Equal(t, identity.ReasonLocked, identity.ReasonOf(g.Ask(t.Context(), q)))
		}
	}
}

// CVE-2013-2006 (OpenStack Keystone): the password was in the debug log.
func TestCVE20132006NoPasswordInAnyOutput(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	credential := identity.Credential{Subject: "s", Slot: identity.SlotPassword, Hash: "hash-" + canary, Salt: "salt-" + canary}
	record := identity.RecordCredential{Credential: credential, Password: "plain-" + canary}
	login := &identity.Login{User: identity.User{Subject: "s"}, Credential: &credential}
	c := identity.Credentials{
		Directory: "default", Username: "name-" + canary, Password: "password-" + canary, Equivalent: []string{"other-" + canary},
		Login: login, RemoteAddr: netip.MustParseAddr("192.0.2.1"),
	}
	for _, tt := range []struct {
		name  string
		value any
	}{
		{"credentials", c},
		{"a pointer to credentials", &c},
		{"a credential", credential},
		{"a credential to be saved", record},
		{"a record", identity.Record{Credentials: []identity.RecordCredential{record}}},
		{"what a login name leads to", *login},
		{"a failure", identity.Fail(identity.ReasonWrongPassword, fmt.Errorf("of %v", c))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &bytes.Buffer{}
			fmt.Fprintf(out, "%v %+v %#v %s", tt.value, tt.value, tt.value, tt.value)
			options := &slog.HandlerOptions{Level: slog.LevelDebug}
			slog.New(slog.NewTextHandler(out, options)).Debug("text", slog.Any("value", tt.value))
			slog.New(slog.NewJSONHandler(out, options)).Debug("json", slog.Any("value", tt.value))
			require.NotContains(t, out.String(), canary)
		})
	}
	t.Run("nested in what has no methods", func(t *testing.T) {
		out, err := json.Marshal(struct{ C []identity.RecordCredential }{[]identity.RecordCredential{record}})
		require.NoError(t, err)
		require.NotContains(t, string(out), canary)
	})
	t.Run("a login that fails in every way logs no password", func(t *testing.T) {
		h := newHouse(t)
		out := &bytes.Buffer{}
		logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		local := h.local(t, func(o *identity.LocalOptions) { o.Logger = logger; o.Users = unreplaceable{h.store} })
		h.user(t, identity.StatusActive, imported(t, "OSSN md5"), "zoe")
		s := h.signIn(t, local, nil)
		for _, password := range []string{vectorPassword, canary, canary + "\x00", ""} {
			_, err := s.Authenticate(t.Context(), typed(password, canary))
			logger.Debug("login", slog.Any("error", err))
		}
		require.NoError(t, h.store.Close())
		_, err := s.Authenticate(t.Context(), typed(canary))
		logger.Debug("login", slog.Any("error", err))
		require.Contains(t, out.String(), "not replaced")
		require.NotContains(t, out.String(), canary)
		require.NotContains(t, out.String(), "72db382c0766a1b2", "nor a hash")
	})
}

// unreplaceable has a database that fails to replace a hash, so that this is
// logged.
type unreplaceable struct{ identity.Users }

func (u unreplaceable) ReplaceHash(context.Context, identity.Credential, identity.Credential) error {
	return errors.New("no")
}
