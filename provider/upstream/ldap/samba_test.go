//go:build upstreams

package ldap_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

const right = "Right-Passw0rd"

func domain(s *ldaptest.Samba) ldap.Options {
	return ldap.Options{
		Issuer: "urn:corp", Preset: "ad", Servers: []string{s.Secured}, Security: ldap.Security{CA: s.CA},
		BindDN: ldaptest.Administrator, BindPassword: s.AdministratorPassword(), BaseDN: ldaptest.DomainBase, Domain: "corp",
		Now: time.Now,
	}
}

func TestWithSambaEveryNameLeadsToTheSamePerson(t *testing.T) {
	s := ldaptest.StartSamba(t)
	s.AddUser(t, "alice", right, ldaptest.Entry{
		"mail": {"alice@corp.example"}, "displayName": {"Alice Example"}, "userPrincipalName": {"a.example@people.corp.example"},
	})
	s.AddGroup(t, "helpdesk", ldaptest.UserDN("alice"))
	s.AddGroup(t, "staff", ldaptest.UserDN("helpdesk"))
	s.AddGroup(t, "everybody", ldaptest.UserDN("staff"))

	c := connect(t, domain(s))
	p, err := verify(t, c, "alice", right)
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, p.Subject, "a GUID is of version 4 when its bytes are put right")
	require.Equal(t, []any{"everybody", "helpdesk", "staff"}, p.Claims["groups"])
	require.Equal(t, "alice", p.Claims["preferred_username"])
	require.Equal(t, "Alice Example", p.Claims["name"])
	for _, name := range []string{"ALICE", `CORP\alice`, `corp\Alice`, "a.example@people.corp.example"} {
		again, err := verify(t, c, name, right)
		require.NoError(t, err, name)
		require.Equal(t, p.Subject, again.Subject, name)
	}
	for _, name := range []string{`OTHER\alice`, "alice@other.example", `CORP\*`, "a*", "*", ldaptest.UserDN("alice"), "alice)(objectClass=*", "alice\x00"} {
		require.Equal(t, upstream.Unknown, kind(t, c, name, right), "%q", name)
	}
	require.Equal(t, upstream.Wrong, kind(t, c, "alice", ""))

	for way, change := range map[string]func(*ldap.Options){
		"as name@domain":   func(o *ldap.Options) { o.UserDN, o.BindDN, o.BindPassword = "{username}@corp.example", "", "" },
		`as DOMAIN\name`:   func(o *ldap.Options) { o.UserDN, o.BindDN, o.BindPassword = `CORP\{username}`, "", "" },
		"as a DN":          func(o *ldap.Options) { o.UserDN = "CN={username},CN=Users," + ldaptest.DomainBase },
		"over StartTLS":    func(o *ldap.Options) { o.Servers, o.Security.StartTLS = []string{s.URL}, true },
		"in the clear":     func(o *ldap.Options) { o.Servers, o.Security = []string{s.URL}, ldap.Security{} },
		"groups by member": func(o *ldap.Options) { o.Groups.From = "memberof" },
	} {
		t.Run(way, func(t *testing.T) {
			c := connect(t, domain(s), change)
			again, err := verify(t, c, "alice", right)
			require.NoError(t, err)
			require.Equal(t, p.Subject, again.Subject)
			require.Equal(t, upstream.Wrong, kind(t, c, "alice", "no"))
		})
	}
}

func TestWithSambaItsRefusalsAreToldApart(t *testing.T) {
	s := ldaptest.StartSamba(t)
	s.Set(t, ldaptest.DomainBase, "lockoutThreshold", "3")
	s.AddUser(t, "alice", right, nil)
	s.AddUser(t, "disabled", right, ldaptest.Entry{"userAccountControl": {"514"}})
	s.AddUser(t, "left", right, ldaptest.Entry{"accountExpires": {"132000000000000000"}}) // 2019
	s.AddUser(t, "new", right, ldaptest.Entry{"pwdLastSet": {"0"}})
	s.AddUser(t, "guessed", right, nil)
	s.AddUser(t, "day", right, ldaptest.Entry{"logonHours": {string(make([]byte, 21))}})
	for way, change := range map[string]func(*ldap.Options){
		"search, then bind": func(*ldap.Options) {},
		"bind by name":      func(o *ldap.Options) { o.UserDN = "{username}@corp.example" },
	} {
		t.Run(way, func(t *testing.T) {
			c := connect(t, domain(s), change)
			for range 4 {
				kind(t, c, "guessed", "no")
			}
			for _, tc := range []struct {
				name, password string
				want           upstream.Kind
			}{
				{"alice", right, ""},
				{"alice", "no", upstream.Wrong},
				{"disabled", right, upstream.Disabled},
				{"left", right, upstream.Disabled},
				{"new", right, upstream.Expired},
				{"new", "no", upstream.Wrong},
				{"guessed", right, upstream.Locked},
				{"day", right, upstream.Refused},
			} {
				require.Equal(t, tc.want, kind(t, c, tc.name, tc.password), "%s %s", tc.name, tc.password)
			}
			require.Contains(t, []upstream.Kind{upstream.Unknown, upstream.Wrong}, kind(t, c, "nobody", right))
		})
	}
}

func TestWithSambaFollowSaysWhatBecameOfSomebody(t *testing.T) {
	s := ldaptest.StartSamba(t)
	s.AddUser(t, "alice", right, nil)
	s.AddGroup(t, "staff", ldaptest.UserDN("alice"))
	c := connect(t, domain(s))
	p, err := verify(t, c, "alice", right)
	require.NoError(t, err)
	s.Set(t, ldaptest.UserDN("alice"), "pwdLastSet", "0")
	s.Set(t, ldaptest.UserDN("staff"), "member")
	s.Set(t, ldaptest.UserDN("alice"), "sAMAccountName", "alice-renamed")
	again, err := c.Follow(t.Context(), known(p))
	require.NoError(t, err)
	require.Equal(t, p.Subject, again.Subject)
	require.Empty(t, again.Claims["groups"])
	require.Equal(t, "alice-renamed", again.Claims["preferred_username"])
	s.Set(t, ldaptest.UserDN("alice"), "userAccountControl", "514")
	_, err = c.Follow(t.Context(), known(p))
	require.Equal(t, upstream.Disabled, upstream.KindOf(err))
	s.Delete(t, ldaptest.UserDN("alice"))
	s.AddUser(t, "alice", right, nil)
	_, err = c.Follow(t.Context(), known(p))
	require.Equal(t, upstream.Unknown, upstream.KindOf(err))
}
