package exchange_test

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
	"keyway/provider/wire"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var w *wire.Error
	require.ErrorAs(t, err, &w)
	require.Equal(t, code, w.Code)
	require.Equal(t, 400, w.Status)
}

// form returns a good request with changes: name, value, name, value...; an
// empty value removes.
func form(changes ...string) url.Values {
	f := url.Values{"subject_token": {"kw_at_x"}, "subject_token_type": {exchange.TypeAccessToken}}
	for i := 0; i+1 < len(changes); i += 2 {
		if f.Del(changes[i]); changes[i+1] != "" {
			f.Set(changes[i], changes[i+1])
		}
	}
	return f
}

func TestParse(t *testing.T) {
	t.Run("everything that a request may say is read", func(t *testing.T) {
		f := form("subject_token", "x.y.z", "subject_token_type", exchange.TypeIDToken, "actor_token", "a.b.c", "actor_token_type", exchange.TypeJWT,
			"requested_token_type", exchange.TypeJWT, "scope", "read  write read")
		f["resource"] = []string{"https://a.example/x?y", "urn:b", ""}
		f["audience"] = []string{"orders", "urn:b"}
		got, err := exchange.Parse(f)
		require.NoError(t, err)
		want := &exchange.Request{
			Subject: exchange.Presented{Token: "x.y.z", Type: exchange.TypeIDToken}, Actor: exchange.Presented{Token: "a.b.c", Type: exchange.TypeJWT},
			Issue: exchange.TypeJWT, Targets: exchange.Targets{Resources: []string{"https://a.example/x?y", "urn:b"}, Audiences: []string{"orders", "urn:b"}}, Scopes: []string{"read", "write"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	t.Run("what is not said has its default", func(t *testing.T) {
		got, err := exchange.Parse(form())
		require.NoError(t, err)
		require.Equal(t, exchange.TypeAccessToken, got.Issue)
		require.Empty(t, got.Targets)
		require.Empty(t, got.Scopes)
	})
	long := strings.Repeat("a", 16<<10+1)
	many := make([]string, 33)
	for i := range many {
		many[i] = "s" + strconv.Itoa(i)
	}
	for _, c := range []struct {
		name string
		form url.Values
		code string
	}{
		{"a missing subject_token", form("subject_token", ""), "invalid_request"},
		{"a missing subject_token_type", form("subject_token_type", ""), "invalid_request"},
		{"an unknown subject_token_type", form("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request"},
		{"a refresh token as the subject", form("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		{"an oversized subject_token", form("subject_token", long), "invalid_request"},
		{"an oversized actor_token", form("actor_token", long, "actor_token_type", exchange.TypeJWT), "invalid_request"},
		{"an actor_token without its type", form("actor_token", "a"), "invalid_request"},
		{"an actor_token_type without its token", form("actor_token_type", exchange.TypeJWT), "invalid_request"},
		{"an ID token as the actor", form("actor_token", "a", "actor_token_type", exchange.TypeIDToken), "invalid_request"},
		{"a refresh token asked for", form("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		{"an ID token asked for", form("requested_token_type", exchange.TypeIDToken), "invalid_request"},
		{"a SAML assertion asked for", form("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request"},
		{"an opaque token that is said to be a JWT", form("subject_token_type", exchange.TypeJWT), "invalid_request"},
		{"an opaque actor token that is said to be a JWT", form("actor_token", "a", "actor_token_type", exchange.TypeJWT), "invalid_request"},
		{"too many scopes", form("scope", strings.Join(many, " ")), "invalid_scope"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := exchange.Parse(c.form)
			wantCode(t, err, c.code)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("subject_token=a&subject_token_type=" + url.QueryEscape(exchange.TypeJWT) + "&resource=https://a.example&audience=b&scope=c+d")
	f.Add("actor_token=%00&scope=" + strings.Repeat("+", 100))
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Skip()
		}
		r, err := exchange.Parse(values)
		var w *wire.Error
		switch {
		case err != nil && !errors.As(err, &w):
			t.Fatalf("an error of another kind: %v", err)
		case err == nil && (r.Subject.Token == "" || len(r.Scopes) > 32):
			t.Fatalf("not a request: %+v", r)
		}
	})
}
