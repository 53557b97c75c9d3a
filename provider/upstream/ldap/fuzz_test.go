package ldap_test

import (
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
)

const diagnostic = "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v3839"

func TestActiveDirectorySaysWhyInHexadecimal(t *testing.T) {
	for code, want := range map[string]upstream.Kind{
		"525": upstream.Unknown, "52e": upstream.Wrong, "530": upstream.Refused, "531": upstream.Refused, "532": upstream.Expired,
		"533": upstream.Disabled, "534": upstream.Refused, "701": upstream.Disabled, "773": upstream.Expired, "775": upstream.Locked,
		"0": upstream.Wrong, "5330": upstream.Wrong, "": upstream.Wrong, "zzz": upstream.Wrong, "-1": upstream.Wrong,
	} {
		kind, _ := ldap.JudgeAD(strings.Replace(diagnostic, "52e", code, 1))
		require.Equal(t, want, kind, code)
	}
	for _, text := range []string{"", "data 533", "data 533,", strings.Repeat("x", 600) + diagnostic, "invalid credentials"} {
		kind, detail := ldap.JudgeAD(text)
		require.Equal(t, upstream.Wrong, kind, text)
		require.Empty(t, detail)
	}
}

func FuzzDiagnostic(f *testing.F) {
	f.Add(diagnostic)
	f.Add(strings.Replace(diagnostic, "52e", "775", 1))
	f.Add("AcceptSecurityContext error, data \x00,")
	f.Fuzz(func(t *testing.T, text string) {
		kind, detail := ldap.JudgeAD(text)
		require.NotContains(t, []upstream.Kind{"", upstream.Unavailable, upstream.Untrusted}, kind, "it is an answer about the person")
		require.Regexp(t, `^(|, data [0-9a-fA-F]{1,8})$`, detail, "nothing of the server's text gets out but a number")
	})
}

func fuzzed(t testing.TB, o ldap.Options) ldap.Options {
	t.Helper()
	o.Issuer, o.Servers, o.BaseDN, o.Now = "urn:corp", []string{"ldaps://corp.example"}, "dc=corp", time.Now
	_, err := ldap.New(o)
	require.NoError(t, err)
	return o
}

// FuzzName looks for a name that gets out of where it was put.
func FuzzName(f *testing.F) {
	for _, name := range []string{"alice", "*", ")(", "a)(uid=*", "a\x00", "a,b", "#a", " a ", `\2a`, "ünï", "a+b=c", `CORP\a`, "a=b", "\xff", "é"} {
		f.Add(name)
	}
	filtered := fuzzed(f, ldap.Options{UserFilter: "(&(objectClass=person)(|(uid={username})(mail={username}@x)))", UserDN: "uid={username},ou=people", Domain: "CORP"})
	named := fuzzed(f, ldap.Options{UserFilter: "(uid={username})", UserDN: "{username}@corp.example"})
	f.Fuzz(func(t *testing.T, name string) {
		filter, dn := filtered.Built(name)
		if filter == "" {
			return
		}
		compiled, err := goldap.CompileFilter(filter)
		require.NoError(t, err)
		either := compiled.Children[1].Children
		require.Len(t, compiled.Children, 2)
		require.Len(t, either, 2)
		require.Equal(t, ber.Tag(goldap.FilterEqualityMatch), either[0].Tag, "nothing is a wildcard")
		want := strings.TrimPrefix(name, name[:strings.Index(name, `\`)+1])
		got := either[0].Children[1].Data.String()
		require.Contains(t, []string{name, want}, got)
		parsed, err := goldap.ParseDN(dn)
		require.NoError(t, err)
		require.Len(t, parsed.RDNs, 2)
		require.Len(t, parsed.RDNs[0].Attributes, 1)
		require.Equal(t, got, parsed.RDNs[0].Attributes[0].Value)
		if _, as := named.Built(name); as != "" {
			require.Equal(t, 1, strings.Count(as, "@"))
			require.False(t, strings.ContainsAny(as, `\/=,`))
		}
	})
}

// FuzzEntry looks for what a directory says that gets out of a filter.
func FuzzEntry(f *testing.F) {
	f.Add("uid=alice,dc=corp", "alice", "00000000-0000-4000-8000-000000000000")
	f.Add("uid=*)(,dc=corp", "a)(b=*", "*)(uid=*")
	byFilter := ldap.Groups{Filter: "(|(member={dn})(memberUid={uid}))"}
	person := fuzzed(f, ldap.Options{UserFilter: "(uid={username})"})
	f.Fuzz(func(t *testing.T, dn, uid, subject string) {
		compiled, err := goldap.CompileFilter(byFilter.GroupFilter(dn, map[string][]string{"uid": {uid}}))
		require.NoError(t, err)
		require.Len(t, compiled.Children, 2)
		require.Equal(t, dn, compiled.Children[0].Children[1].Data.String())
		require.Equal(t, uid, compiled.Children[1].Children[1].Data.String())
		found, err := goldap.CompileFilter(person.FollowFilter(subject))
		require.NoError(t, err)
		require.Len(t, found.Children, 2)
		require.Equal(t, subject, found.Children[0].Children[1].Data.String())
	})
}

func TestAGUIDIsWrittenAsMicrosoftDoes(t *testing.T) {
	raw := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	text, ok := ldap.TextOfGUID(raw)
	require.True(t, ok)
	require.Equal(t, "00112233-4455-6677-8899-aabbccddeeff", text)
	back, ok := ldap.BytesOfGUID(text)
	require.True(t, ok)
	require.Equal(t, raw, back)
	for _, other := range []string{"", "x", strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), "{" + text + "}", text + "00"} {
		_, ok := ldap.BytesOfGUID(other)
		require.False(t, ok, "one spelling: %s", other)
	}
	_, ok = ldap.TextOfGUID(raw[1:])
	require.False(t, ok)
}

func TestWhatAnEntrySaysOfItsAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		attribute, value string
		disabled         bool
	}{
		"an ordinary one":             {"userAccountControl", "512", false},
		"disabled in AD":              {"userAccountControl", "514", true},
		"expired in AD":               {"accountExpires", "134380080000000000", true}, // noon
		"expires in a second":         {"accountExpires", "134380080010000000", false},
		"never expires, as zero":      {"accountExpires", "0", false},
		"never expires":               {"accountExpires", "9223372036854775807", false},
		"locked by an administrator":  {"pwdAccountLockedTime", "000001010000Z", true},
		"locked by guesses":           {"pwdAccountLockedTime", "20261101115900Z", false},
		"inactive in 389":             {"nsAccountLock", "true", true},
		"active in 389":               {"nsaccountlock", "FALSE", false},
		"forbidden in eDirectory":     {"loginDisabled", "TRUE", true},
		"expired by its shadow":       {"shadowExpire", "20000", true},
		"never expires by its shadow": {"shadowExpire", "-1", false},
		"no number":                   {"userAccountControl", "none", false},
	} {
		require.Equal(t, tc.disabled, ldap.Disabled(map[string][]string{tc.attribute: {tc.value}}, noon) != "", name)
	}
}
