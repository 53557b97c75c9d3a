package device_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/device"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/usercode"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func newCodes(t *testing.T) (*device.Codes, *store.Store) {
	t.Helper()
	s := storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: noon})
	return &device.Codes{Storage: s, Attempts: s, Now: noon}, s
}

func request(from string) device.Request {
	return device.Request{ClientID: "tv", Scopes: []string{"openid"}, From: netip.MustParseAddr(from), Page: "https://id.example.com/device"}
}

func TestBeginMakesWhatIsStored(t *testing.T) {
	codes, _ := newCodes(t)
	r, err := codes.Begin(t.Context(), request("::ffff:192.0.2.7"))
	require.NoError(t, err)
	code, ok := usercode.Parse(r.UserCode)
	require.True(t, ok)
	stored, err := codes.Storage.FindDevice(t.Context(), code)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.7", stored.RemoteAddr)
	require.Equal(t, "192.0.2.7", stored.Source)
	require.Equal(t, noon().Add(10*time.Minute), stored.ExpiresAt)
	require.Equal(t, &device.Response{
		DeviceCode: r.DeviceCode, UserCode: r.UserCode, Page: "https://id.example.com/device",
		Complete: "https://id.example.com/device?user_code=" + r.UserCode, ExpiresIn: 600, Interval: 5,
	}, r)
	r, err = codes.Begin(t.Context(), request("2001:db8:1:2:3:4:5:6"))
	require.NoError(t, err)
	code, _ = usercode.Parse(r.UserCode)
	stored, err = codes.Storage.FindDevice(t.Context(), code)
	require.NoError(t, err)
	require.Equal(t, []string{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"}, []string{stored.RemoteAddr, stored.Source})
}

// unlucky is a real storage, of a device that drew a code that is taken for the
// first few times.
type unlucky struct {
	device.Storage
	taken usercode.Code
	times int
}

func (u *unlucky) AddDevice(ctx context.Context, r *device.Record, most device.Limits) error {
	drawn := *r
	if u.times > 0 {
		u.times--
		drawn.UserCode = u.taken
	}
	return u.Storage.AddDevice(ctx, &drawn, most)
}

func TestBeginDrawsAgainWhereACodeIsTaken(t *testing.T) {
	codes, s := newCodes(t)
	first, err := codes.Begin(t.Context(), request("192.0.2.7"))
	require.NoError(t, err)
	taken, _ := usercode.Parse(first.UserCode)
	codes.Storage = &unlucky{Storage: s, taken: taken, times: 4}
	second, err := codes.Begin(t.Context(), request("192.0.2.7"))
	require.NoError(t, err)
	require.NotEqual(t, first.UserCode, second.UserCode)
	codes.Storage = &unlucky{Storage: s, taken: taken, times: 5}
	_, err = codes.Begin(t.Context(), request("192.0.2.7"))
	require.Equal(t, identity.ReasonInternal, identity.ReasonOf(err), "it does not draw for ever")
}

func TestBeginIsBounded(t *testing.T) {
	codes, s := newCodes(t)
	codes.Storage = narrow{s}
	for range 2 {
		_, err := codes.Begin(t.Context(), request("192.0.2.7"))
		require.NoError(t, err)
	}
	_, err := codes.Begin(t.Context(), request("192.0.2.7"))
	require.Equal(t, identity.ReasonRateLimited, identity.ReasonOf(err))
}

// narrow is a real storage with little room.
type narrow struct{ device.Storage }

func (n narrow) AddDevice(ctx context.Context, r *device.Record, most device.Limits) error {
	most.Source = min(most.Source, 2)
	return n.Storage.AddDevice(ctx, r, most)
}

func TestEnterCountsWhatIsWrong(t *testing.T) {
	codes, s := newCodes(t)
	begun, err := codes.Begin(t.Context(), request("192.0.2.7"))
	require.NoError(t, err)
	alice := device.Person{Subject: "alice", From: netip.MustParseAddr("2001:db8::1"), RequestID: "r1"}
	found, err := codes.Enter(t.Context(), begun.UserCode, alice)
	require.NoError(t, err)
	require.Equal(t, "tv", found.ClientID)
	for i := range 10 {
		_, err = codes.Enter(t.Context(), "BBBB-BBBB", alice)
		require.ErrorIs(t, err, device.ErrNoCode, i)
	}
	_, err = codes.Enter(t.Context(), begun.UserCode, alice)
	require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
	bob := device.Person{Subject: "bob", From: netip.MustParseAddr("2001:db8::2")}
	_, err = codes.Enter(t.Context(), begun.UserCode, bob)
	require.NoError(t, err)

	events, err := s.ListEvents(t.Context(), store.EventQuery{Kind: "device_code_refused"})
	require.NoError(t, err)
	require.Len(t, events, 10, "what is locked is not counted")
	e := events[0]
	require.Equal(t, []any{"alice", "2001:db8::1", "r1", identity.ReasonInvalidToken}, []any{e.Subject, e.RemoteAddr, e.RequestID, e.Reason})
}

func TestJudgeSaysWhatTheClientIsTold(t *testing.T) {
	record := func(change func(*device.Record)) *device.Record {
		r := &device.Record{ClientID: "tv", State: device.Pending, ExpiresAt: noon().Add(time.Minute)}
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		change func(*device.Record)
		client string
		want   string
	}{
		"nobody has decided":                  {func(*device.Record) {}, "tv", "authorization_pending"},
		"allowed":                             {func(r *device.Record) { r.State = device.Allowed }, "tv", ""},
		"denied":                              {func(r *device.Record) { r.State = device.Denied }, "tv", "access_denied"},
		"redeemed":                            {func(r *device.Record) { r.State = device.Redeemed }, "tv", "invalid_grant"},
		"expired":                             {func(r *device.Record) { r.ExpiresAt = noon() }, "tv", "expired_token"},
		"allowed and expired":                 {func(r *device.Record) { r.State, r.ExpiresAt = device.Allowed, noon() }, "tv", "expired_token"},
		"another client":                      {func(*device.Record) {}, "other", "invalid_grant"},
		"another client learns of no refusal": {func(r *device.Record) { r.State = device.Denied }, "other", "invalid_grant"},
		"an unknown state":                    {func(r *device.Record) { r.State = "new" }, "tv", "authorization_pending"},
	} {
		require.Equal(t, c.want, record(c.change).Judge(c.client, noon()), name)
	}
}
