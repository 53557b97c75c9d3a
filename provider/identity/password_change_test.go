package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

const (
	oldPassword = "correct horse canary"
	newPassword = "battery staple <&> canary"
)

// changer lets people of the house change their passwords.
type changer struct {
	*house
	*identity.Passwords
	signIn *identity.SignIn
}

func newChanger(t *testing.T) *changer {
	t.Helper()
	h := newHouse(t)
	gate, err := identity.NewGate(identity.GateOptions{Attempts: h.store, Now: h.Now, Failures: 3})
	require.NoError(t, err)
	verified, err := identity.NewVerified(identity.VerifiedOptions{TTL: time.Minute, Now: h.Now})
	require.NoError(t, err)
	local, err := identity.NewLocal(identity.LocalOptions{Users: h.store, Hasher: h.hasher, Verified: verified, Logger: slog.New(slog.DiscardHandler), Now: h.Now})
	require.NoError(t, err)
	c := &changer{house: h}
	c.signIn, err = identity.NewSignIn(identity.SignInOptions{Users: h.store, Gate: gate, Authenticator: local, Verified: verified, Now: h.Now})
	require.NoError(t, err)
	c.Passwords, err = identity.NewPasswords(identity.PasswordsOptions{Users: h.store, Storage: h.store, SignIn: c.signIn, Hasher: h.hasher, Directory: "default", Now: h.Now})
	require.NoError(t, err)
	return c
}

// enters reports why somebody may not sign in with a password, "" where they may.
func (c *changer) enters(name, password string) identity.Reason {
	_, err := c.signIn.Authenticate(context.Background(), identity.Credentials{Directory: "default", Username: name, Password: password})
	return identity.ReasonOf(err)
}

func TestAChangedPasswordIsTheOneThatCounts(t *testing.T) {
	for name, given := range map[string]identity.RecordCredential{
		"argon2id":          {Password: oldPassword},
		"an imported hash":  {Credential: identity.Credential{Hash: "5f4dcc3b5aa765d61d8327deb882cf99", Scheme: "md5"}}, // of "password"
		"one of OSSN's own": {Credential: identity.Credential{Hash: ossnHash(t), Scheme: identity.SchemeOSSN, Salt: "ab12cd34"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChanger(t)
			subject := c.user(t, identity.StatusActive, given, "alice", "alice@example.com")
			current := oldPassword
			if given.Hash != "" && given.Scheme == "md5" {
				current = "password"
			}
			require.Equal(t, identity.Reason(""), c.enters("alice", current), "and it is remembered as right")
			require.NoError(t, c.Change(t.Context(), identity.NewPassword{Subject: subject, Current: current, New: newPassword, RequestID: "r1"}))
			require.Equal(t, identity.ReasonWrongPassword, c.enters("alice", current))
			require.Equal(t, identity.Reason(""), c.enters("ALICE@example.com", newPassword), "under each name of theirs")
			l, err := c.store.FindLogin(t.Context(), "default", "alice")
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(l.Credential.Hash, "$argon2id$"), l.Credential.Scheme)
			events, err := c.store.ListEvents(t.Context(), store.EventQuery{Subject: subject, Kind: "password_changed"})
			require.NoError(t, err)
			require.Len(t, events, 1)
			require.Equal(t, "r1", events[0].RequestID)
		})
	}
}

// ossnHash is an MD5 of OSSN's input and the salt "ab12cd34".
func ossnHash(t *testing.T) string {
	t.Helper()
	h := newHasher(t)
	c, err := h.Replace(t.Context(), identity.Credential{Scheme: identity.SchemeOSSN, Salt: "ab12cd34"}, oldPassword)
	require.NoError(t, err)
	return c.Hash
}

func TestAChangeIsRefused(t *testing.T) {
	c := newChanger(t)
	subject := c.user(t, identity.StatusActive, identity.RecordCredential{Password: oldPassword}, "alice")
	for name, x := range map[string]struct {
		current, fresh string
		want           error
	}{
		"a short one":    {oldPassword, "x", identity.PasswordTooShort},
		"a common one":   {oldPassword, "Password123!", identity.PasswordCommon},
		"the same again": {oldPassword, oldPassword, identity.PasswordSame},
	} {
		err := c.Change(t.Context(), identity.NewPassword{Subject: subject, Current: x.current, New: x.fresh})
		require.ErrorIs(t, err, x.want, name)
	}
	err := c.Change(t.Context(), identity.NewPassword{Subject: subject, Current: "wrong", New: newPassword})
	require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	require.Equal(t, identity.Reason(""), c.enters("alice", oldPassword))
}

