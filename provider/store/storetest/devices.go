package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/device"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/usercode"
)

func deviceChecks() []check {
	return []check{
		{"every field of a device record comes back, with its grant", everyDeviceField},
		{"a user code is found while its device waits, and is nobody else's", userCodes},
		{"a client and an address have only so many open device codes", deviceLimits},
		{"a poll that comes too soon makes the interval longer for good", devicePolls},
		{"of 50 polls at once one is in time", devicePollRace},
		{"of 50 that redeem one device code one wins", deviceRace},
		{"of 50 that decide about one device one wins", deviceDecisionRace},
		{"a device code is not redeemed before it is allowed, when it expired, for another grant or after its revocation", deviceRefused},
		{"a device is not let in from a session that has ended", deviceOfEndedSession},
		{"a sweep deletes device codes that expired", sweepDevices},
	}
}

var everywhere = device.Limits{Client: 1000, Source: 1000}

// beginDevice stores a record of ten minutes, named after its user code.
func (f *fixture) beginDevice(t *testing.T, code usercode.Code) *device.Record {
	t.Helper()
	now := f.clock.now()
	r := &device.Record{
		Hash: hash(string(code)), UserCode: code, ClientID: "tv", Scopes: []string{"openid"}, RemoteAddr: "192.0.2.1", Source: "192.0.2.1",
		State: device.Pending, IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
	require.NoError(t, f.AddDevice(t.Context(), r, everywhere))
	return r
}

// allowance lets the device in with a new grant.
func (f *fixture) allowance(r *device.Record, id, subject string) *provider.Issue {
	now, h := f.clock.now(), provider.Hash(r.Hash)
	return &provider.Issue{
		GrantID: id, AllowDevice: &h,
		NewGrant: &provider.GrantRecord{ID: id, ClientID: r.ClientID, Subject: subject, Origin: "device", CreatedAt: now, ExpiresAt: r.ExpiresAt},
	}
}

func deviceRedemption(id string, r *device.Record) *provider.Issue {
	h := provider.Hash(r.Hash)
	return &provider.Issue{GrantID: id, RedeemDevice: &h, Extend: noon().Add(time.Hour)}
}

func everyDeviceField(t *testing.T, f *fixture) {
	var want provider.StoredDevice
	fill(t, &want.Device)
	fill(t, &want.Grant)
	want.Device.State, want.Device.GrantID, want.Device.ExpiresAt = device.Pending, "", noon().Add(time.Hour)
	require.NoError(t, f.AddDevice(t.Context(), &want.Device, everywhere))
	found, err := f.FindDevice(t.Context(), want.Device.UserCode)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want.Device, found))
	got, err := f.FindDeviceGrant(t.Context(), want.Device.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&provider.StoredDevice{Device: want.Device}, got), "before anybody allowed it")

	want.Grant.Subject, want.UserStatus = f.person(t, "alice"), identity.StatusActive
	h := provider.Hash(want.Device.Hash)
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{GrantID: want.Grant.ID, NewGrant: &want.Grant, AllowDevice: &h}))
	want.Device.State, want.Device.GrantID = device.Allowed, want.Grant.ID
	got, err = f.FindDeviceGrant(t.Context(), h)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	_, err = f.FindDeviceGrant(t.Context(), hash("nope"))
	require.Equal(t, identity.ErrNotFound, err)
}

func userCodes(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	twin := *r
	twin.Hash = hash("another device")
	require.Equal(t, identity.ErrConflict, f.AddDevice(t.Context(), &twin, everywhere))
	_, err := f.FindDevice(t.Context(), "CCCCCCCC")
	require.Equal(t, identity.ErrNotFound, err)
	require.NoError(t, f.DenyDevice(t.Context(), f.beginDevice(t, "DDDDDDDD").Hash, &identity.Event{Kind: "device_denied"}))
	_, err = f.FindDevice(t.Context(), "DDDDDDDD")
	require.Equal(t, identity.ErrNotFound, err, "it was denied")
	f.clock.advance(10 * time.Minute)
	_, err = f.FindDevice(t.Context(), "BBBBBBBB")
	require.Equal(t, identity.ErrNotFound, err, "it has expired")
}

func deviceLimits(t *testing.T, f *fixture) {
	add := func(code usercode.Code, client, source string) error {
		now := f.clock.now()
		return f.AddDevice(t.Context(), &device.Record{
			Hash: hash(string(code)), UserCode: code, ClientID: client, Source: source, State: device.Pending, IssuedAt: now, ExpiresAt: now.Add(time.Minute),
		}, device.Limits{Client: 2, Source: 3})
	}
	full := func(err error) {
		t.Helper()
		require.Equal(t, identity.ReasonRateLimited, identity.ReasonOf(err), "%v", err)
	}
	require.NoError(t, add("B", "one", "here"))
	require.NoError(t, add("C", "one", "here"))
	full(add("D", "one", "there"))
	require.NoError(t, add("D", "two", "here"))
	full(add("F", "three", "here"))
	require.NoError(t, add("F", "three", ""), "a source that is not known is not counted")
	r := &device.Record{Hash: hash("B"), ClientID: "one", ExpiresAt: f.clock.now().Add(time.Minute)}
	require.NoError(t, f.Issue(t.Context(), f.allowance(r, "g", "")))
	full(add("G", "one", "there"))
	require.NoError(t, f.Issue(t.Context(), deviceRedemption("g", r)))
	require.NoError(t, add("G", "one", "there"), "what was redeemed is not open")
	f.clock.advance(time.Minute)
	require.NoError(t, add("H", "one", "here"), "nor what has expired")
}

