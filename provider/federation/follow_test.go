package federation_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/upstreamtest"
)

// asksAgain lets a connector ask its upstream again.
func asksAgain(c *federation.Connector) {
	c.Follower, _ = c.Upstream.(upstream.Follower)
	c.ByToken = true
}

// arrived is a journey of somebody who signed in at corp, and who they are.
func arrived(t *testing.T, change ...func(*federation.Connector)) (*journey, federation.Question) {
	t.Helper()
	j := newJourney(t, append([]func(*federation.Connector){asksAgain}, change...)...)
	a, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	return j, federation.Question{Connector: "corp", Subject: a.Subject, Event: identity.Event{ClientID: "web"}}
}

func (j *journey) passes(d time.Duration) { j.at = j.at.Add(d) }

// refreshed reports whether the upstream was asked for new tokens since the last time.
func (j *journey) refreshed() (asked bool) {
	j.idp.Change(func() {
		asked = j.idp.Asked["/token"].Get("grant_type") == "refresh_token"
		delete(j.idp.Asked, "/token")
	})
	return asked
}

// answers sets the status of one of the upstream's endpoints; 0 for its own.
func (j *journey) answers(path string, status int) {
	j.idp.Change(func() { j.idp.Status[path] = status })
}

// lies changes what the upstream says of people.
func (j *journey) lies(f func(claims map[string]any)) { j.idp.Change(func() { j.idp.Lie = f }) }

func (j *journey) follow(t *testing.T, q federation.Question) (*identity.Link, error) {
	t.Helper()
	return j.Follow(t.Context(), q)
}

func (j *journey) events(t *testing.T, kind string) []identity.Event {
	t.Helper()
	all, err := j.store.ListEvents(t.Context(), store.EventQuery{Kind: kind})
	require.NoError(t, err)
	return all
}

func TestAnUpstreamIsAskedNotMoreOftenThanItHasTo(t *testing.T) {
	j, q := arrived(t)
	j.idp.Now = func() time.Time { return j.at }
	for _, wait := range []struct {
		d     time.Duration
		asked bool
	}{{time.Minute, false}, {4*time.Minute - time.Millisecond, false}, {time.Millisecond, true}, {4 * time.Minute, false}, {time.Minute, true}} {
		j.passes(wait.d)
		_, err := j.follow(t, q)
		require.NoError(t, err)
		require.Equal(t, wait.asked, j.refreshed(), "after %v", wait.d)
	}
	_, err := j.follow(t, federation.Question{Connector: "corp", Subject: q.Subject, Anew: true})
	require.NoError(t, err)
	require.True(t, j.refreshed(), "but where its access token is needed")
}

// CVE-2026-43983 (Pocket ID): a refresh went on where the person was disabled or
// had lost their group.
func TestCVE202643983ARefreshFollowsDisablingAndGroups(t *testing.T) {
	j, q := arrived(t)
	j.idp.Now = func() time.Time { return j.at }
	j.lies(func(c map[string]any) { c["email"], c["given_name"] = "alice.b@corp.example", "Alice B" })
	j.passes(5 * time.Minute)
	_, err := j.follow(t, q)
	require.NoError(t, err)
	u, err := j.store.FindUser(t.Context(), q.Subject)
	require.NoError(t, err)
	require.Equal(t, []any{"alice.b@corp.example", "Alice B"}, []any{u.Email, u.Claims["given_name"]})

	j.lies(func(c map[string]any) { c["email"] = "blocked@corp.example" }) // the mapping lets them in no more
	j.passes(5 * time.Minute)
	_, err = j.follow(t, q)
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
	events := j.events(t, "upstream_ended")
	require.Len(t, events, 1)
	require.Equal(t, []string{"corp", q.Subject, "web"}, []string{events[0].Connector, events[0].Subject, events[0].ClientID})
	j.refreshed()
	_, err = j.follow(t, q)
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err), "also before it is asked again")
	require.False(t, j.refreshed())

	j.lies(nil)
	_, err = j.comes(t, j.goes(t))
	require.NoError(t, err)
	_, err = j.follow(t, q)
	require.NoError(t, err, "until they sign in there again")
}

