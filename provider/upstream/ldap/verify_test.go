package ldap_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

// ways are all in which a password can be tried at slapd.
func ways() map[string]func(*ldap.Options) {
	return map[string]func(*ldap.Options){
		"search, then bind, over ldaps": func(*ldap.Options) {},
		"a DN template": func(o *ldap.Options) {
			o.BindDN, o.BindPassword, o.UserDN = "", "", "uid={username},ou=people,"+ldaptest.Base
		},
		"a DN template and a reader": func(o *ldap.Options) { o.UserDN = "uid={username},ou=people," + ldaptest.Base },
		"memberOf":                   func(o *ldap.Options) { o.Groups.From = "memberof" },
		"directly below a base": func(o *ldap.Options) {
			o.Scope, o.BaseDN, o.Groups.Base = "one", "ou=people,"+ldaptest.Base, ldaptest.Base
		},
	}
}

func TestEveryWayEndsAtTheSamePerson(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	first, err := verify(t, connect(t, options(s)), "alice", "alice-secret")
	require.NoError(t, err)
	for name, change := range ways() {
		t.Run(name, func(t *testing.T) {
			c := connect(t, options(s), change)
			p, err := verify(t, c, "alice", "alice-secret")
			require.NoError(t, err)
			require.Equal(t, first.Subject, p.Subject)
			require.Equal(t, first.Claims, p.Claims)
			require.Equal(t, upstream.Wrong, kind(t, c, "alice", "bob-secret"))
			require.Contains(t, []upstream.Kind{upstream.Unknown, upstream.Wrong}, kind(t, c, "nobody", "alice-secret"))
			require.Equal(t, upstream.Wrong, kind(t, c, "carol", "alice-secret"))
		})
	}
}

func TestOverStartTLS(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	o := options(s)
	o.Servers, o.Security.StartTLS = []string{s.URL}, true
	require.Empty(t, kind(t, connect(t, o), "alice", "alice-secret"))
	o.Security.CA = ldaptest.Authority(t, t.TempDir())
	require.Equal(t, upstream.Untrusted, kind(t, connect(t, o), "alice", "alice-secret"), "a certificate of a stranger's")
}

func TestInTheClearOnThisMachineAnonymously(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	o := options(s)
	o.Servers, o.Security, o.BindDN, o.BindPassword = []string{s.URL}, ldap.Security{}, "", ""
	require.Equal(t, upstream.Unavailable, kind(t, connect(t, o), "alice", "alice-secret"), "this directory shows itself to nobody unnamed")
}

// TestDexCVE202423656 is Dex dropping the TLS configuration it was given.
func TestDexCVE202423656WhatIsAskedOfTLSHolds(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	stranger := ldaptest.Authority(t, t.TempDir())
	for name, tc := range map[string]struct {
		server string
		change func(*ldap.Security)
	}{
		"another CA over ldaps":                {s.Secured, func(x *ldap.Security) { x.CA = stranger }},
		"another CA over StartTLS":             {s.URL, func(x *ldap.Security) { x.CA, x.StartTLS = stranger, true }},
		"another name over ldaps":              {s.Secured, func(x *ldap.Security) { x.ServerName = "ldap.corp.example" }},
		"another name over StartTLS":           {s.URL, func(x *ldap.Security) { x.ServerName, x.StartTLS = "ldap.corp.example", true }},
		"the CAs of the system over ldaps":     {s.Secured, func(x *ldap.Security) { x.CA = nil }},
		"insecure does not mean any CA":        {s.Secured, func(x *ldap.Security) { x.CA, x.Insecure = stranger, true }},
		"insecure does not mean any StartTLS":  {s.URL, func(x *ldap.Security) { x.CA, x.StartTLS, x.Insecure = stranger, true, true }},
		"a server that does not speak TLS":     {strings.Replace(s.URL, "ldap:", "ldaps:", 1), func(*ldap.Security) {}},
		"StartTLS at a server that has it not": {"ldap://" + plainServer(t), func(x *ldap.Security) { x.StartTLS = true }},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(s)
			o.Servers = []string{tc.server}
			tc.change(&o.Security)
			k := kind(t, connect(t, o), "alice", "alice-secret")
			require.Contains(t, []upstream.Kind{upstream.Untrusted, upstream.Unavailable}, k)
		})
	}
}

