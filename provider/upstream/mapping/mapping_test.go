package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/upstream"
	"keyway/provider/upstream/mapping"
)

func person() *upstream.Person {
	return &upstream.Person{
		Issuer: "https://corp.example", Subject: "u1", ACR: "gold", AMR: []string{"otp"}, SID: "s1", RefreshToken: "r",
		Claims: map[string]any{
			"email": "ann@corp.example", "email_verified": true, "name": "Ann", "groups": []any{"staff", "helpdesk", "staff"},
			"employee": json.Number("42"), "iss": "https://corp.example", "is_admin": true,
		},
	}
}

func TestWithoutAMappingTheStandardClaimsCount(t *testing.T) {
	m, err := mapping.New(mapping.Options{Connector: "corp"})
	require.NoError(t, err)
	f, err := m.Map(person())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: "u1", SID: "s1", RefreshToken: []byte("r"),
		LoginName: identity.LoginName{Directory: "default", Name: "ann@corp.example", Slot: "password"},
		Email:     "ann@corp.example", EmailVerified: true, Claims: map[string]any{"name": "Ann"}, Roles: []string{},
	}, f))

	p := person()
	p.Claims = map[string]any{}
	f, err = m.Map(p)
	require.NoError(t, err)
	require.Equal(t, "u1", f.LoginName.Name)
	require.False(t, f.EmailVerified, "what is not said is not verified")
}

func TestAMappingMakesAccountsAndRoles(t *testing.T) {
	m, err := mapping.New(mapping.Options{
		Connector: "corp", Directory: "staff", Allow: `"staff" in claims.groups and acr == "gold"`, LoginName: `split(claims.email, "@")[0]`,
		Roles: `filter(claims.groups, # != "staff")`, Claims: map[string]string{"nickname": `upper(claims.name)`, "name": `nil`},
		Accounts: map[string]mapping.Account{
			"faveo": {ID: "claims.employee", Attributes: map[string]string{"role": `"helpdesk" in claims.groups ? "agent" : "user"`, "n": "claims.employee + 1"}},
			"ossn":  {When: "false", ID: "claims.employee"},
			"crm":   {ID: "claims.missing"},
		},
	})
	require.NoError(t, err)
	f, err := m.Map(person())
	require.NoError(t, err)
	require.Equal(t, identity.LoginName{Directory: "staff", Name: "ann", Slot: "password"}, f.LoginName)
	require.Equal(t, []string{"helpdesk"}, f.Roles)
	require.Equal(t, map[string]any{"nickname": "ANN"}, f.Claims)
	require.Empty(t, cmp.Diff([]identity.Account{{System: "faveo", ID: "42", Attributes: map[string]any{"role": "agent", "n": 43}}}, f.Accounts))

	p := person()
	p.ACR = "silver"
	_, err = m.Map(p)
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
}

func TestAMappingNamesPeopleInFurtherDirectories(t *testing.T) {
	m, err := mapping.New(mapping.Options{Names: map[string]string{"crmcom/B": "claims.email", "crmcom/A": `upper(claims.name)`, "none": "claims.missing"}})
	require.NoError(t, err)
	f, err := m.Map(person())
	require.NoError(t, err)
	require.Equal(t, []identity.LoginName{
		{Directory: "crmcom/A", Name: "ANN", Slot: identity.SlotPassword}, {Directory: "crmcom/B", Name: f.LoginName.Name, Slot: identity.SlotPassword},
	}, f.Names)
	_, err = mapping.New(mapping.Options{Names: map[string]string{"crmcom/A": "unknown"}})
	require.ErrorContains(t, err, "login_names.crmcom/A:")
}

func TestWhatCannotBeMappedIsUntrusted(t *testing.T) {
	for name, o := range map[string]mapping.Options{
		"a list for a name":                    {LoginName: "claims.groups"},
		"an empty name":                        {LoginName: `""`},
		"an endless name":                      {LoginName: `repeat("a", 600)`},
		"a name of nothing but blanks":         {LoginName: `"  "`},
		"a name that grows when folded":        {LoginName: `repeat("ŉ", 256)`},
		"a name with a NUL":                    {LoginName: `"ann\x00"`},
		"an address with a NUL":                {Email: `"ann\x00@corp.example"`},
		"a further name of nothing but blanks": {Names: map[string]string{"crmcom/A": `" "`}},
		"an id with a NUL":                     {Accounts: map[string]mapping.Account{"faveo": {ID: `"4\x002"`}}},
		"a text for true":                      {Allow: "claims.name"},
		"a role that is none":                  {Roles: "[1]"},
		"a list that explodes":                 {Roles: "map(1..99999, 1..99999)"},
		"a member of a text":                   {LoginName: "claims.name.first.second"},
		"an id that is an object":              {Accounts: map[string]mapping.Account{"faveo": {ID: "claims"}}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapping.New(o)
			require.NoError(t, err)
			_, err = m.Map(person())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "ann@", "the error quotes nobody's claims")
		})
	}
	m, err := mapping.New(mapping.Options{})
	require.NoError(t, err)
	for _, subject := range []string{"", "u\x001", "\xff", strings.Repeat("u", 513)} {
		p := person()
		p.Subject = subject
		_, err = m.Map(p)
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%q", subject)
	}
}

// TestCVE202429892ReservedClaimsAreNotForMappings: a mapping of an upstream must
// not set what the provider itself says (ZITADEL CVE-2024-29892).
func TestCVE202429892ReservedClaimsAreNotForMappings(t *testing.T) {
	for _, name := range []string{"sub", "iss", "aud", "amr", "acr", "email_verified", "is_admin"} {
		_, err := mapping.New(mapping.Options{Claims: map[string]string{name: `"x"`}})
		require.ErrorContains(t, err, "claims."+name)
	}
}

func TestEveryExpressionThatDoesNotCompileIsReported(t *testing.T) {
	_, err := mapping.New(mapping.Options{
		Allow: "1 +", LoginName: strings.Repeat("a", 5000), Roles: "unknown",
		Accounts: map[string]mapping.Account{"faveo": {}},
	})
	for _, field := range []string{"allow:", "login_name:", "roles:", "accounts.faveo.id:"} {
		require.ErrorContains(t, err, field)
	}
}

func FuzzMapping(f *testing.F) {
	f.Add("claims.email", `{"email":"a"}`)
	f.Add(`claims.groups[0].x ?? "y"`, `{"groups":[{"x":1e400}]}`)
	f.Fuzz(func(t *testing.T, expression, said string) {
		m, err := mapping.New(mapping.Options{LoginName: expression})
		if err != nil {
			return
		}
		p := person()
		if json.Unmarshal([]byte(said), &p.Claims) != nil {
			return
		}
		if r, err := m.Map(p); err == nil && (r.LoginName.Name == "" || len(r.LoginName.Name) > 512) {
			t.Fatalf("login name %q", r.LoginName.Name)
		}
	})
}
