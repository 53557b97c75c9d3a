package provider_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

func TestWhatWasJustReadIsForgottenInTime(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		other, err := provider.New(t.Context(), w.options) // another replica
		require.NoError(t, err)
		token := func(t *testing.T) string {
			t.Helper()
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			_, err = w.Inspect(t.Context(), g.AccessToken) // and it is remembered
			require.NoError(t, err)
			return g.AccessToken
		}
		t.Run("what this process revokes is dead at once", func(t *testing.T) {
			access := token(t)
			require.NoError(t, w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: access}))
			_, err := w.Inspect(t.Context(), access)
			require.ErrorIs(t, err, provider.ErrRevoked)
		})
		t.Run("a user disabled, deleted or changed in this process is so at once", func(t *testing.T) {
			people := w.Directory(w.store)
			for _, to := range []identity.Status{identity.StatusDisabled, identity.StatusDeleted} {
				access := token(t)
				require.Equal(t, "alice@example.com", w.userinfo(access).str("email"))
				require.NoError(t, people.SetStatus(t.Context(), w.alice, to))
				_, err := w.Inspect(t.Context(), access)
				require.ErrorIs(t, err, provider.ErrRevoked)
				require.NoError(t, people.SetStatus(t.Context(), w.alice, identity.StatusActive))
			}
			access := token(t)
			w.userinfo(access)
			_, err := people.SaveRecords(t.Context(), []identity.Record{{
				User:     identity.User{Subject: w.alice, Email: "new@example.com", LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}},
				Accounts: []identity.Account{{System: "faveo", ID: "7"}},
			}})
			require.NoError(t, err)
			require.Equal(t, "new@example.com", w.userinfo(access).str("email"))
		})
		t.Run("a client disabled or deleted in this process takes its tokens along at once", func(t *testing.T) {
			access := token(t)
			c, err := w.store.FindClient(t.Context(), legacyID)
			require.NoError(t, err)
			off := *c
			off.Disabled = true
			require.NoError(t, w.SaveClient(t.Context(), &off))
			_, err = w.Inspect(t.Context(), access)
			require.Equal(t, identity.ReasonInvalidToken, identity.ReasonOf(err))
			require.NoError(t, w.SaveClient(t.Context(), c))
			access = token(t)
			require.NoError(t, w.DeleteClient(t.Context(), legacyID))
			require.NoError(t, w.SaveClient(t.Context(), c))
			_, err = w.Inspect(t.Context(), access)
			require.ErrorIs(t, err, provider.ErrRevoked)
		})
		t.Run("what another replica revokes is dead within a second", func(t *testing.T) {
			access := token(t)
			require.NoError(t, other.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: access}))
			w.clock.add(time.Second)
			_, err := w.Inspect(t.Context(), access)
			require.ErrorIs(t, err, provider.ErrRevoked)
		})
		t.Run("what expires is dead at its second", func(t *testing.T) {
			access := token(t)
			w.clock.add(time.Hour)
			_, err := w.Inspect(t.Context(), access)
			require.Equal(t, identity.ReasonExpiredToken, identity.ReasonOf(err))
		})
		t.Run("a user disabled elsewhere is out within a second", func(t *testing.T) {
			access := token(t)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
			w.clock.add(time.Second)
			_, err := w.InspectGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: access})
			require.Error(t, err)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusActive))
		})
	})
}

// TestAReadThatARevocationOvertookIsNotKept lets many read while one revokes:
// whoever asks after the revocation was answered must see it.
func TestAReadThatARevocationOvertookIsNotKept(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for range 10 {
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			stop := make(chan struct{})
			var readers sync.WaitGroup
			for range 8 {
				readers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							_, _ = w.Inspect(t.Context(), g.AccessToken)
						}
					}
				})
			}
			err = w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: g.AccessToken})
			_, inspected := w.Inspect(t.Context(), g.AccessToken)
			close(stop)
			readers.Wait()
			require.NoError(t, err)
			require.ErrorIs(t, inspected, provider.ErrRevoked)
		}
	})
}
