package federation_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/client"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/mapping"
)

const corp = "ldap://corp.example"

// directory is an upstream that judges passwords. All its people have the same
// one, and by several names each.
type directory struct {
	mu    sync.Mutex
	names map[string]string // of subjects
	kind  upstream.Kind     // of every answer, where it is set
	asked []upstream.Login
}

func (d *directory) Verify(_ context.Context, l *upstream.Login) (*upstream.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, *l)
	subject := d.names[strings.ToLower(l.Username)]
	switch {
	case d.kind != "":
		return nil, upstream.Fail(d.kind, "said so")
	case subject == "":
		return nil, upstream.Fail(upstream.Unknown, "nobody")
	case l.Password != "right":
		return nil, &upstream.Error{Kind: upstream.Wrong, Err: errors.New("wrong"), Issuer: corp, Subject: subject}
	}
	return &upstream.Person{Issuer: corp, Subject: subject, Claims: map[string]any{"email": subject + "@corp.example", "mail": subject}}, nil
}

// office is a directory before a real database.
type office struct {
	*directory
	*federation.Password
	store  *store.Store
	signIn *identity.SignIn
	chain  *identity.Chain
	at     time.Time
}

var officeOpens = time.Unix(1_800_000_000, 0)

func newOffice(t *testing.T, change ...func(*federation.Connector)) *office {
	t.Helper()
	o := &office{
		at:        officeOpens,
		directory: &directory{names: map[string]string{"alice": "u1", "corp\\alice": "u1", "a.lice": "u1", "bob": "u2", "taken": "taken", "blocked": "blocked"}},
	}
	now := func() time.Time { return o.at }
	o.store = storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: now})
	m, err := mapping.New(mapping.Options{
		Connector: "corp", Allow: `claims.mail != "blocked"`,
		Accounts: map[string]mapping.Account{"faveo": {When: `claims.mail == "u1"`, ID: `"7"`}},
	})
	require.NoError(t, err)
	c := &federation.Connector{ID: "corp", Verifier: o.directory, Mapper: m, Create: true}
	for _, f := range change {
		f(c)
	}
	o.Password, err = federation.NewPassword(federation.PasswordOptions{Connector: c, Links: o.store, Users: o.store, Now: now, Systems: []string{"corps-own"}})
	require.NoError(t, err)
	o.chain, err = identity.NewChain([]identity.Rule{{Steps: []identity.Step{{Name: "corp", Authenticator: o.Password, Upstream: true}}}})
	require.NoError(t, err)
	gate, err := identity.NewGate(identity.GateOptions{Attempts: o.store, Failures: 3, Now: now})
	require.NoError(t, err)
	o.signIn, err = identity.NewSignIn(identity.SignInOptions{Users: o.store, Gate: gate, Authenticator: o.chain, Now: now})
	require.NoError(t, err)
	return o
}

// user saves one of ours with a name.
func (o *office) user(t *testing.T, name string) string {
	t.Helper()
	saved, err := o.store.SaveRecords(t.Context(), []identity.Record{{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: name}}}}})
	require.NoError(t, err)
	return saved[0].Subject
}

func as(name, password string) identity.Credentials {
	return identity.Credentials{Directory: "default", Username: name, Password: password}
}

func TestWhomAnUpstreamVouchesForSignsInHere(t *testing.T) {
	o := newOffice(t)
	who, err := o.signIn.Authenticate(t.Context(), as("CORP\\alice", "right"))
	require.NoError(t, err)
	require.Equal(t, []string{"pwd"}, who.AMR)
	require.Equal(t, officeOpens, who.AuthTime)
	require.Equal(t, []string{"corp", "corp"}, []string{who.Connector, who.Verifier})
	require.Equal(t, "u1@corp.example", who.User.Username("default"))
	again, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
	require.NoError(t, err)
	require.Equal(t, who.User.Subject, again.User.Subject)
	account, err := o.store.FindAccount(t.Context(), "faveo", who.User.Subject)
	require.NoError(t, err)
	require.Equal(t, "7", account.ID)
}

func TestWhatAnUpstreamSaysIsOneReason(t *testing.T) {
	for kind, want := range map[upstream.Kind]identity.Reason{
		upstream.Unknown: identity.ReasonUnknownUser, upstream.Wrong: identity.ReasonWrongPassword, upstream.Refused: identity.ReasonWrongPassword,
		upstream.Disabled: identity.ReasonDisabled, upstream.Unverified: identity.ReasonUnverified, upstream.Expired: identity.ReasonDisabled, upstream.Locked: identity.ReasonLocked,
		upstream.Unavailable: identity.ReasonUnavailable, upstream.Untrusted: identity.ReasonUnavailable, "new": identity.ReasonUnavailable,
		upstream.Collision: identity.ReasonUnknownUser,
	} {
		o := newOffice(t)
		o.kind = kind
		_, err := o.Authenticate(t.Context(), as("alice", "right"))
		require.Equal(t, want, identity.ReasonOf(err), kind)
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	for name, c := range map[string]struct {
		username string
		change   func(*federation.Connector)
		want     identity.Reason
	}{
		"whom the mapping does not let in":                      {"blocked", nil, identity.ReasonDisabled},
		"who would be called what somebody is called here":      {"bob", nil, identity.ReasonUnknownUser},
		"who is not linked, where the connector makes no users": {"alice", func(c *federation.Connector) { c.Create = false }, identity.ReasonUnknownUser},
		"whose name there is somebody else's here":              {"taken", nil, identity.ReasonUnknownUser},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, func(one *federation.Connector) {
				if c.change != nil {
					c.change(one)
				}
			})
			o.user(t, "taken")
			o.user(t, "u2@corp.example")
			_, err := o.signIn.Authenticate(t.Context(), as(c.username, "right"))
			require.Equal(t, c.want, identity.ReasonOf(err), "%v", err)
			require.Len(t, o.asked, 1)
			users, err := o.store.ListUsers(t.Context(), "", "", 10)
			require.NoError(t, err)
			require.Len(t, users, 2, "nobody is made")
		})
	}
}

