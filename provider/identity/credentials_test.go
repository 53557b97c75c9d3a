package identity_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func TestCredentialsHideTheirSecrets(t *testing.T) {
	t.Parallel()
	c := identity.Credentials{
		Directory: "default", Username: "alice-canary", Password: "password-canary",
		RemoteAddr: netip.MustParseAddr("192.0.2.1"), RequestID: "r1",
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("login", slog.Any("credentials", c))
	printed := fmt.Sprintf("%v %+v %#v %s", c, c, c, c)
	require.NotContains(t, log.String()+printed, "canary")
	require.Contains(t, log.String(), "192.0.2.1")
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	failure := identity.Fail(identity.ReasonLocked, cause)
	for _, tt := range []struct {
		name string
		err  error
		want identity.Reason
	}{
		{"no error has no reason", nil, ""},
		{"a failure has its own", failure, identity.ReasonLocked},
		{"a wrapped failure too", fmt.Errorf("wrapped: %w", failure), identity.ReasonLocked},
		{"any other error is internal", cause, identity.ReasonInternal},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, identity.ReasonOf(tt.err)) })
	}
	require.ErrorIs(t, failure, cause)
	require.Equal(t, "locked: cause", failure.Error())
	require.Equal(t, "locked", identity.Fail(identity.ReasonLocked, nil).Error())
	require.Len(t, identity.Reasons(), 13)
}
