package caller_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/caller"
	"keyway/provider/client"
	"keyway/provider/wire"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func read(form string, authorization ...string) (caller.Caller, error) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, h := range authorization {
		r.Header.Add("Authorization", h)
	}
	values, _ := url.ParseQuery(form)
	return caller.Read(r, values)
}

const jwtBearer = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="

func TestOneMethodIsFound(t *testing.T) {
	assertion := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"app"}`)) + ".x"
	for _, c := range []struct {
		name, form    string
		authorization []string
		want          caller.Caller
		code          string
	}{
		{"basic", "", []string{basic("a%3Ab", "p+w")}, caller.Caller{Method: client.AuthSecretBasic, ID: "a:b", Secret: "p w"}, ""},
		{"basic and its own id", "client_id=app", []string{basic("app", "x")}, caller.Caller{Method: client.AuthSecretBasic, ID: "app", Secret: "x"}, ""},
		{"post", "client_id=app&client_secret=x", nil, caller.Caller{Method: client.AuthSecretPost, ID: "app", Secret: "x"}, ""},
		{"assertion", jwtBearer + assertion, nil, caller.Caller{Method: client.AuthPrivateKeyJWT, ID: "app", Secret: assertion}, ""},
		{"none", "client_id=app", nil, caller.Caller{Method: client.AuthNone, ID: "app"}, ""},
		{"nothing", "", nil, caller.Caller{}, "invalid_client"},
		{"two methods", "client_id=app&client_secret=x", []string{basic("app", "x")}, caller.Caller{}, "invalid_request"},
		{"two headers", "", []string{basic("app", "x"), basic("app", "x")}, caller.Caller{}, "invalid_client"},
		{"another id", "client_id=other", []string{basic("app", "x")}, caller.Caller{}, "invalid_request"},
		{"another scheme", "client_id=app", []string{"Bearer x"}, caller.Caller{}, "invalid_client"},
		{"broken escapes", "", []string{basic("%zz", "x")}, caller.Caller{}, "invalid_client"},
		{"a NUL", "", []string{basic("a%00", "x")}, caller.Caller{}, "invalid_client"},
		{"another kind of assertion", "client_assertion=x&client_assertion_type=saml", nil, caller.Caller{}, "invalid_request"},
		{"an assertion of nobody", jwtBearer + "x", nil, caller.Caller{}, "invalid_client"},
	} {
		got, err := read(c.form, c.authorization...)
		require.Equal(t, c.want, got, c.name)
		if c.code == "" {
			require.NoError(t, err, c.name)
			continue
		}
		var e *wire.Error
		require.ErrorAs(t, err, &e, c.name)
		require.Equal(t, c.code, e.Code, c.name)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("client_id=a&client_secret=b", basic("a", "b"))
	f.Add(jwtBearer+"e30.e30.", "")
	f.Fuzz(func(t *testing.T, form, header string) {
		got, err := read(form, header)
		if err != nil {
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			return
		}
		require.NotEmpty(t, got.ID)
		require.NotEmpty(t, got.Method)
	})
}
