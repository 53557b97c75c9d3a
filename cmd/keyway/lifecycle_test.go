package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"
)

// legacyLogin is how one system is logged in to, and where its token is.
type legacyLogin struct {
	system string
	path   string
	body   string
	token  func(header http.Header, body []byte) string
	whoami func(t *testing.T, d *demo, token string) (status int, body string) // nil where the system has none
	good   string                                                              // in whoami's body while the token is good
}

var jsonToken = regexp.MustCompile(`"token":"([^"]+)"`)

func tokenInBody(_ http.Header, body []byte) string {
	if m := jsonToken.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

func tokenInCookie(header http.Header, _ []byte) string {
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.Name == "PHPSESSID" {
			return c.Value
		}
	}
	return ""
}

func faveoWhoami(base string) func(*testing.T, *demo, string) (int, string) {
	return func(t *testing.T, d *demo, token string) (int, string) {
		status, _, body := d.do(t, http.MethodGet, base+"/api/v1/authenticate/user?token="+url.QueryEscape(token), "")
		return status, string(body)
	}
}

func payhubWhoami(t *testing.T, d *demo, token string) (int, string) {
	status, _, body := d.post(t, "/user/getProfile", `{"emailId":"alice@example.com"}`, "token", token, "apiKey", "DEMO-PAYHUB-APIKEY-ALICE")
	return status, string(body)
}

func legacyLogins() []legacyLogin {
	form := "username=alice&password=correct-horse"
	crm := `{"username":"alice","password":"correct-horse","organisation":"CRMDEMO"}`
	pay := `{"emailId":"alice@example.com","password":"correct-horse"}`
	return []legacyLogin{
		{"faveo", "/api/v1/authenticate", form, tokenInBody, faveoWhoami(""), `"user_name":"alice"`},
		{"faveo-1.0", "/faveo-1.0/api/v1/authenticate", form, tokenInBody, nil, ""},
		{"faveo-1.9", "/faveo-1.9/api/v1/authenticate", form, tokenInBody, nil, ""},
		{"faveo-2.0", "/faveo-2.0/api/v1/authenticate", form, tokenInBody, faveoWhoami("/faveo-2.0"), `"user_name":"alice"`},
		{"faveo-pro", "/faveo-pro/api/v1/authenticate", form, tokenInBody, nil, ""},
		{"ossn", "/api/v1.0/user_authenticate", form + "&api_key_token=" + demoOSSNKey, tokenInCookie, nil, ""},
		{"ossn-10", "/ossn-10/api/v1.0/user_authenticate", form + "&api_key_token=" + demoOSSNKey, tokenInCookie, nil, ""},
		{"crmcom", "/crmapi/rest/v2/authentication/token", crm, tokenInBody, nil, ""},
		{"crmcom-r10", "/crmcom-r10/crmapi/rest/v2/authentication/token", crm, tokenInBody, nil, ""},
		{"crmcom-r12", "/crmcom-r12/crmapi/rest/v2/authentication/token", crm, tokenInBody, nil, ""},
		{"payhub", "/user/login", pay, tokenInBody, payhubWhoami, `"emailId":"alice@example.com"`},
		{"payhub-2024", "/payhub-2024/user/login", pay, tokenInBody, nil, ""},
	}
}

func TestTheTokenInEachReplyIsAnAccessTokenUntilItIsRevoked(t *testing.T) {
	d := startDemo(t)
	authorization, service := serviceAuth(t)
	subjects := map[string]bool{}
	for _, l := range legacyLogins() {
		t.Run(l.system, func(t *testing.T) {
			_, header, body := d.post(t, l.path, l.body)
			token := l.token(header, body)
			require.NotEmpty(t, token, "%s", body)

			facts := d.introspect(t, token)
			require.Equal(t, true, facts["active"])
			require.Equal(t, "legacy-"+l.system, facts["client_id"])
			require.Equal(t, "urn:keyway:legacy:"+l.system, facts["acr"])
			subjects[facts["sub"].(string)] = true

			status, _, info := d.do(t, http.MethodGet, "/oauth2/userinfo", "", "Authorization", "Bearer "+token)
			require.Equal(t, http.StatusOK, status, "%s", info)
			require.Contains(t, string(info), `"email":"alice@example.com"`)
			if l.whoami != nil {
				status, who := l.whoami(t, d, token)
				require.Equal(t, http.StatusOK, status, who)
				require.Contains(t, who, l.good)
			}

			status, _, answer := d.post(t, "/oauth2/revoke", url.Values{"token": {token}}.Encode(), authorization, service)
			require.Equal(t, http.StatusOK, status, "%s", answer)
			require.Equal(t, map[string]any{"active": false}, d.introspect(t, token))
			status, _, _ = d.do(t, http.MethodGet, "/oauth2/userinfo", "", "Authorization", "Bearer "+token)
			require.Equal(t, http.StatusUnauthorized, status)
			if l.whoami != nil {
				_, who := l.whoami(t, d, token)
				require.NotContains(t, who, l.good)
			}
		})
	}
	require.Len(t, subjects, 1, "every system knows her as the same subject")
}

// TestFaveoTokensVerifyWithTheSharedSecret verifies as an unmodified Faveo
// server does: HS256 under JWT_SECRET.
func TestFaveoTokensVerifyWithTheSharedSecret(t *testing.T) {
	d := startDemo(t)
	_, header, body := d.post(t, "/api/v1/authenticate", "username=demoadmin&password=demopass")
	token := tokenInBody(header, body)
	signed, err := jose.ParseSigned(token)
	require.NoError(t, err)
	require.Equal(t, string(jose.HS256), signed.Signatures[0].Header.Algorithm)
	claims, err := signed.Verify([]byte(demoFaveoSecret))
	require.NoError(t, err)
	_, err = signed.Verify([]byte(strings.Repeat("x", 64)))
	require.Error(t, err, "another secret")

	names := regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(claims), -1)
	var order []string
	for _, n := range names {
		order = append(order, n[1])
	}
	require.Equal(t, []string{"iss", "iat", "exp", "nbf", "jti", "sub", "prv"}, order)
	var c struct {
		Iss           string
		Iat, Exp, Nbf int64
		Sub           int
		Prv           string
	}
	require.NoError(t, json.Unmarshal(claims, &c))
	require.Equal(t, d.URL+"/api/v1/authenticate", c.Iss)
	require.Equal(t, int64(240), c.Exp-c.Iat)
	require.Equal(t, c.Iat, c.Nbf)
	require.Equal(t, 1, c.Sub)
	require.Equal(t, "87e0af1ef9fd15812fdec97153a14e0b047546aa", c.Prv)
}

func TestPayHubReturnsTheSameTokenWhileItLives(t *testing.T) {
	d := startDemo(t)
	body := `{"emailId":"alice@example.com","password":"correct-horse"}`
	_, header, first := d.post(t, "/user/login", body)
	_, _, second := d.post(t, "/user/login", body)
	token := tokenInBody(header, first)
	require.Equal(t, token, tokenInBody(nil, second))

	authorization, service := serviceAuth(t)
	status, _, _ := d.post(t, "/oauth2/revoke", url.Values{"token": {token}}.Encode(), authorization, service)
	require.Equal(t, http.StatusOK, status)
	_, _, third := d.post(t, "/user/login", body)
	require.NotEqual(t, token, tokenInBody(nil, third), "a revoked token is not given out again")
}
