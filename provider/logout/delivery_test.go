package logout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/logout"
	"keyway/provider/outbound"
	"keyway/provider/store"
)

// post is a network on which clients answer as a test says.
type post struct {
	mu     sync.Mutex
	fails  map[string]error // by URI
	posted []string
	during func() // what happens while it is called; nil for nothing
}

func (p *post) PostForm(_ context.Context, uri string, values url.Values) (*outbound.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posted = append(p.posted, uri+" "+values.Get("logout_token"))
	if p.during != nil {
		p.during()
	}
	return &outbound.Answer{Status: 200}, p.fails[uri]
}

func (p *post) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.posted
	p.posted = nil
	return all
}

// office delivers the notices of a real database, at a time of the test's.
type office struct {
	*logout.Delivery
	*post
	store *store.Store
	log   *bytes.Buffer
	alice string

	mu  sync.Mutex
	now time.Time
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{post: &post{fails: map[string]error{}}, log: &bytes.Buffer{}, now: time.Unix(1_800_000_000, 0).UTC()}
	var err error
	o.store, err = store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "keyway.db"), Now: o.clock})
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.store.Close() })
	done, err := o.store.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}},
	}})
	require.NoError(t, err)
	o.alice = done[0].Subject
	o.Delivery, err = logout.New(logout.Options{
		Issuer: "https://id.example", Queue: o.store, Post: o.post, Now: o.clock, Poll: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(o.log, nil)),
		Sign: func(alg, typ string, claims map[string]any) (string, error) {
			return fmt.Sprint(alg, " ", typ, " ", claims["sid"]), nil
		},
		Addressee: func(_ context.Context, n *logout.Notice) (*logout.Addressee, error) {
			switch n.ClientID {
			case "gone":
				return nil, nil
			case "unreadable":
				return nil, errors.New("database is away")
			}
			return &logout.Addressee{URI: n.ClientID, Subject: n.Subject, SID: n.SID, Alg: "ES256"}, nil
		},
	})
	require.NoError(t, err)
	return o
}

// leave queues a notice to a client for each of n sessions.
func (o *office) leave(t *testing.T, client string, n int) {
	t.Helper()
	require.NoError(t, o.store.SaveClient(t.Context(), &provider.Client{ID: client, BackchannelLogoutURI: "https://rp.example/"}))
	for i := range n {
		sid := fmt.Sprint(client, i)
		hash := provider.HashToken(sid)
		end := o.clock().Add(time.Hour)
		require.NoError(t, o.store.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{Hash: hash, ID: sid, Subject: o.alice, ExpiresAt: end}}))
		require.NoError(t, o.store.Issue(t.Context(), &provider.Issue{
			GrantID: sid, SID: sid, NewGrant: &provider.GrantRecord{ID: sid, ClientID: client, Subject: o.alice, ExpiresAt: end},
		}))
	}
	_, err := o.store.EndSessions(t.Context(), provider.SessionQuery{Subject: o.alice})
	require.NoError(t, err)
}

func (o *office) deliver(t *testing.T) int {
	t.Helper()
	n, err := o.Deliver(t.Context())
	require.NoError(t, err)
	return n
}

// outcomes are what the audit trail says became of notices.
func (o *office) outcomes(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, kind := range []string{"logout_notice_delivered", "logout_notice_failed"} {
		events, err := o.store.ListEvents(t.Context(), store.EventQuery{Kind: kind})
		require.NoError(t, err)
		for _, e := range events {
			require.Equal(t, o.alice, e.Subject)
			all = append(all, strings.TrimPrefix(e.Kind, "logout_notice_")+" "+e.ClientID+" "+string(e.Reason))
		}
	}
	return all
}

func TestANoticeIsDeliveredOnce(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "app", 1)
	require.Equal(t, 1, o.deliver(t))
	require.Equal(t, []string{"app ES256 logout+jwt app0"}, o.take())
	require.Equal(t, []string{"delivered app "}, o.outcomes(t))
	o.pass(time.Hour)
	require.Zero(t, o.deliver(t))
}

func TestAClientThatFailsIsTriedAgainFiveTimesInAll(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "app", 1)
	o.fails["app"] = &outbound.Error{Reason: outbound.Status, Status: 500}
	waits := []time.Duration{0, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 7 * time.Minute}
	for i, wait := range waits {
		o.pass(wait - time.Millisecond)
		if i > 0 {
			require.Zero(t, o.deliver(t), "too early for try %d", i+1)
		}
		o.pass(time.Millisecond)
		require.Equal(t, 1, o.deliver(t), "try %d", i+1)
		require.Len(t, o.take(), 1)
	}
	require.Equal(t, []string{"failed app unavailable"}, o.outcomes(t))
	o.pass(time.Hour)
	require.Zero(t, o.deliver(t))
	require.Equal(t, 5, strings.Count(o.log.String(), "status 500"))
}

