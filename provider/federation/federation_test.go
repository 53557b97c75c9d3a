package federation_test

import (
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/outbound"
	"keyway/provider/pages"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/mapping"
	"keyway/provider/upstream/oidc"
	"keyway/provider/upstream/upstreamtest"
)

var browser, session = [32]byte{1}, [32]byte{2}

// journey is two connectors to one upstream, over a real database.
type journey struct {
	*federation.Federation
	idp   *upstreamtest.IDP
	store *store.Store
	at    time.Time
}

func newJourney(t *testing.T, change ...func(*federation.Connector)) *journey {
	t.Helper()
	j := &journey{idp: upstreamtest.New(t)}
	j.at = j.idp.Now()
	j.store = storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: func() time.Time { return j.at }})
	j.Federation = j.federation(t, j.store, change...)
	return j
}

// newReplicas is a journey of two processes over one database, whose connectors ask
// again.
func newReplicas(t *testing.T, dsn string) (*journey, *federation.Federation) {
	t.Helper()
	j := &journey{idp: upstreamtest.New(t)}
	j.at = j.idp.Now()
	now := func() time.Time { return j.at }
	j.idp.Now = now
	j.store = storetest.Open(t, store.Options{DSN: dsn, Now: now})
	j.Federation = j.federation(t, j.store, asksAgain)
	return j, j.federation(t, storetest.Open(t, store.Options{DSN: dsn, Now: now}), asksAgain)
}

// federation is what one process has.
func (j *journey) federation(t *testing.T, db *store.Store, change ...func(*federation.Connector)) *federation.Federation {
	t.Helper()
	now := func() time.Time { return j.at }
	calls, err := outbound.New(outbound.Options{AllowLoopback: true})
	require.NoError(t, err)
	connector := func(id string) federation.Connector {
		up, err := oidc.New(oidc.Options{
			Issuer: j.idp.URL, ClientID: upstreamtest.ClientID, ClientSecret: "s", RedirectURL: "https://keyway.example/login/callback/" + id,
			HTTP: calls.HTTP(), Now: now,
		})
		require.NoError(t, err)
		m, err := mapping.New(mapping.Options{Connector: id, Allow: `claims.email != "blocked@corp.example"`})
		require.NoError(t, err)
		return federation.Connector{ID: id, Name: strings.ToUpper(id), Upstream: up, Mapper: m, Create: true}
	}
	corp := connector("corp")
	corp.Domains = []string{"corp.example"}
	for _, f := range change {
		f(&corp)
	}
	f, err := federation.New(federation.Options{
		Connectors: []federation.Connector{corp, connector("other")}, Storage: db, Links: db, Key: make([]byte, 32), Now: now,
	})
	require.NoError(t, err)
	return f
}

// goes begins a trip, as the upstream sees it.
func (j *journey) goes(t *testing.T, change ...func(*federation.Departure)) url.Values {
	t.Helper()
	d := federation.Departure{Trip: federation.Trip{Connector: "corp", Browser: browser, Interaction: "i1"}}
	for _, f := range change {
		f(&d)
	}
	to, err := j.Begin(t.Context(), d)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	j.idp.Nonce = u.Query().Get("nonce")
	return url.Values{"code": {"c"}, "state": {u.Query().Get("state")}}
}

func visitor() federation.Visitor { return federation.Visitor{Browser: browser, Session: session} }

func (j *journey) comes(t *testing.T, answer url.Values) (*federation.Arrival, error) {
	t.Helper()
	return j.Return(t.Context(), "corp", visitor(), answer)
}

func TestWhoComesForTheFirstTimeBecomesAUser(t *testing.T) {
	j := newJourney(t)
	first, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.True(t, first.Created)
	require.Equal(t, "i1", first.Trip.Interaction)
	u, err := j.store.FindUser(t.Context(), first.Subject)
	require.NoError(t, err)
	require.Equal(t, "alice@corp.example", u.Email)
	require.Equal(t, "alice@corp.example", u.Username("default"))

	second, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.Equal(t, first.Subject, second.Subject)
	require.False(t, second.Created)
	link, err := j.store.FindLink(t.Context(), j.idp.URL, "u1")
	require.NoError(t, err)
	require.Equal(t, "refresh-2", string(link.RefreshToken))
}