func TestGuessingTheCurrentPasswordLocks(t *testing.T) {
	c := newChanger(t)
	subject := c.user(t, identity.StatusActive, identity.RecordCredential{Password: oldPassword}, "alice")
	for range 3 {
		err := c.Change(t.Context(), identity.NewPassword{Subject: subject, Current: "wrong", New: newPassword})
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	}
	err := c.Change(t.Context(), identity.NewPassword{Subject: subject, Current: oldPassword, New: newPassword})
	require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
	require.Equal(t, identity.ReasonLocked, c.enters("alice", oldPassword), "at every other way in too")
}

func TestWhoHasNoPasswordHereHasNoneToChange(t *testing.T) {
	c := newChanger(t)
	done, err := c.store.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{{Directory: "crmcom/DEMO", Name: "bob", Slot: "pass_code"}}},
	}})
	require.NoError(t, err)
	bob, err := c.store.FindUser(t.Context(), done[0].Subject)
	require.NoError(t, err)
	changeable, err := c.Changeable(t.Context(), bob)
	require.NoError(t, err)
	require.False(t, changeable)
	fay, err := c.store.SaveFederated(t.Context(), &identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: "1", LoginName: identity.LoginName{Directory: "default", Name: "fay"},
	}, true)
	require.NoError(t, err)
	elsewhere, err := c.store.FindUser(t.Context(), fay.Subject)
	require.NoError(t, err)
	changeable, err = c.Changeable(t.Context(), elsewhere)
	require.NoError(t, err)
	require.False(t, changeable, "who signs in elsewhere has a name without a password")
	alice, err := c.store.FindUser(t.Context(), c.user(t, identity.StatusActive, identity.RecordCredential{Password: oldPassword}, "alice"))
	require.NoError(t, err)
	changeable, err = c.Changeable(t.Context(), alice)
	require.NoError(t, err)
	require.True(t, changeable)
	require.ErrorIs(t, c.Change(t.Context(), identity.NewPassword{Subject: bob.Subject, Current: "x", New: newPassword}), identity.ErrNoPassword)
	err = c.Change(t.Context(), identity.NewPassword{Subject: "nobody", New: newPassword})
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
}

func TestAnotherSlotIsLeftAlone(t *testing.T) {
	c := newChanger(t)
	code, err := c.hasher.Hash(t.Context(), "4711")
	require.NoError(t, err)
	mine, err := c.hasher.Hash(t.Context(), oldPassword)
	require.NoError(t, err)
	done, err := c.store.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{
			{Directory: "default", Name: "alice"}, {Directory: "crm", Name: "alice", Slot: "pass_code"},
		}},
		Credentials: []identity.RecordCredential{
			{Credential: identity.Credential{Slot: identity.SlotPassword, Hash: mine}}, {Credential: identity.Credential{Slot: "pass_code", Hash: code}},
		},
	}})
	require.NoError(t, err)
	require.NoError(t, c.Change(t.Context(), identity.NewPassword{Subject: done[0].Subject, Current: oldPassword, New: newPassword}))
	_, err = c.signIn.Authenticate(t.Context(), identity.Credentials{Directory: "crm", Username: "alice", Password: "4711"})
	require.NoError(t, err)
	require.Equal(t, identity.Reason(""), c.enters("alice", newPassword))
}

func TestANewPasswordHidesItself(t *testing.T) {
	n := identity.NewPassword{Subject: "s", Current: oldPassword, New: newPassword}
	encoded, err := json.Marshal(n)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(n), fmt.Sprintf("%v %+v %#v %s", n, n, n, n), string(encoded)} {
		require.NotContains(t, text, "canary")
	}
	var problem identity.PasswordProblem
	require.True(t, errors.As(identity.JudgePassword("x", &identity.User{}), &problem))
}

// vouched says yes by the word of an upstream.
type vouched struct{ subject string }

func (v *vouched) Authenticate(context.Context, identity.Credentials) (*identity.Identity, error) {
	return &identity.Identity{User: identity.User{Subject: v.subject, Status: identity.StatusActive}, Connector: "corp"}, nil
}

func TestAPasswordThatAnUpstreamJudgesChangesNoneOfOurs(t *testing.T) {
	c := newChanger(t)
	subject := c.user(t, identity.StatusActive, plain(oldPassword), "alice")
	p, err := identity.NewPasswords(identity.PasswordsOptions{
		Users: c.store, Storage: c.store, SignIn: c.house.signIn(t, &vouched{subject}, nil), Hasher: c.hasher, Directory: "default", Now: c.Now,
	})
	require.NoError(t, err)
	err = p.Change(t.Context(), identity.NewPassword{Subject: subject, Current: "the one at corp", New: newPassword})
	require.ErrorIs(t, err, identity.ErrNoPassword)
	require.Equal(t, identity.Reason(""), c.enters("alice", oldPassword))
}