func TestAClientThatComesBackIsTold(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "app", 1)
	o.fails["app"] = &outbound.Error{Reason: outbound.Unreachable}
	o.deliver(t)
	delete(o.fails, "app")
	o.pass(10 * time.Second)
	o.deliver(t)
	require.Equal(t, []string{"delivered app "}, o.outcomes(t))
}

func TestWhatIsForbiddenIsNotTriedAgain(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "app", 1)
	o.fails["app"] = &outbound.Error{Reason: outbound.Forbidden}
	o.deliver(t)
	require.Equal(t, []string{"failed app unavailable"}, o.outcomes(t))
}

func TestAClientThatIsNotToBeToldAnyMoreEndsItsNotice(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "gone", 1)
	require.Equal(t, 1, o.deliver(t))
	require.Empty(t, o.take())
	require.Empty(t, o.outcomes(t))
	o.pass(time.Hour)
	require.Zero(t, o.deliver(t))
}

func TestAnOutageOfOurOwnIsTriedAgain(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "unreadable", 1)
	o.deliver(t)
	require.Empty(t, o.outcomes(t))
	o.pass(10 * time.Second)
	require.Equal(t, 1, o.deliver(t))
}

func TestAClientThatAnswersWithErrorsHoldsUpNobody(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "dead", 100)
	o.fails["dead"] = &outbound.Error{Reason: outbound.Status, Status: 500}
	for o.deliver(t) > 0 {
		continue
	}
	require.LessOrEqual(t, len(o.take()), 8, "those that were on their way when the first one failed")
}

func TestAClientThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "dead", 100)
	o.pass(time.Second)
	o.leave(t, "app", 1)
	o.fails["dead"] = &outbound.Error{Reason: outbound.Timeout}
	rounds := 0
	for o.deliver(t) > 0 {
		rounds++
	}
	told, tried := 0, 0
	for _, p := range o.take() {
		if strings.HasPrefix(p, "app ") {
			told++
		} else {
			tried++
		}
	}
	require.Equal(t, 1, told)
	require.LessOrEqual(t, tried, 8, "those that were on their way when the first one failed")
	require.LessOrEqual(t, rounds, 4, "the others only gave way")
	o.pass(15 * time.Minute)
	for o.deliver(t) > 0 {
		continue
	}
	require.Len(t, o.outcomes(t), 101, "nothing is kept for ever")
}

func TestNoticesThatAProgramsEndInterruptsAreDueAtOnce(t *testing.T) {
	o := newOffice(t)
	o.leave(t, "app", 1)
	o.fails["app"] = &outbound.Error{Reason: outbound.Unreachable}
	ctx, cancel := context.WithCancel(t.Context())
	o.during = cancel
	_, err := o.Deliver(ctx)
	require.NoError(t, err)
	delete(o.fails, "app")
	require.Equal(t, 1, o.deliver(t), "by whoever is next")
	require.Equal(t, []string{"delivered app "}, o.outcomes(t))
}

func TestRunDeliversUntilItsEnd(t *testing.T) {
	o := newOffice(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	o.leave(t, "app", 40)
	require.Eventually(t, func() bool {
		events, err := o.store.ListEvents(t.Context(), store.EventQuery{Kind: "logout_notice_delivered"})
		return err == nil && len(events) == 40
	}, 20*time.Second, 5*time.Millisecond)
	cancel()
	<-done
	require.Len(t, o.take(), 40)
}

func TestLogoutTokensSayWhatTheStandardAsks(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	got := logout.Claims("https://id.example", "app", "alice", "s1", now)
	require.Len(t, got["jti"], 32)
	require.NotEqual(t, got["jti"], logout.Claims("https://id.example", "app", "alice", "s1", now)["jti"])
	delete(got, "jti")
	want := map[string]any{
		"iss": "https://id.example", "aud": "app", "sub": "alice", "sid": "s1", "iat": now.Unix(), "exp": now.Unix() + 120,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	}
	require.Empty(t, cmp.Diff(want, got))
	require.NotContains(t, logout.Claims("i", "c", "s", "", now), "sid")
}

func TestFrameURIsKeepTheirQuery(t *testing.T) {
	require.Equal(t, "https://rp.example/out?iss=https%3A%2F%2Fid.example&sid=s+1", logout.FrameURI("https://rp.example/out", "https://id.example", "s 1"))
	require.Equal(t, "https://rp.example/out?x=1&iss=i&sid=s", logout.FrameURI("https://rp.example/out?x=1", "i", "s"))
}

func TestADeliveryNeedsItsParts(t *testing.T) {
	_, err := logout.New(logout.Options{})
	require.Error(t, err)
}