func TestAttack18ATripIsOneBrowsersAndOnce(t *testing.T) {
	j := newJourney(t)
	untrusted := func(name string, a *federation.Arrival, err error) {
		t.Helper()
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), name)
		require.True(t, a == nil || a.Subject == "", name)
	}
	a, err := j.comes(t, url.Values{"code": {"c"}})
	untrusted("a callback without state", a, err)
	a, err = j.comes(t, url.Values{"code": {"c"}, "state": {strings.Repeat("a", 200)}})
	untrusted("a callback with an endless state", a, err)
	a, err = j.comes(t, url.Values{"code": {"c"}, "state": {"chosen-by-somebody"}})
	untrusted("a state that an attacker fixed", a, err)

	answer := j.goes(t)
	a, err = j.Return(t.Context(), "corp", federation.Visitor{Browser: [32]byte{9}}, answer)
	untrusted("another browser's state (login CSRF)", a, err)

	answer = j.goes(t)
	_, err = j.comes(t, answer)
	require.NoError(t, err)
	a, err = j.comes(t, answer)
	untrusted("a callback that comes twice", a, err)

	answer = j.goes(t)
	j.at = j.at.Add(16 * time.Minute)
	a, err = j.comes(t, answer)
	untrusted("a callback after its time", a, err)
}

// The state of a trip that leads out is in URLs, as that of a sign-in is.
func TestATripThatLeadsOutIsNoSignIn(t *testing.T) {
	j := newJourney(t, func(c *federation.Connector) { c.Life.SignOut = true })
	to := j.SignOut(t.Context(), federation.Leaving{Connector: "corp", Browser: browser, ReturnTo: "https://keyway.example/login/signed-out/corp", Then: "https://app.example.com/bye"})
	u, err := url.Parse(to)
	require.NoError(t, err)
	state := u.Query().Get("state")
	require.NotEmpty(t, state, to)
	for _, guess := range []string{state, "signing out\x00" + state} {
		a, err := j.comes(t, url.Values{"code": {"c"}, "state": {guess}})
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), guess)
		require.Nil(t, a, "there is no such trip")
	}
	then, err := j.SignedOut(t.Context(), "corp", browser, state)
	require.NoError(t, err)
	require.Equal(t, "https://app.example.com/bye", then)
}

func TestAttack16AnAnswerOfOneConnectorAtAnothersPath(t *testing.T) {
	j := newJourney(t)
	_, err := j.Return(t.Context(), "other", visitor(), j.goes(t))
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	_, err = j.Return(t.Context(), "nowhere", visitor(), j.goes(t))
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	require.Empty(t, j.idp.Asked["/token"], "no code is shown to anybody")
}

func TestManyCallbacksOfOneTrip(t *testing.T) {
	j := newJourney(t)
	answer := j.goes(t)
	var all sync.WaitGroup
	won := make([]bool, 50)
	for i := range won {
		all.Go(func() {
			_, err := j.Return(t.Context(), "corp", visitor(), answer)
			won[i] = err == nil
		})
	}
	all.Wait()
	n := 0
	for _, w := range won {
		if w {
			n++
		}
	}
	require.Equal(t, 1, n)
}

func TestAttack19AnAddressMakesNobodyTheSame(t *testing.T) {
	j := newJourney(t)
	saved, err := j.store.SaveRecords(t.Context(), []identity.Record{
		{User: identity.User{Email: "alice@corp.example", EmailVerified: true, LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}},
		{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "taken@corp.example"}}}},
	})
	require.NoError(t, err)
	for _, verified := range []any{true, false, "true", nil} {
		j.idp.Lie = func(c map[string]any) { c["email_verified"] = verified }
		a, err := j.comes(t, j.goes(t))
		require.NoError(t, err)
		require.NotEqual(t, saved[0].Subject, a.Subject)
	}
	j.idp.Lie = func(c map[string]any) { c["sub"], c["email"] = "u2", "taken@corp.example" }
	a, err := j.comes(t, j.goes(t))
	require.Equal(t, upstream.Collision, upstream.KindOf(err))
	require.Empty(t, a.Subject)
	_, err = j.store.FindLink(t.Context(), j.idp.URL, "u2")
	require.ErrorIs(t, err, identity.ErrNotFound, "nothing was made")
}

func TestWhoMayNotComeInIsNotMade(t *testing.T) {
	j := newJourney(t, func(c *federation.Connector) { c.Create = false })
	_, err := j.comes(t, j.goes(t))
	require.Equal(t, upstream.Unknown, upstream.KindOf(err))
	j = newJourney(t)
	j.idp.Lie = func(c map[string]any) { c["email"] = "blocked@corp.example" }
	_, err = j.comes(t, j.goes(t))
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
	users, err := j.store.ListUsers(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, users)
}

