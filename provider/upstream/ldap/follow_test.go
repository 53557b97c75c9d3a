package ldap_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

func known(p *upstream.Person) *upstream.Known {
	return &upstream.Known{Issuer: p.Issuer, Subject: p.Subject}
}

func TestFollowSaysWhatBecameOfSomebody(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	c := connect(t, options(s))
	p, err := verify(t, c, "alice", "alice-secret")
	require.NoError(t, err)
	who := known(p)

	s.Set(t, ldaptest.PersonDN("alice"), "mail", "new@corp.example")
	s.Delete(t, "cn=admins,ou=groups,"+ldaptest.Base)
	s.Set(t, ldaptest.PersonDN("alice"), "pwdReset", "TRUE")
	s.Set(t, ldaptest.PersonDN("alice"), "pwdAccountLockedTime", "20261101115900Z")
	p, err = c.Follow(t.Context(), who)
	require.NoError(t, err, "locked by guesses and told to change the password, they go on")
	require.Equal(t, "new@corp.example", p.Claims["email"])
	require.Equal(t, []any{"staff"}, p.Claims["groups"])
	require.True(t, p.AuthTime.IsZero(), "nobody signed in")

	s.Set(t, ldaptest.PersonDN("alice"), "pwdAccountLockedTime", "000001010000Z")
	_, err = c.Follow(t.Context(), who)
	require.Equal(t, upstream.Disabled, upstream.KindOf(err))

	s.Set(t, ldaptest.PersonDN("alice"), "pwdAccountLockedTime")
	_, err = c.Follow(t.Context(), who)
	require.NoError(t, err)

	s.Delete(t, ldaptest.PersonDN("alice"))
	_, err = c.Follow(t.Context(), who)
	require.Equal(t, upstream.Unknown, upstream.KindOf(err))
	s.AddPerson(t, "alice")
	_, err = c.Follow(t.Context(), who)
	require.Equal(t, upstream.Unknown, upstream.KindOf(err), "who has the name now is somebody else")

	s.Stop()
	_, err = c.Follow(t.Context(), who)
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "that says nothing about anybody")
}

func TestFollowAsksTheUserFilterToo(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	c := connect(t, options(s), func(o *ldap.Options) {
		o.UserFilter = "(&(uid={username})(memberOf=cn=staff,ou=groups," + ldaptest.Base + "))"
	})
	require.Equal(t, upstream.Unknown, kind(t, c, "carol", "carol-secret"), "carol is not of the staff")
	p, err := verify(t, c, "alice", "alice-secret")
	require.NoError(t, err)
	_, err = c.Follow(t.Context(), known(p))
	require.NoError(t, err)
	s.Set(t, "cn=staff,ou=groups,"+ldaptest.Base, "member", ldaptest.PersonDN("bob"))
	_, err = c.Follow(t.Context(), known(p))
	require.Equal(t, upstream.Unknown, upstream.KindOf(err), "who left the staff is out")
}

func TestFollowTakesNothingForAnAnswerThatIsNone(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	p, err := verify(t, connect(t, options(s)), "alice", "alice-secret")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		change func(*ldap.Options)
		who    upstream.Known
		want   upstream.Kind
	}{
		"a base that is not there":      {func(o *ldap.Options) { o.BaseDN = "dc=other,dc=example" }, *known(p), upstream.Unavailable},
		"a reader who is refused":       {func(o *ldap.Options) { o.BindPassword = "no" }, *known(p), upstream.Unavailable},
		"a person of another directory": {func(*ldap.Options) {}, upstream.Known{Issuer: "ldap:///dc=other", Subject: p.Subject}, upstream.Unknown},
		"a subject that is a filter":    {func(*ldap.Options) {}, upstream.Known{Issuer: p.Issuer, Subject: "*"}, upstream.Unknown},
		"a subject that is no GUID":     {func(o *ldap.Options) { o.Subject = "objectGUID" }, *known(p), upstream.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect(t, options(s), tc.change).Follow(t.Context(), &tc.who)
			require.Equal(t, tc.want, upstream.KindOf(err))
		})
	}
}
