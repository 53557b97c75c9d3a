package ldap_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// options are those of a connector that finds entries as the reader.
func options(s *ldaptest.Slapd) ldap.Options {
	return ldap.Options{
		Issuer: "urn:corp", Preset: "openldap", Servers: []string{s.Secured}, Security: ldap.Security{CA: s.CA}, BaseDN: ldaptest.Base,
		BindDN: ldaptest.Reader, BindPassword: ldaptest.ReaderPassword, Timeout: 5 * time.Second,
		Now: func() time.Time { return noon },
	}
}

func connect(t testing.TB, o ldap.Options, change ...func(*ldap.Options)) *ldap.Connector {
	t.Helper()
	for _, f := range change {
		f(&o)
	}
	c, err := ldap.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func verify(t testing.TB, c *ldap.Connector, name, password string) (*upstream.Person, error) {
	t.Helper()
	return c.Verify(t.Context(), &upstream.Login{Username: name, Password: password})
}

// kind is "" for a yes.
func kind(t testing.TB, c *ldap.Connector, name, password string) upstream.Kind {
	t.Helper()
	_, err := verify(t, c, name, password)
	if err == nil {
		return ""
	}
	return upstream.KindOf(err)
}

func TestWhoSignsInIsTheirEntry(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	p, err := verify(t, connect(t, options(s)), "alice", "alice-secret")
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f-]{36}$`, p.Subject)
	want := &upstream.Person{
		Issuer: "urn:corp", AuthTime: noon, AMR: []string{"pwd"},
		Claims: map[string]any{
			"uid": "alice", "cn": "alice Example", "sn": "Example", "givenName": "alice", "mail": "mail-of-616c696365@corp.example",
			"preferred_username": "alice", "name": "alice Example", "family_name": "Example", "given_name": "alice",
			"email": "mail-of-616c696365@corp.example", "dn": "uid=alice,ou=people,dc=corp,dc=example", "groups": []any{"admins", "staff"},
		},
	}
	require.Empty(t, cmp.Diff(want, p, cmpopts.IgnoreFields(upstream.Person{}, "Subject")))
}