func devicePolls(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	for i, c := range []struct {
		after   time.Duration
		tooSoon bool
	}{{0, false}, {5 * time.Second, false}, {4500 * time.Millisecond, false}, {4499 * time.Millisecond, true}, {9 * time.Second, true}, {15 * time.Second, false}, {14 * time.Second, true}} {
		f.clock.advance(c.after)
		tooSoon, err := f.PollDevice(t.Context(), r.Hash, f.clock.now())
		require.NoError(t, err)
		require.Equal(t, c.tooSoon, tooSoon, i)
	}
	tooSoon, err := f.PollDevice(t.Context(), hash("nope"), f.clock.now())
	require.NoError(t, err)
	require.False(t, tooSoon)
}

func devicePollRace(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	soon := make([]bool, 50)
	for _, err := range parallel(50, func(i int) (err error) {
		soon[i], err = f.PollDevice(t.Context(), r.Hash, noon())
		return err
	}) {
		require.NoError(t, err)
	}
	inTime := 0
	for _, s := range soon {
		if !s {
			inTime++
		}
	}
	require.Equal(t, 1, inTime)
}

func deviceRace(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	require.NoError(t, f.Issue(t.Context(), f.allowance(r, "g", "")))
	errs := parallel(50, func(i int) error {
		x := deviceRedemption("g", r)
		x.Tokens = []provider.TokenRecord{{
			Hash: hash(fmt.Sprint("access", i)), GrantID: "g", Kind: provider.KindAccess, IssuedAt: noon(), ExpiresAt: noon().Add(time.Hour),
		}}
		return f.Issue(t.Context(), x)
	})
	won := 0
	for i, err := range errs {
		_, missing := f.FindToken(t.Context(), hash(fmt.Sprint("access", i)))
		if err == nil {
			won++
			require.NoError(t, missing)
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
		require.Equal(t, identity.ErrNotFound, missing)
	}
	require.Equal(t, 1, won)
	got, err := f.FindDeviceGrant(t.Context(), r.Hash)
	require.NoError(t, err)
	require.Equal(t, device.Redeemed, got.Device.State)
	require.Equal(t, noon().Add(time.Hour), got.Grant.ExpiresAt)
}

func deviceDecisionRace(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	won := -1
	for i, err := range parallel(50, func(i int) error {
		if i%2 == 0 {
			return f.DenyDevice(t.Context(), r.Hash, &identity.Event{Kind: "device_denied"})
		}
		return f.Issue(t.Context(), f.allowance(r, fmt.Sprint(i), ""))
	}) {
		if err == nil {
			require.Equal(t, -1, won, "one decision")
			won = i
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.NotEqual(t, -1, won)
	got, err := f.FindDeviceGrant(t.Context(), r.Hash)
	require.NoError(t, err)
	denials, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "device_denied"})
	require.NoError(t, err)
	if won%2 == 0 {
		require.Equal(t, device.Denied, got.Device.State)
		require.Len(t, denials, 1)
		return
	}
	require.Equal(t, device.Allowed, got.Device.State)
	require.Equal(t, fmt.Sprint(won), got.Device.GrantID)
	require.Empty(t, denials)
}

func deviceRefused(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	f.issueGrant(t, "other", "alice")
	require.ErrorIs(t, f.Issue(t.Context(), deviceRedemption("other", r)), identity.ErrConflict, "nobody has allowed it")
	require.NoError(t, f.Issue(t.Context(), f.allowance(r, "g", "alice")))
	require.ErrorIs(t, f.Issue(t.Context(), deviceRedemption("other", r)), identity.ErrConflict)
	require.ErrorIs(t, f.DenyDevice(t.Context(), r.Hash, &identity.Event{Kind: "device_denied"}), identity.ErrConflict, "it is decided")
	f.clock.advance(10 * time.Minute)
	require.ErrorIs(t, f.Issue(t.Context(), deviceRedemption("g", r)), identity.ErrConflict)
	late := f.beginDevice(t, "CCCCCCCC")
	f.clock.advance(10 * time.Minute)
	require.ErrorIs(t, f.Issue(t.Context(), f.allowance(late, "late", "alice")), identity.ErrConflict)
	require.ErrorIs(t, f.DenyDevice(t.Context(), late.Hash, &identity.Event{Kind: "device_denied"}), identity.ErrConflict)
	f.clock.advance(-15 * time.Minute)
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{Subject: "alice"})
	require.NoError(t, err)
	require.ErrorIs(t, f.Issue(t.Context(), deviceRedemption("g", r)), identity.ErrNotFound)
}

func deviceOfEndedSession(t *testing.T, f *fixture) {
	r, gone := f.beginDevice(t, "BBBBBBBB"), hash("cookie")
	x := f.allowance(r, "g", "")
	x.Browser = &gone
	require.ErrorIs(t, f.Issue(t.Context(), x), identity.ErrConflict)
	got, err := f.FindDeviceGrant(t.Context(), r.Hash)
	require.NoError(t, err)
	require.Equal(t, device.Pending, got.Device.State)
	require.Empty(t, got.Grant.ID)
}

func sweepDevices(t *testing.T, f *fixture) {
	r := f.beginDevice(t, "BBBBBBBB")
	f.clock.advance(10*time.Minute + time.Hour)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "for an hour a client is told that it has expired")
	f.clock.advance(time.Millisecond)
	n, err = f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = f.FindDeviceGrant(t.Context(), r.Hash)
	require.Equal(t, identity.ErrNotFound, err)
}