// CVE-2026-9087: linking needs proof of both sides, in one browser session.
func TestCVE20269087LinkingIsBoundToTheSessionThatBeganIt(t *testing.T) {
	j := newJourney(t)
	saved, err := j.store.SaveRecords(t.Context(), []identity.Record{
		{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}},
		{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "mallory"}}}},
	})
	require.NoError(t, err)
	linking := func(subject string) func(*federation.Departure) {
		return func(d *federation.Departure) { d.Trip.Subject, d.Trip.Session = subject, session }
	}
	answer := j.goes(t, linking(saved[0].Subject))
	_, err = j.Return(t.Context(), "corp", federation.Visitor{Browser: browser, Session: [32]byte{7}}, answer)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "another session in the same browser")

	a, err := j.comes(t, j.goes(t, linking(saved[0].Subject)))
	require.NoError(t, err)
	require.Equal(t, saved[0].Subject, a.Subject)
	_, err = j.comes(t, j.goes(t, linking(saved[1].Subject)))
	require.Equal(t, upstream.Collision, upstream.KindOf(err), "they are linked elsewhere")
	a, err = j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.Equal(t, saved[0].Subject, a.Subject)
}

func TestWhereANameLeads(t *testing.T) {
	j := newJourney(t, func(c *federation.Connector) { c.Hidden, c.Domains = true, append(c.Domains, "sales.example") })
	for name, id := range map[string]string{
		"alice@corp.example": "corp", "Alice@CORP.example ": "corp", "alice@\u017fales.example": "corp", "a@b@corp.example": "corp",
		"alice@sub.corp.example": "", "alice": "", "corp.example": "", "alice@corp.example@evil.example": "",
	} {
		got := ""
		if c := j.ForName(name); c != nil {
			got = c.ID
		}
		require.Equal(t, id, got, name)
	}
	require.Len(t, j.Offered(nil), 1, "a hidden one has no button")
	require.Len(t, j.Offered([]string{"corp"}), 1, "but for clients that name it")
	require.Len(t, j.Offered([]string{"other"}), 1)
	var none *federation.Federation
	require.Nil(t, none.Find("corp"))
	require.Nil(t, none.ForName("alice@corp.example"))
	require.Empty(t, none.Offered(nil))
}

func TestConnectorsThatCannotBeToldApartAreRefused(t *testing.T) {
	j := newJourney(t)
	c := *j.Find("corp")
	for name, all := range map[string][]federation.Connector{
		"an id twice": {c, c}, "an id with a slash": {{ID: "a/b", Upstream: c.Upstream, Mapper: c.Mapper}},
		"a domain twice": {c, {ID: "x", Upstream: c.Upstream, Mapper: c.Mapper, Domains: c.Domains}}, "no upstream": {{ID: "x", Mapper: c.Mapper}},
	} {
		_, err := federation.New(federation.Options{Connectors: all, Storage: j.store, Links: j.store, Key: make([]byte, 32), Now: time.Now})
		require.Error(t, err, name)
	}
	_, err := j.Begin(t.Context(), federation.Departure{Trip: federation.Trip{Connector: "gone"}})
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
}

func TestNobodyKnowsWhenWhereTheUpstreamDoesNotSay(t *testing.T) {
	now, user := time.Unix(1_800_000_000, 0), &identity.User{Subject: "s"}
	require.True(t, federation.Vouched("corp", &upstream.Person{}, user, now).AuthTime.IsZero())
	require.Equal(t, now.Add(-time.Hour), federation.Vouched("corp", &upstream.Person{AuthTime: now.Add(-time.Hour)}, user, now).AuthTime)
	require.Equal(t, now, federation.Vouched("corp", &upstream.Person{AuthTime: now.Add(time.Hour)}, user, now).AuthTime, "nobody signs in in the future")
	for sid, kept := range map[string]string{"s1": "s1", "s\x001": "", strings.Repeat("s", 256): ""} {
		require.Equal(t, kept, federation.Vouched("corp", &upstream.Person{SID: sid}, user, now).Upstream.SID)
	}
	for acr, kept := range map[string]string{"gold": "gold", "go\x00ld": "", "urn:keyway:acr:password": ""} {
		require.Equal(t, kept, federation.Vouched("corp", &upstream.Person{ACR: acr}, user, now).ACR)
	}
}