func TestNobodyIsAskedAboutWhatCannotBeRight(t *testing.T) {
	hopeless := as("alice", "right")
	hopeless.Hopeless = true
	for name, c := range map[string]identity.Credentials{
		"an empty password (CVE-2017-14596: an anonymous bind)":  as("alice", ""),
		"a password of a megabyte":                               as("alice", strings.Repeat("r", 1<<20)),
		"no name":                                                as("  ", "right"),
		"a name of a megabyte":                                   as(strings.Repeat("a", 1<<20), "right"),
		"a name that is not UTF-8":                               as("alice\xff", "right"),
		"a name with what nobody sees, which directories ignore": as("al\u00adice", "right"),
		"a name with a blank before it, which old servers cut":   as(" alice", "right"),
		"a name with two blanks, which directories take for one": as("al  ice", "right"),
		"a name in wide letters":                                 as("\uff41lice", "right"),
		"a name with a NUL":                                      as("alice\x00", "right"),
		"a name with a line":                                     as("alice\nbob", "right"),
		"a way of signing in that is not taken":                  hopeless,
	} {
		o := newOffice(t)
		_, err := o.signIn.Authenticate(t.Context(), c)
		require.Contains(t, []identity.Reason{identity.ReasonWrongPassword, identity.ReasonUnknownUser}, identity.ReasonOf(err), name)
		require.Empty(t, o.asked, name)
		require.ErrorIs(t, err, identity.ErrNotAsked, "the breaker must not take it for an answer")
	}
}

// CVE-2019-19844 (Django): the Kelvin sign is a k to who looks a name up, and another
// letter to who keeps names apart.
func TestCVE201919844ALetterOfTwoSpellingsIsOne(t *testing.T) {
	o := newOffice(t)
	_, err := o.signIn.Authenticate(t.Context(), as("\u212Aim  ", "right"))
	require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	require.Len(t, o.asked, 1)
	require.Equal(t, "Kim  ", o.asked[0].Username)
}

func TestAnAttemptIsOneGuessAtTheUpstream(t *testing.T) {
	o := newOffice(t)
	c := as("alice", "wrong")
	c.Equivalent = []string{"right"}
	_, err := o.signIn.Authenticate(t.Context(), c)
	require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	require.Len(t, o.asked, 1)
}

// CVE-2025-24806 and CVE-2026-47203 (Authelia): one counter for an account,
// whatever the name that is typed.
func TestCVE202524806AllNamesOfAPersonCountAsOne(t *testing.T) {
	guess := func(o *office, names ...string) (reasons []identity.Reason) {
		for _, name := range names {
			_, err := o.signIn.Authenticate(t.Context(), as(name, "wrong"))
			reasons = append(reasons, identity.ReasonOf(err))
		}
		return reasons
	}
	const wrong, locked = identity.ReasonWrongPassword, identity.ReasonLocked
	t.Run("of somebody who is a user", func(t *testing.T) {
		o := newOffice(t)
		who, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
		require.NoError(t, err)
		require.Equal(t, []identity.Reason{wrong, wrong, wrong, locked}, guess(o, "alice", "corp\\alice", "a.lice", "alice"))
		_, err = o.signIn.Authenticate(t.Context(), as("alice", "right"))
		require.Equal(t, locked, identity.ReasonOf(err), "a right guess is told from a wrong one by nobody")
		require.NotEmpty(t, who.User.LoginNames)
		before := len(o.asked)
		_, err = o.signIn.Authenticate(t.Context(), as("u1@corp.example", "right"))
		require.Equal(t, locked, identity.ReasonOf(err))
		require.Len(t, o.asked, before, "the name of a locked user is not sent to anybody")
	})
	t.Run("of somebody who is none yet", func(t *testing.T) {
		o := newOffice(t)
		require.Equal(t, []identity.Reason{wrong, wrong, wrong, locked}, guess(o, "alice", "corp\\alice", "a.lice", "alice"))
		for range 2 { // the first right guess may make the user
			_, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
			require.Equal(t, locked, identity.ReasonOf(err), "a right guess is told from a wrong one by nobody")
		}
	})
	t.Run("of somebody who is none yet, of whom the upstream is asked no more", func(t *testing.T) {
		o := newOffice(t)
		require.Equal(t, []identity.Reason{wrong, wrong, wrong, locked, locked}, guess(o, "alice", "alice", "alice", "alice", "alice"))
		require.Len(t, o.asked, 3)
	})
	t.Run("and somebody else's do not", func(t *testing.T) {
		require.Equal(t, []identity.Reason{wrong, wrong, wrong, wrong}, guess(newOffice(t), "alice", "bob", "alice", "bob"))
	})
}

