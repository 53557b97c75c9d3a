package keys_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/keys"
)

// memory is keys that live nowhere else; what is stored is tested in storetest.
type memory struct{ records []keys.Record }

func (m *memory) ListKeys(context.Context) ([]keys.Record, error) { return m.records, nil }

func (m *memory) UpdateKeys(_ context.Context, change func([]keys.Record) ([]keys.Record, error)) (err error) {
	m.records, err = change(m.records)
	return err
}

func newRing(tb testing.TB) *keys.Ring {
	tb.Helper()
	from := &keys.Source{
		Storage: &memory{}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) },
	}
	require.NoError(tb, from.Policy.Complete())
	r := &keys.Ring{}
	require.ErrorIs(tb, r.Ready(), keys.ErrNoKey)
	require.NoError(tb, r.Reload(tb.Context(), from, false))
	require.NoError(tb, r.Ready())
	return r
}

func TestSignedTokensAreVerified(t *testing.T) {
	r := newRing(t)
	for _, alg := range keys.Algorithms() {
		for _, typ := range []string{"JWT", "at+jwt", "logout+jwt"} {
			token, err := r.Sign(alg, typ, map[string]any{"sub": "alice"})
			require.NoError(t, err)
			signed, err := r.Verify(token)
			require.NoError(t, err)
			require.Equal(t, typ, signed.Type)
			require.JSONEq(t, `{"sub":"alice"}`, string(signed.Payload))
			_, err = newRing(t).Verify(token)
			require.ErrorIs(t, err, keys.ErrNoKey, "another ring has another key")
		}
	}
	_, err := r.Sign("HS256", "JWT", nil)
	require.ErrorIs(t, err, keys.ErrNoKey)
}

func FuzzVerify(f *testing.F) {
	r := newRing(f)
	token, err := r.Sign(keys.ES256, "JWT", map[string]any{"sub": "alice"})
	require.NoError(f, err)
	f.Add(token + "x")
	f.Add("a.b.c")
	f.Add("\x00\xff")
	f.Fuzz(func(t *testing.T, presented string) {
		for _, form := range []string{presented, presented + ".e30."} {
			if s, err := r.Verify(form); err == nil && string(s.Payload) != `{"sub":"alice"}` {
				t.Fatalf("a token that nobody signed passed: %q", s.Payload)
			}
		}
	})
}