func TestADirectoryTellsItsRefusalsApart(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	for _, name := range []string{"locked", "banned", "reset", "expired", "shadow", "guessed"} {
		s.AddPerson(t, name)
	}
	s.Set(t, ldaptest.PersonDN("banned"), "pwdAccountLockedTime", "000001010000Z")
	s.Set(t, ldaptest.PersonDN("reset"), "pwdReset", "TRUE")
	s.Set(t, ldaptest.PersonDN("shadow"), "objectClass", "inetOrgPerson", "shadowAccount")
	s.Set(t, ldaptest.PersonDN("shadow"), "shadowExpire", "20000") // 2024
	c := connect(t, options(s))
	for range 5 {
		require.Equal(t, upstream.Wrong, kind(t, c, "guessed", "no"))
	}
	for _, tc := range []struct {
		name, password string
		want           upstream.Kind
	}{
		{"guessed", "guessed-secret", upstream.Locked},
		{"guessed", "no", upstream.Locked},
		{"banned", "banned-secret", upstream.Disabled},
		{"reset", "reset-secret", upstream.Expired},
		{"reset", "no", upstream.Wrong},
		{"shadow", "shadow-secret", upstream.Disabled},
		{"shadow", "no", upstream.Wrong},
		{"nobody", "no", upstream.Unknown},
	} {
		require.Equal(t, tc.want, kind(t, c, tc.name, tc.password), "%s %s", tc.name, tc.password)
	}
	s.Set(t, "cn=policy,"+ldaptest.Base, "pwdMaxAge", "1")
	s.Set(t, ldaptest.PersonDN("expired"), "userPassword", "another")
	require.Eventually(t, func() bool { return kind(t, c, "expired", "another") == upstream.Expired }, patience, tick)
}

// TestAttack23 is what somebody types to be taken for somebody else. The server
// says yes to a bind without a password.
func TestAttack23NamesAndPasswordsThatMeanMoreThanTheySay(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	for name, change := range ways() {
		t.Run(name, func(t *testing.T) {
			c := connect(t, options(s), change)
			for _, typed := range []string{
				"*", "al*", "alice)(uid=*", ")(", "*)(uid=*))(|(uid=*", "alice\x00", "\x00", "ali\\63e", `\61lice`, "", "alice\n", "a\u200blice",
				"alice,ou=people", "alice+cn=x", "#alice", " alice", "alice ", "ａlice", "\xff", "<alice>", `"alice"`, "uid=alice,ou=people," + ldaptest.Base,
				strings.Repeat("a", 300), "nobody)(|(uid=alice", "alice;x", "alice=x",
			} {
				require.Contains(t, []upstream.Kind{upstream.Unknown, upstream.Wrong}, kind(t, c, typed, "alice-secret"), "%q", typed)
			}
			require.Equal(t, upstream.Wrong, kind(t, c, "alice", ""), "an empty password")
			require.Equal(t, upstream.Wrong, kind(t, c, "alice", strings.Repeat("a", 4000)))
			require.Empty(t, kind(t, c, "alice", "alice-secret"))
		})
	}
}

// TestCVE202644671 is ZITADEL putting login names into filters as they came.
func TestCVE202644671FilterInjection(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	odd := []string{"star*", "par(en)", `back\slash`, "com,ma", "plus+equals=", `quo"te`, "ünïcode", "semi;<>", "two words"}
	for _, name := range odd {
		s.AddPerson(t, name)
	}
	for way, change := range ways() {
		c := connect(t, options(s), change)
		for _, name := range odd {
			p, err := verify(t, c, name, name+"-secret")
			require.NoError(t, err, "%s: %q", way, name)
			require.Equal(t, name, p.Claims["uid"], "the name is a name, whatever is in it")
			require.NotContains(t, []upstream.Kind{""}, kind(t, c, name, "alice-secret"))
		}
	}
}