func TestAnOutageIsNotAJudgement(t *testing.T) {
	o := newOffice(t)
	for _, kind := range []upstream.Kind{upstream.Unavailable, upstream.Untrusted} {
		o.kind = kind
		for range 5 {
			_, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
			require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		}
	}
	o.kind = ""
	_, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
	require.NoError(t, err)
}

func TestWhoIsDisabledHereStaysOut(t *testing.T) {
	o := newOffice(t)
	who, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
	require.NoError(t, err)
	require.NoError(t, o.store.SetStatus(t.Context(), who.User.Subject, identity.StatusDisabled))
	_, err = o.signIn.Authenticate(t.Context(), as("alice", "right"))
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
	_, err = o.signIn.Authenticate(t.Context(), as("alice", "wrong"))
	require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err), "who does not know the password does not learn it")
}

func TestAStrangerMayBeKnownToAnUpstream(t *testing.T) {
	stranger := func(o *office, name, password string) (*identity.Identity, error) {
		c := as(name, password)
		c.Stranger = true
		c.Admit = func(ctx context.Context, who *identity.Identity) error {
			if _, err := o.store.FindAccount(ctx, "faveo", who.User.Subject); err != nil {
				return identity.Failf(identity.ReasonUnknownUser, "no account")
			}
			return nil
		}
		return o.signIn.Authenticate(t.Context(), c)
	}
	o := newOffice(t)
	who, err := stranger(o, "alice", "right")
	require.NoError(t, err, "the mapping gave her an account")
	require.Equal(t, "corp", who.Connector)
	for _, password := range []string{"right", "wrong", "right"} {
		_, err = stranger(o, "bob", password)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err), "what is right elsewhere does not show")
	}
	o.kind = upstream.Unavailable
	_, err = stranger(o, "carol", "right")
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	events, err := o.store.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
	require.NoError(t, err)
	require.Len(t, events, 3)
	for _, e := range events {
		require.Equal(t, []string{"unknown_user", "corp"}, []string{string(e.Reason), e.Verifier})
	}
}

func TestAStrangerIsToldWhatTheirOwnSystemWouldTell(t *testing.T) {
	o := newOffice(t)
	for _, tt := range []struct {
		name, username, system string
		kind                   upstream.Kind
		want                   identity.Reason
	}{
		{"a wrong password", "alice", "corps-own", "", identity.ReasonWrongPassword},
		{"an account that is not confirmed", "alice", "corps-own", upstream.Unverified, identity.ReasonUnverified},
		{"a name that nobody has", "nobody", "corps-own", "", identity.ReasonUnknownUser},
		{"a wrong password for another system", "alice", "faveo", "", identity.ReasonUnknownUser},
		{"a wrong password for a name that is somebody else's here", "taken", "corps-own", "", identity.ReasonUnknownUser},
	} {
		c := as(tt.username, "wrong")
		c.System, c.Stranger = tt.system, true
		if o.kind = tt.kind; tt.username == "taken" {
			o.user(t, "taken")
			login, err := c.Resolve(t.Context(), o.store)
			require.NoError(t, err)
			c.Login = login
		}
		_, err := o.signIn.Authenticate(t.Context(), c)
		require.Equal(t, tt.want, identity.ReasonOf(err), tt.name)
	}
}

func TestThePasswordPageIsForWhomAPasswordLetsIn(t *testing.T) {
	verifies := federation.Connector{ID: "ldap", Verifier: &directory{}, Mapper: &mapping.Mapping{}}
	leads := *newJourney(t).Find("corp")
	f, err := federation.New(federation.Options{
		Connectors: []federation.Connector{verifies, leads}, Storage: newOffice(t).store, Links: newOffice(t).store, Key: make([]byte, 32), Now: time.Now,
	})
	require.NoError(t, err)
	for _, c := range []struct {
		connectors []string
		want       bool
	}{{nil, true}, {[]string{"local"}, true}, {[]string{"ldap"}, true}, {[]string{"corp"}, false}, {[]string{"corp", "gone"}, false}} {
		require.Equal(t, c.want, f.TakesPasswords(&client.Client{Connectors: c.connectors}), c.connectors)
	}
	var none *federation.Federation
	require.False(t, none.TakesPasswords(&client.Client{Connectors: []string{"ldap"}}))
	_, err = federation.NewPassword(federation.PasswordOptions{Connector: &leads})
	require.Error(t, err)
}

func TestNoPasswordIsPrinted(t *testing.T) {
	var b strings.Builder
	l := upstream.Login{Username: "alice", Password: "right"}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", slog.Any("login", l))
	require.NotContains(t, b.String(), "right")
	require.NotContains(t, b.String(), "alice")
}