func TestEveryRefusalEndsAndNoOutageDoes(t *testing.T) {
	refuse := func(status int, body string) func(*upstreamtest.IDP) {
		return func(s *upstreamtest.IDP) { s.Status["/token"], s.Body["/token"] = status, body }
	}
	for name, c := range map[string]struct {
		becomes func(*upstreamtest.IDP)
		reason  identity.Reason
		closes  bool
	}{
		"the account is gone there":          {refuse(http.StatusBadRequest, `{"error":"invalid_grant"}`), identity.ReasonDisabled, false},
		"they have to sign in there":         {refuse(http.StatusBadRequest, `{"error":"interaction_required"}`), identity.ReasonDisabled, false},
		"it speaks of somebody else":         {func(s *upstreamtest.IDP) { s.Lie = func(c map[string]any) { c["sub"] = "u2" } }, identity.ReasonDisabled, false},
		"their name is somebody else's here": {func(s *upstreamtest.IDP) { s.Lie = func(c map[string]any) { c["email"] = "taken" } }, identity.ReasonDisabled, false},
		"it fails":                           {refuse(http.StatusInternalServerError, "<html>"), "", false},
		"it knows us no more":                {refuse(http.StatusUnauthorized, `{"error":"invalid_client"}`), "", false},
		"it is gone":                         {nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			j, q := arrived(t)
			_, err := j.store.SaveRecords(t.Context(), []identity.Record{{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "taken"}}}}})
			require.NoError(t, err)
			j.idp.Now = func() time.Time { return j.at }
			if c.closes {
				j.idp.Close()
			} else {
				j.idp.Change(func() { c.becomes(j.idp) })
			}
			j.passes(5 * time.Minute)
			_, err = j.follow(t, q)
			if c.reason == "" {
				require.NoError(t, err)
			} else {
				require.Equal(t, c.reason, identity.ReasonOf(err), "%v", err)
			}
		})
	}
}

func TestWhileAnUpstreamIsAwayItsLastWordCountsForAWhile(t *testing.T) {
	j, q := arrived(t)
	j.idp.Now = func() time.Time { return j.at }
	j.answers("/token", http.StatusBadGateway)
	j.passes(5 * time.Minute)
	_, err := j.follow(t, q)
	require.NoError(t, err)
	require.True(t, j.refreshed())
	j.passes(29 * time.Second)
	_, err = j.follow(t, q)
	require.NoError(t, err)
	require.False(t, j.refreshed(), "who does not answer is left alone for a moment")
	j.passes(55 * time.Minute)
	_, err = j.follow(t, q)
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err), "an hour is over")
	require.ErrorIs(t, err, federation.ErrAway)
	require.Empty(t, j.events(t, "upstream_ended"))
	j.answers("/token", 0)
	j.passes(30 * time.Second)
	_, err = j.follow(t, q)
	require.NoError(t, err, "it is back, and nobody has lost anything")

	j, q = arrived(t, func(c *federation.Connector) { c.Life.AllowFor = -1 })
	j.answers("/token", http.StatusBadGateway)
	j.passes(5 * time.Minute)
	_, err = j.follow(t, q)
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err), "nor for a moment, where it is set so")
}

func TestATokenThatCameWithAFailureIsNotLost(t *testing.T) {
	j, q := arrived(t)
	j.idp.Now = func() time.Time { return j.at }
	family := j.idp.NewFamily()
	_, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	j.answers("/jwks", http.StatusBadGateway)
	j.idp.Rotate(t, "two") // so that the key of the ID token is not known
	j.passes(5 * time.Minute)
	_, err = j.follow(t, q)
	require.NoError(t, err)
	j.answers("/jwks", 0)
	j.passes(10 * time.Minute)
	_, err = j.follow(t, q)
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, []int{family.Uses, family.Reused})
}

func TestWhoCannotBeAskedAboutHasToSignInAgainAfterAWhileIfSo(t *testing.T) {
	for name, change := range map[string]func(*federation.Connector){
		"no refresh token": func(*federation.Connector) {}, "nobody who asks": func(c *federation.Connector) { c.Follower = nil },
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, asksAgain, change, func(c *federation.Connector) { c.Life.MaxSession = 8 * time.Hour })
			j.idp.Answer = map[string]any{"refresh_token": nil}
			a, err := j.comes(t, j.goes(t))
			require.NoError(t, err)
			q := federation.Question{Connector: "corp", Subject: a.Subject}
			j.passes(8*time.Hour - time.Millisecond)
			_, err = j.follow(t, q)
			require.NoError(t, err)
			j.passes(time.Millisecond)
			_, err = j.follow(t, q)
			require.Equal(t, identity.ReasonExpiredToken, identity.ReasonOf(err))
			require.NoError(t, j.FollowMade(t.Context(), q), "an app password is for those who cannot sign in there")
			require.Empty(t, j.events(t, "upstream_ended"))
		})
	}
}