func TestANameThatTwoEntriesHaveIsNobodys(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	s.Add(t, "cn=second,"+ldaptest.Base, ldaptest.Entry{
		"objectClass": {"inetOrgPerson"}, "sn": {"Second"}, "uid": {"alice"}, "userPassword": {"alice-secret"},
	})
	require.Equal(t, upstream.Refused, kind(t, connect(t, options(s)), "alice", "alice-secret"))
	require.Empty(t, kind(t, connect(t, options(s)), "bob", "bob-secret"))
	everybody := func(o *ldap.Options) { o.UserFilter = "(|(uid={username})(objectClass=inetOrgPerson))" }
	require.Equal(t, upstream.Refused, kind(t, connect(t, options(s), everybody), "bob", "bob-secret"), "far more than are asked for")
}

func TestWhatAnEntryHasTooMuchOrTooLittleOf(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprintf("number %d", i))
	}
	s.Set(t, ldaptest.PersonDN("bob"), "description", many...)
	s.Set(t, ldaptest.PersonDN("alice"), "jpegPhoto", strings.Repeat("\xff", 9000), "\xff\x00small")
	s.Set(t, ldaptest.PersonDN("alice"), "title", "Dr.", "Prof.")
	wants := func(names ...string) func(*ldap.Options) { return func(o *ldap.Options) { o.Attributes = names } }

	require.Equal(t, upstream.Disabled, kind(t, connect(t, options(s), wants("description")), "bob", "bob-secret"))
	p, err := verify(t, connect(t, options(s), wants("jpegPhoto", "title", "pager")), "alice", "alice-secret")
	require.NoError(t, err)
	delete(p.Claims, "groups")
	require.Equal(t, map[string]any{"jpegPhoto": "/wBzbWFsbA==", "title": []any{"Dr.", "Prof."}, "dn": ldaptest.PersonDN("alice")}, p.Claims)

	bySubject := func(o *ldap.Options) { o.Subject = "title" }
	require.Equal(t, upstream.Disabled, kind(t, connect(t, options(s), bySubject), "alice", "alice-secret"), "two subjects")
	require.Equal(t, upstream.Disabled, kind(t, connect(t, options(s), bySubject), "bob", "bob-secret"), "no subject")
	few := func(o *ldap.Options) { o.Groups.Max = 1 }
	for _, from := range []string{"search", "memberof"} {
		c := connect(t, options(s), few, func(o *ldap.Options) { o.Groups.From = from })
		require.Equal(t, upstream.Disabled, kind(t, c, "alice", "alice-secret"), "more groups than may be")
		require.Empty(t, kind(t, c, "carol", "carol-secret"))
	}
}

func TestGroupsElsewhereDoNotCount(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	s.Add(t, "cn=admins,"+ldaptest.PersonDN("bob"), ldaptest.Entry{"objectClass": {"groupOfNames"}, "member": {ldaptest.PersonDN("bob")}})
	s.Add(t, "cn=posix,ou=groups,"+ldaptest.Base, ldaptest.Entry{"objectClass": {"posixGroup"}, "gidNumber": {"7"}, "memberUid": {"bob"}})
	for from, want := range map[string][]any{"search": {"posix", "staff"}, "memberof": {"staff"}} {
		c := connect(t, options(s), func(o *ldap.Options) { o.Groups.From, o.Groups.Base = from, "ou=groups,"+ldaptest.Base })
		p, err := verify(t, c, "bob", "bob-secret")
		require.NoError(t, err)
		require.Equal(t, want, p.Claims["groups"], from)
	}
	byDN := connect(t, options(s), func(o *ldap.Options) { o.Groups.Name, o.Groups.Base = "dn", "ou=groups,"+ldaptest.Base })
	p, err := verify(t, byDN, "alice", "alice-secret")
	require.NoError(t, err)
	require.Equal(t, []any{"cn=admins,ou=groups," + ldaptest.Base, "cn=staff,ou=groups," + ldaptest.Base}, p.Claims["groups"])
}

func TestManyAtOnceGetTheirOwnAnswers(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	c := connect(t, options(s), func(o *ldap.Options) { o.Connections = 4 })
	var all sync.WaitGroup
	got := make([]string, 120)
	for i := range got {
		name := []string{"alice", "bob", "carol"}[i%3]
		all.Go(func() {
			if p, err := verify(t, c, name, name+"-secret"); err == nil {
				got[i], _ = p.Claims["uid"].(string)
			}
		})
	}
	all.Wait()
	for i, uid := range got {
		require.Equal(t, []string{"alice", "bob", "carol"}[i%3], uid)
	}
}
