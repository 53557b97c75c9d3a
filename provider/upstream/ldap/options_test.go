package ldap_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream/ldap"
)

func TestOptionsThatDoNotGoTogether(t *testing.T) {
	whole := func() ldap.Options {
		return ldap.Options{
			Issuer: "urn:corp", Servers: []string{"ldaps://ldap.corp.example"}, BaseDN: "dc=corp,dc=example", UserFilter: "(uid={username})", Now: time.Now,
		}
	}
	_, err := ldap.New(whole())
	require.NoError(t, err)
	for want, change := range map[string]func(*ldap.Options){
		"in the clear":                       func(o *ldap.Options) { o.Servers = []string{"ldap://ldap.corp.example"} },
		"StartTLS is for ldap":               func(o *ldap.Options) { o.Security.StartTLS = true },
		"must be ldap or ldaps":              func(o *ldap.Options) { o.Servers = []string{"ldapi://x"} },
		"must be ldap://HOST:PORT":           func(o *ldap.Options) { o.Servers = []string{"ldaps://user@x"} },
		"has no certificate":                 func(o *ldap.Options) { o.Security.CA = []byte("nonsense") },
		"servers, base DN and clock":         func(o *ldap.Options) { o.Servers = nil },
		"without a password":                 func(o *ldap.Options) { o.BindDN = "cn=x" },
		"is not a DN":                        func(o *ldap.Options) { o.BaseDN = "corp" },
		"is not the name of an attribute":    func(o *ldap.Options) { o.Attributes = []string{"a)(b"} },
		"the scope must be sub or one":       func(o *ldap.Options) { o.Scope = "base" },
		"must have {username}":               func(o *ldap.Options) { o.UserFilter = "(uid=alice)" },
		"not behind a matching rule":         func(o *ldap.Options) { o.UserFilter = "(uid:caseExactMatch:={username})" },
		"user filter: ":                      func(o *ldap.Options) { o.UserFilter = "(uid={username}" },
		"the user DN must have {username}":   func(o *ldap.Options) { o.UserDN = "uid=x" },
		"user DN: ":                          func(o *ldap.Options) { o.UserDN = "uid={username},people" },
		"a user filter is needed":            func(o *ldap.Options) { o.UserFilter, o.UserDN = "", "{username}@corp.example" },
		`preset "novell" is not known`:       func(o *ldap.Options) { o.Preset = "novell" },
		`groups from "somewhere"`:            func(o *ldap.Options) { o.Groups.From = "somewhere" },
		"group filter: ":                     func(o *ldap.Options) { o.Groups.From, o.Groups.Filter = "search", "(member={dn}" },
		"the group filter is of everybody":   func(o *ldap.Options) { o.Groups.From, o.Groups.Filter = "search", "(member=*)" },
		"times and numbers must not be nega": func(o *ldap.Options) { o.Timeout = -1 },
	} {
		o := whole()
		change(&o)
		_, err := ldap.New(o)
		require.ErrorContains(t, err, want)
	}
	for _, server := range []string{"ldap://127.0.0.1", "ldap://[::1]:3389", "ldap://localhost"} {
		o := whole()
		o.Servers = []string{server}
		_, err := ldap.New(o)
		require.NoError(t, err, "on this machine")
	}
}

func TestWithoutAReaderNobodyIsFollowedWhereADNIsATemplate(t *testing.T) {
	o := ldap.Options{Issuer: "urn:corp", Servers: []string{"ldaps://x"}, BaseDN: "dc=corp", UserDN: "uid={username},dc=corp", Now: time.Now}
	c, err := ldap.New(o)
	require.NoError(t, err)
	require.False(t, c.Follows())
	o.BindDN, o.BindPassword = "cn=reader", "secret"
	c, err = ldap.New(o)
	require.NoError(t, err)
	require.True(t, c.Follows())
}