func TestWhatTheAccountPageShowsOfLinks(t *testing.T) {
	j := newJourney(t, func(c *federation.Connector) { c.Hidden = true })
	saved, err := j.store.SaveRecords(t.Context(), []identity.Record{{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}}})
	require.NoError(t, err)
	alice := &identity.User{Subject: saved[0].Subject}
	require.NoError(t, j.store.AddLink(t.Context(), &identity.Link{Connector: "gone", Issuer: "https://gone.example", UpstreamSubject: "u<1>", Subject: alice.Subject, Origin: identity.LinkByAdmin}))
	var s pages.LinkSection
	require.NoError(t, j.Fill(t.Context(), alice, &s))
	require.Len(t, s.Links, 1)
	require.Equal(t, "gone", s.Links[0].Name, "of a connector that is gone, the id is left")
	require.NotContains(t, s.Links[0].ID, "u<1>")
	require.Equal(t, []pages.Upstream{{ID: "other", Name: "OTHER"}}, s.Upstreams, "a hidden one is not offered")

	trip := federation.Trip{Connector: "corp", Subject: alice.Subject, Session: session}
	for name, change := range map[string]func(*federation.Trip){
		"a hidden connector": func(*federation.Trip) {},
		"no such connector":  func(x *federation.Trip) { x.Connector = "gone" },
		"nobody":             func(x *federation.Trip) { x.Connector, x.Subject = "other", "" },
		"no session":         func(x *federation.Trip) { x.Connector, x.Session = "other", [32]byte{} },
	} {
		x := trip
		change(&x)
		_, err := j.BeginLink(t.Context(), x)
		require.ErrorIs(t, err, identity.ErrNotFound, name)
	}
	_, err = j.Unlink(t.Context(), s.Links[0].ID, &identity.Event{Subject: "somebody else"})
	require.ErrorIs(t, err, identity.ErrNotFound)
	_, err = j.Unlink(t.Context(), s.Links[0].ID, &identity.Event{Subject: alice.Subject})
	require.ErrorIs(t, err, identity.ErrLastWay)
}

func TestAForecastIsWhatTheSignInBecomes(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		closed bool
		want   federation.Fate
	}{
		"somebody new":                          {map[string]any{"sub": "n1", "email": "n1@corp.example"}, false, federation.FateCreated},
		"somebody new, where nobody is made":    {map[string]any{"sub": "n1", "email": "n1@corp.example"}, true, federation.FateUnknown},
		"who came before":                       {map[string]any{}, true, federation.FateLinked},
		"who came before, with somebody's name": {map[string]any{"email": "alice"}, false, federation.FateCollision},
		"who is linked, with somebody's name":   {map[string]any{"sub": "l1", "email": "alice"}, false, federation.FateLinked},
		"somebody new with somebody's name":     {map[string]any{"sub": "n1", "email": "ALICE"}, false, federation.FateCollision},
		"who may not come in":                   {map[string]any{"email": "blocked@corp.example"}, false, federation.FateRefused},
	} {
		t.Run(name, func(t *testing.T) {
			var mapper federation.Mapper
			j := newJourney(t, func(x *federation.Connector) { mapper = x.Mapper })
			saved, err := j.store.SaveRecords(t.Context(), []identity.Record{
				{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}},
				{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "linda"}}}},
			})
			require.NoError(t, err)
			require.NoError(t, j.store.AddLink(t.Context(), &identity.Link{Connector: "corp", Issuer: j.idp.URL, UpstreamSubject: "l1", Subject: saved[1].Subject, Origin: identity.LinkByAdmin}))
			_, err = j.comes(t, j.goes(t))
			require.NoError(t, err)

			j.Find("corp").Create = !c.closed
			p := &upstream.Person{Issuer: j.idp.URL, Subject: "u1", Claims: map[string]any{"email": "alice@corp.example"}}
			maps.Copy(p.Claims, c.claims)
			if sub, ok := c.claims["sub"].(string); ok {
				p.Subject = sub
			}
			seen, err := federation.NewForecast(mapper, j.store, !c.closed).Judge(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, c.want, seen.Fate)

			j.idp.Lie = func(said map[string]any) { maps.Copy(said, c.claims) }
			a, err := j.comes(t, j.goes(t))
			switch c.want {
			case federation.FateCreated, federation.FateLinked:
				require.NoError(t, err)
				require.Equal(t, c.want == federation.FateCreated, a.Created)
				require.True(t, a.Created || a.Subject == seen.Subject)
			default:
				require.Equal(t, string(c.want), string(upstream.KindOf(err)))
			}
		})
	}
}
