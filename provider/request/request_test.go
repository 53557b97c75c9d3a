package request_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/client"
	"keyway/provider/request"
	"keyway/provider/response"
)

const (
	callback  = "https://app.example.com/callback"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // of RFC 7636, appendix B
)

func app(change ...func(*client.Client)) *client.Client {
	c := &client.Client{
		ID: "app", AuthMethod: client.AuthSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
		Scopes: []string{"openid", "email", "offline_access", "read"}, RedirectURIs: []string{callback},
		Audience: []string{"https://api.example.com", "plain"}, DetailTypes: []string{"payment", "retired"},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func offer() request.Offer {
	return request.Offer{Prompts: []string{"none", "login", "consent"}, DetailTypes: []string{"payment"}, ACRs: []string{"ours", "ours+"}}
}

// good are the parameters of a good request, changed; "-" takes one out.
func good(more ...string) url.Values {
	v := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		if v.Set(more[i], more[i+1]); more[i+1] == "-" {
			v.Del(more[i])
		}
	}
	return v
}

func TestJudge(t *testing.T) {
	t.Run("a good request says what it says", func(t *testing.T) {
		r, err := request.Judge(app(), callback, good(
			"scope", "email openid email", "max_age", "60", "prompt", "login consent", "resource", "https://api.example.com",
			"claims", `{"userinfo":{"email":null},"id_token":{"sub":{"value":"alice"},"email":null}}`, "response_mode", "jwt",
			"authorization_details", `[{"type":"payment","amount":1}]`), offer())
		require.NoError(t, err)
		require.Equal(t, []string{"email", "openid"}, r.Scopes)
		require.Equal(t, []string{"https://api.example.com"}, r.Audience)
		require.Equal(t, time.Minute, r.MaxAge)
		require.True(t, r.Asks("login") && r.Asks("consent") && !r.Asks("none"))
		require.Equal(t, "alice", r.Subject)
		require.Equal(t, []string{"email"}, r.IDClaims)
		require.Equal(t, response.Mode{Way: response.Query, Signed: true}, r.Mode)
		require.Equal(t, []string{"payment"}, r.Details.Types())
	})
	t.Run("who asks for no scope gets all but offline access, and no audience is every one", func(t *testing.T) {
		r, err := request.Judge(app(), callback, good("scope", "-"), offer())
		require.NoError(t, err)
		require.Equal(t, []string{"openid", "email", "read"}, r.Scopes)
		require.Equal(t, app().Audience, r.Audience)
	})
	for _, c := range []struct {
		name   string
		values url.Values
		want   string
	}{
		{"no response_type", good("response_type", "-"), "invalid_request"},
		{"token", good("response_type", "token"), "unsupported_response_type"},
		{"code id_token", good("response_type", "code id_token"), "unsupported_response_type"},
		{"none", good("response_type", "none"), "unsupported_response_type"},
		{"a registration", good("registration", "{}"), "registration_not_supported"},
		{"an unknown response_mode", good("response_mode", "web_message"), "invalid_request"},
		{"a state that is too long", good("state", strings.Repeat("s", request.MaxState+1)), "invalid_request"},
		{"a nonce that is too long", good("nonce", strings.Repeat("n", request.MaxNonce+1)), "invalid_request"},
		{"no challenge", good("code_challenge", "-", "code_challenge_method", "-"), "invalid_request"},
		{"a challenge without its method", good("code_challenge_method", "-"), "invalid_request"},
		{"plain", good("code_challenge_method", "plain"), "invalid_request"},
		{"a challenge that is none", good("code_challenge", "x"), "invalid_request"},
		{"a scope that is not the client's", good("scope", "openid admin"), "invalid_scope"},
		{"a resource that is not the client's", good("resource", "https://other.example.com"), "invalid_target"},
		{"a resource that is no URI, though it is an audience", good("resource", "plain"), "invalid_target"},
		{"details of a type that is not the client's", good("authorization_details", `[{"type":"medical"}]`), "invalid_authorization_details"},
		{"details of a type that is not offered any more", good("authorization_details", `[{"type":"retired"}]`), "invalid_authorization_details"},
		{"details that are no list", good("authorization_details", `{}`), "invalid_authorization_details"},
		{"a prompt that is not offered", good("prompt", "create"), "invalid_request"},
		{"a prompt that contradicts itself", good("prompt", "none login"), "invalid_request"},
		{"a max_age of letters", good("max_age", "x"), "invalid_request"},
		{"a max_age below zero", good("max_age", "-1"), "invalid_request"},
		{"claims that are malformed", good("claims", "{"), "invalid_request"},
		{"claims of two people", good("claims", `{"userinfo":{"sub":{"value":"a"}},"id_token":{"sub":{"value":"b"}}}`), "invalid_request"},
		{"an acr that is not ours", good("claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`), "unmet_authentication_requirements"},
	} {
		t.Run(c.name+" is "+c.want, func(t *testing.T) {
			r, err := request.Judge(app(), callback, c.values, offer())
			wantError(t, err, c.want)
			require.Equal(t, callback, r.ReturnTo, "there is somewhere to answer")
			require.NotEmpty(t, r.Mode.Way)
			require.LessOrEqual(t, len(r.Values.Get("state")), request.MaxState)
		})
	}
	t.Run("a client that may not use codes is refused", func(t *testing.T) {
		_, err := request.Judge(app(func(c *client.Client) { c.GrantTypes = []string{"client_credentials"} }), callback, good(), offer())
		wantError(t, err, "unauthorized_client")
	})
}

func wantError(t *testing.T, err error, code string) {
	t.Helper()
	var refused *request.Error
	require.True(t, errors.As(err, &refused), "%v", err)
	require.Equal(t, code, refused.Code)
	require.Error(t, refused.Cause)
}

func TestPKCEOptional(t *testing.T) {
	without := good("code_challenge", "-", "code_challenge_method", "-")
	exempt := func(c *client.Client) { c.PKCEOptional = true }
	_, err := request.Judge(app(exempt), callback, without, offer())
	require.NoError(t, err)
	_, err = request.Judge(app(exempt, func(c *client.Client) { c.AuthMethod = client.AuthNone }), callback, without, offer())
	wantError(t, err, "invalid_request")
	for _, half := range []url.Values{good("code_challenge", "-"), good("code_challenge_method", "-"), good("code_challenge_method", "plain")} {
		_, err = request.Judge(app(exempt), callback, half, offer())
		wantError(t, err, "invalid_request")
	}
}

func TestRead(t *testing.T) {
	t.Run("only what we know and what has a value is kept", func(t *testing.T) {
		values, err := request.Read("client_id=app&state=&foo=bar&scope=a+b&resource=x&resource=y")
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(url.Values{"client_id": {"app"}, "scope": {"a b"}, "resource": {"x", "y"}}, values))
	})
	t.Run("what is repeated leaves enough to answer, in the mode that is asked for", func(t *testing.T) {
		values, err := request.Read("client_id=app&redirect_uri=x&state=1&state=2&response_mode=fragment&whatever=1&whatever=2")
		require.Error(t, err)
		require.Empty(t, cmp.Diff(url.Values{"client_id": {"app"}, "redirect_uri": {"x"}, "response_mode": {"fragment"}}, values))
	})
	for name, query := range map[string]string{
		"two clients": "client_id=a&client_id=b&redirect_uri=x", "two returns": "client_id=a&redirect_uri=x&redirect_uri=y", "no form": "%zz",
		"too much": "state=" + strings.Repeat("x", request.MaxQuery),
	} {
		t.Run(name+" leave nothing", func(t *testing.T) {
			values, err := request.Read(query)
			require.Error(t, err)
			require.Nil(t, values)
		})
	}
}

func TestReplace(t *testing.T) {
	beside := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid admin"}, "state": {"outside"}, "request": {"x"}}
	t.Run("nothing beside a request object counts but client_id", func(t *testing.T) {
		values, err := request.Replace(beside, url.Values{"response_type": {"code"}, "scope": {"openid"}, "foo": {"bar"}})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}}, values))
	})
	t.Run("what must be the same is", func(t *testing.T) {
		_, err := request.Replace(beside, url.Values{"response_type": {"token"}})
		wantError(t, err, "invalid_request_object")
		_, err = request.Replace(beside, url.Values{"client_id": {"other"}})
		wantError(t, err, "invalid_request_object")
	})
	t.Run("there is an end to it", func(t *testing.T) {
		_, err := request.Replace(beside, url.Values{"claims": {strings.Repeat("x", request.MaxCarried)}})
		wantError(t, err, "invalid_request")
	})
}

