package exchange_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
	"keyway/provider/keys"
)

// verified says that everything was signed.
type verified struct{ typ string }

func (v verified) Verify(token string) (*keys.Signed, error) {
	if token == "forged" {
		return nil, errors.New("signature is wrong")
	}
	return &keys.Signed{Type: v.typ, Payload: []byte(token)}, nil
}

func TestReadIDToken(t *testing.T) {
	read := func(changes all) (*exchange.IDToken, error) {
		c := said(all{"iss": ours, "aud": caller, "jti": exchange.JTI("g-1", "x")})
		for name, v := range changes {
			c[name] = v
		}
		b, err := json.Marshal(c)
		require.NoError(t, err)
		return exchange.ReadIDToken(verified{"JWT"}, string(b), exchange.Caller{ID: caller, Issuer: ours}, noon)
	}
	t.Run("it leads back to its grant", func(t *testing.T) {
		for _, aud := range []any{caller, []any{caller}} {
			got, err := read(all{"aud": aud})
			require.NoError(t, err)
			require.Equal(t, &exchange.IDToken{Grant: "g-1", Expires: noon.Add(2 * time.Minute)}, got)
		}
	})
	for name, changes := range map[string]all{
		"another issuer's":            {"iss": corp},
		"another client's":            {"aud": "web"},
		"one without an audience":     {"aud": nil},
		"an expired one":              {"exp": noon.Unix()},
		"one without an end":          {"exp": nil},
		"one that names nobody":       {"sub": nil},
		"one without a jti":           {"jti": nil},
		"one whose jti has no grant":  {"jti": ".x"},
		"one whose jti is of another": {"jti": "0123456789abcdef"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := read(changes)
			require.Error(t, err)
		})
	}
	t.Run("another kind of token is refused", func(t *testing.T) {
		b, err := json.Marshal(said(all{"iss": ours, "aud": caller, "jti": exchange.JTI("g-1", "x")}))
		require.NoError(t, err)
		for _, typ := range []string{"at+jwt", "logout+jwt"} {
			_, err = exchange.ReadIDToken(verified{typ}, string(b), exchange.Caller{ID: caller, Issuer: ours}, noon)
			require.Error(t, err, typ)
		}
	})
	t.Run("what is no JSON object is refused", func(t *testing.T) {
		for _, b := range []string{"forged", "", "null", "[]", "{", "{}{}"} {
			_, err := exchange.ReadIDToken(verified{}, b, exchange.Caller{ID: caller, Issuer: ours}, noon)
			require.Error(t, err, b)
		}
	})
}