// CVE-2025-64717 (ZITADEL): who came by an identity provider that was taken away or
// deactivated stayed.
func TestCVE202564717WhoCameByAConnectorThatIsGoneOrUnlinkedStaysNoLonger(t *testing.T) {
	j, q := arrived(t)
	_, err := j.Follow(t.Context(), federation.Question{Connector: "gone", Subject: q.Subject})
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
	require.NoError(t, j.FollowMade(t.Context(), q))
	without, err := federation.New(federation.Options{Connectors: []federation.Connector{*j.Find("other")}, Storage: j.store, Links: j.store, Key: make([]byte, 32), Now: time.Now})
	require.NoError(t, err)
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(without.FollowMade(t.Context(), q)), "nor by an app password")
	require.NoError(t, j.store.RemoveLink(t.Context(), &identity.Unlinking{Issuer: j.idp.URL, UpstreamSubject: "u1", Subject: q.Subject, Anyway: true}))
	_, err = j.follow(t, q)
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
	var none *federation.Federation
	require.NoError(t, none.FollowMade(t.Context(), q))
	_, err = none.Follow(t.Context(), q)
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
}

func TestTwoConnectorsToOneUpstreamAskByTheOneThatHasTheToken(t *testing.T) {
	j, q := arrived(t, func(c *federation.Connector) { c.Issuer = "filled in below" })
	j.Find("corp").Issuer = j.idp.URL
	j.Find("other").Issuer = j.idp.URL
	_, err := j.follow(t, federation.Question{Connector: "other", Subject: q.Subject})
	require.NoError(t, err)
	require.NoError(t, j.store.AddLink(t.Context(), &identity.Link{
		Connector: "other", Issuer: j.idp.URL, UpstreamSubject: "u2", Subject: q.Subject, Origin: identity.LinkByAdmin, LinkedAt: j.at, SeenAt: j.at,
	}))
	for connector, subject := range map[string]string{"corp": "u1", "other": "u2"} {
		l, err := j.follow(t, federation.Question{Connector: connector, Subject: q.Subject})
		require.NoError(t, err)
		require.Equal(t, subject, l.UpstreamSubject, "whose own link there is")
	}
	require.NoError(t, j.store.RemoveLink(t.Context(), &identity.Unlinking{Subject: q.Subject, Issuer: j.idp.URL, UpstreamSubject: "u2", Anyway: true}))
	j.Find("other").Issuer = "https://elsewhere.example"
	_, err = j.follow(t, federation.Question{Connector: "other", Subject: q.Subject})
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
}

// TestFiftyRefreshesAtOnceUseOneTokenOnce is about an upstream that ends everything
// where a refresh token comes twice.
func TestFiftyRefreshesAtOnceUseOneTokenOnce(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			j, replica := newReplicas(t, dsn(t))
			family := j.idp.NewFamily()
			a, err := j.comes(t, j.goes(t))
			require.NoError(t, err)
			family.Slow = 100 * time.Millisecond
			for round := 1; round <= 3; round++ {
				j.passes(5 * time.Minute)
				var all sync.WaitGroup
				errs := make([]error, 50)
				for i := range errs {
					all.Go(func() {
						f := []*federation.Federation{j.Federation, replica}[i%2]
						ctx, cancel := context.WithCancel(t.Context())
						if i%5 == 0 { // some hang up while they are asked about
							time.AfterFunc(50*time.Millisecond, cancel)
						}
						defer cancel()
						_, errs[i] = f.Follow(ctx, federation.Question{Connector: "corp", Subject: a.Subject})
						if ctx.Err() != nil {
							errs[i] = nil
						}
					})
				}
				all.Wait()
				for _, err := range errs {
					require.NoError(t, err)
				}
				uses, reused := j.idp.Count(family)
				require.Equal(t, []int{round, 0}, []int{uses, reused})
			}
			require.Empty(t, j.events(t, "upstream_ended"))
		})
	}
}
