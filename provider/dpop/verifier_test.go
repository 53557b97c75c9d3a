package dpop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/dpop"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func openStore(t *testing.T, now *time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{
		DSN: storetest.SQLite(t), SealKey: make([]byte, 32), Now: func() time.Time { return *now },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newVerifier(t *testing.T, s *store.Store, now *time.Time, demand bool) *dpop.Verifier {
	t.Helper()
	v, err := dpop.NewVerifier(dpop.Options{
		Secret: make([]byte, 32), Remember: s.RememberOnce, Now: func() time.Time { return *now }, RequireNonce: demand,
	})
	require.NoError(t, err)
	return v
}

func TestAProofIsUsedOnce(t *testing.T) {
	now, m := moment, newMaker(t)
	v := newVerifier(t, openStore(t, &now), &now, false)
	proof := []string{m.make(t)}
	_, err := v.Verify(t.Context(), proof, request())
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), proof, request())
	require.ErrorIs(t, err, dpop.ErrInvalid)
	other := newMaker(t) // nobody uses up the ids of others
	_, err = v.Verify(t.Context(), []string{other.make(t)}, request())
	require.NoError(t, err)
}

func TestAnOutageIsNoJudgement(t *testing.T) {
	now := moment
	s := openStore(t, &now)
	v := newVerifier(t, s, &now, false)
	require.NoError(t, s.Close())
	_, err := v.Verify(t.Context(), []string{newMaker(t).make(t)}, request())
	require.Error(t, err)
	require.NotErrorIs(t, err, dpop.ErrInvalid)
}

func TestNoncesRotateWithoutBeingStored(t *testing.T) {
	now := time.Unix(1_800_000_000/120*120, 0) // the beginning of a window
	v := newVerifier(t, openStore(t, &now), &now, true)
	replica := newVerifier(t, openStore(t, &now), &now, true)
	first := v.Nonce()
	require.Equal(t, first, replica.Nonce())
	show := func(nonce string) error {
		m := newMaker(t)
		m.claims["iat"] = now.Unix()
		if nonce != "" {
			m.claims["nonce"] = nonce
		}
		_, err := replica.Verify(t.Context(), []string{m.make(t)}, request())
		return err
	}
	require.NoError(t, show(first))
	require.ErrorIs(t, show(""), dpop.ErrNonce)
	require.ErrorIs(t, show("made up"), dpop.ErrNonce)
	now = now.Add(3*time.Minute + 59*time.Second)
	require.NotEqual(t, first, v.Nonce())
	require.NoError(t, show(first), "the one before is good still")
	now = now.Add(time.Second)
	require.ErrorIs(t, show(first), dpop.ErrNonce)
	other, err := dpop.NewVerifier(dpop.Options{
		Secret: []byte("another provider's secret bytes!"), Remember: openStore(t, &now).RememberOnce, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	require.NotEqual(t, v.Nonce(), other.Nonce())
}

func TestANonceThatIsThereIsJudgedWhereNoneIsRequired(t *testing.T) {
	now, m := moment, newMaker(t)
	v := newVerifier(t, openStore(t, &now), &now, false)
	m.claims["nonce"] = "of yesterday"
	_, err := v.Verify(t.Context(), []string{m.make(t)}, request())
	require.ErrorIs(t, err, dpop.ErrNonce)
	m.claims["nonce"] = v.Nonce()
	_, err = v.Verify(t.Context(), []string{m.make(t)}, request())
	require.NoError(t, err)
}