func TestReturn(t *testing.T) {
	for _, c := range []struct {
		name   string
		client *client.Client
		values url.Values
		want   string
	}{
		{"one that is registered", app(), good(), callback},
		{"another one is none", app(), good("redirect_uri", "https://evil.example/"), ""},
		{"none, of one, without OpenID", app(), good("redirect_uri", "-", "scope", "read"), callback},
		{"none, of one, with OpenID", app(), good("redirect_uri", "-"), ""},
		{"none, of two", app(func(c *client.Client) { c.RedirectURIs = append(c.RedirectURIs, "https://b.example/") }), good("redirect_uri", "-", "scope", "read"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := request.Return(c.client, c.values)
			require.Equal(t, c.want != "", ok)
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(good().Encode())
	f.Add(good("prompt", "none", "claims", `{"id_token":null}`, "max_age", "0", "response_mode", "form_post.jwt").Encode() + "&scope=x")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := request.Read(query)
		if values == nil {
			require.Error(t, err)
			return
		}
		require.Empty(t, cmp.Diff(values, request.Known(values)))
		returnTo, ok := request.Return(app(), values)
		if !ok {
			return
		}
		require.Equal(t, callback, returnTo)
		r, err := request.Judge(app(), returnTo, values, offer())
		if err == nil {
			require.Subset(t, app().Scopes, r.Scopes)
			require.Subset(t, app().Audience, r.Audience)
			require.Equal(t, "code", r.Values.Get("response_type"))
			return
		}
		var refused *request.Error
		require.ErrorAs(t, err, &refused)
	})
}
