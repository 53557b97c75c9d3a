package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func testStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{
		DSN: filepath.Join(t.TempDir(), "keyway.db"),
		Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// stall keeps the writer busy until the returned function is called, so that what
// is written meanwhile shares the next transaction.
func stall(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.write(context.Background(), func(context.Context, *session) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return func() {
		close(end)
		require.NoError(t, <-done)
	}
}

// queued starts a write and returns when it waits.
func queued(s *Store, ctx context.Context, fn writeFunc) <-chan error { //nolint:revive // reads in this order
	done, waiting := make(chan error, 1), len(s.backend.(*lite).writer.jobs)
	go func() { done <- s.write(ctx, fn) }()
	for len(s.backend.(*lite).writer.jobs) == waiting {
		time.Sleep(time.Millisecond)
	}
	return done
}

func addRow(name string) writeFunc {
	return func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `INSERT INTO oauth_client (id, body) VALUES ($1, '')`, name)
		return err
	}
}

func rowNames(t *testing.T, s *Store) (names []string) {
	t.Helper()
	require.NoError(t, s.readRows(t.Context(), `SELECT id FROM oauth_client ORDER BY id`, nil, func(scan scanFunc) error {
		var n string
		err := scan(&n)
		names = append(names, n)
		return err
	}))
	return names
}

func TestWriter(t *testing.T) {
	t.Run("a write that fails after a change does not take its neighbours along", func(t *testing.T) {
		s := testStore(t)
		wrong, runs := errors.New("wrong"), 0
		release := stall(t, s)
		a := queued(s, t.Context(), addRow("a"))
		b := queued(s, t.Context(), func(ctx context.Context, tx *session) error {
			runs++
			if err := addRow("b")(ctx, tx); err != nil {
				return err
			}
			return wrong
		})
		c := queued(s, t.Context(), addRow("c"))
		release()
		require.NoError(t, <-a)
		require.ErrorIs(t, <-b, wrong)
		require.NoError(t, <-c)
		require.Equal(t, 2, runs, "once with the others and once alone")
		require.Equal(t, []string{"a", "c"}, rowNames(t, s))
	})
	t.Run("a lost compare-and-set is answered without running the others again", func(t *testing.T) {
		s := testStore(t)
		runs := 0
		release := stall(t, s)
		a := queued(s, t.Context(), func(ctx context.Context, tx *session) error {
			runs++
			return addRow("a")(ctx, tx)
		})
		b := queued(s, t.Context(), func(context.Context, *session) error { return identity.ErrConflict })
		release()
		require.NoError(t, <-a)
		require.Equal(t, identity.ErrConflict, <-b)
		require.Equal(t, 1, runs)
	})
	t.Run("a caller that leaves before its turn is left out, one that leaves later is not", func(t *testing.T) {
		s := testStore(t)
		release := stall(t, s)
		gone, cancel := context.WithCancel(t.Context())
		left := queued(s, gone, addRow("left"))
		cancel()
		err := <-left
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))

		later, cancelLater := context.WithCancel(t.Context())
		stays := queued(s, later, func(ctx context.Context, tx *session) error {
			cancelLater()
			if ctx.Err() != nil {
				return errors.New("the write ends with its caller")
			}
			return addRow("stays")(ctx, tx)
		})
		release()
		require.NoError(t, <-stays)
		require.Equal(t, []string{"stays"}, rowNames(t, s))
	})
	t.Run("closing answers what is queued", func(t *testing.T) {
		s := testStore(t)
		release := stall(t, s)
		waits := queued(s, t.Context(), addRow("a"))
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		release()
		require.NoError(t, <-closed)
		if err := <-waits; err != nil {
			require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		}
		require.ErrorIs(t, s.write(t.Context(), addRow("b")), errClosed)
	})
	t.Run("more writes than a batch holds are all answered", func(t *testing.T) {
		s := testStore(t)
		release := stall(t, s)
		var waits []<-chan error
		for i := range batchMax {
			waits = append(waits, queued(s, t.Context(), addRow(fmt.Sprintf("%03d", i))))
		}
		more := make(chan error, 50)
		for i := range cap(more) {
			go func() { more <- s.write(t.Context(), addRow(fmt.Sprintf("m%02d", i))) }()
		}
		release()
		for _, w := range waits {
			require.NoError(t, <-w)
		}
		for range cap(more) {
			require.NoError(t, <-more)
		}
		require.Len(t, rowNames(t, s), batchMax+cap(more))
	})
}

func TestSealer(t *testing.T) {
	s, err := newSealer(make([]byte, 32))
	require.NoError(t, err)
	sealed, err := s.seal([]byte("secret"), sealBinding("a"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "secret")
	plain, err := s.open(sealed, sealBinding("a"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))

	t.Run("a value moved to another row does not open", func(t *testing.T) {
		_, err := s.open(sealed, sealBinding("b"))
		require.ErrorContains(t, err, "signing_key|b")
	})
	t.Run("a changed or cut value does not open", func(t *testing.T) {
		for i := range sealed {
			bad := append([]byte(nil), sealed...)
			bad[i] ^= 1
			_, err := s.open(bad, sealBinding("a"))
			require.Error(t, err)
			_, err = s.open(sealed[:i], sealBinding("a"))
			require.Error(t, err)
		}
	})
	t.Run("equal values do not look equal", func(t *testing.T) {
		again, err := s.seal([]byte("secret"), sealBinding("a"))
		require.NoError(t, err)
		require.NotEqual(t, sealed, again)
	})
}

func FuzzTexts(f *testing.F) {
	for _, s := range []string{"alice", "a\x00b", "\xff\xfe", "%_!'\"", "ẞ", ""} {
		f.Add(s)
	}
	s, err := Open(f.Context(), Options{DSN: filepath.Join(f.TempDir(), "keyway.db"), Now: func() time.Time { return time.Unix(1, 0) }})
	require.NoError(f, err)
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		_, err := s.FindLogin(t.Context(), text, text)
		require.ErrorIs(t, err, identity.ErrNotFound)
		_, err = s.ListUsers(t.Context(), text, "", 10)
		require.NoError(t, err)
		err = s.RememberOnce(t.Context(), text, text, time.Unix(2, 0))
		require.True(t, err == nil || errors.Is(err, identity.ErrConflict))
		require.NoError(t, s.RecordFailure(t.Context(), []string{text}, identity.Event{Kind: text}))
	})
}

func TestNewestIsTheLastMigration(t *testing.T) {
	files, err := migrations.ReadDir("migrations")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%05d", newest), files[len(files)-1].Name()[:5])
}
