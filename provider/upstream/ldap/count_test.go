package ldap_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

// TestARefusalSaysOfWhom lets guesses at one person by many names count as one.
func TestARefusalSaysOfWhom(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	c := connect(t, options(s), func(o *ldap.Options) { o.UserFilter = "(|(uid={username})(mail={username}))" })
	p, err := verify(t, c, "alice", "alice-secret")
	require.NoError(t, err)
	for _, name := range []string{"alice", "ALICE", "mail-of-616c696365@corp.example"} {
		_, err := verify(t, c, name, "no")
		var refused *upstream.Error
		require.True(t, errors.As(err, &refused))
		require.Equal(t, upstream.Error{Kind: upstream.Wrong, Err: refused.Err, Issuer: p.Issuer, Subject: p.Subject}, *refused, name)
	}
}
