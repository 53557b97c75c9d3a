package registration_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/client"
	"keyway/provider/registration"
)

// policy allows a good deal.
func policy() *registration.Policy {
	return &registration.Policy{
		GrantTypes:  []string{"authorization_code", "refresh_token", "client_credentials"},
		AuthMethods: []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		Scopes:      []string{"openid", "profile", "email", "offline_access"}, ApplicationTypes: []string{"web", "native"},
		SubjectTypes: []string{"public", "pairwise"}, SigningAlgs: []string{"RS256", "ES256"},
		Callable: func(uri string) error {
			if !strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "https://127.") {
				return errors.New("not https")
			}
			return nil
		},
	}
}

const key = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

func TestJudgeCompletesWhatWasLeftOut(t *testing.T) {
	r := parsed(t, `{"redirect_uris": ["https://app.example/cb"]}`)
	require.NoError(t, policy().Judge(&r.Metadata, nil))
	require.Empty(t, cmp.Diff(registration.Metadata{
		RedirectURIs: []string{"https://app.example/cb"}, GrantTypes: []string{"authorization_code"}, ResponseTypes: []string{"code"},
		About: client.About{ApplicationType: "web"}, AuthMethod: "client_secret_basic", Scope: "openid profile email", SubjectType: "public",
	}, r.Metadata))
	r = parsed(t, `{"redirect_uris": ["https://app.example/cb"], "grant_types": ["refresh_token", "authorization_code"]}`)
	require.NoError(t, policy().Judge(&r.Metadata, []string{"openid", "offline_access", "admin"}))
	require.Equal(t, "openid offline_access", r.Scope, "an invitation narrows, and never widens")
}

func TestJudgeAccepts(t *testing.T) {
	for name, body := range map[string]string{
		"a web app":                           `{"redirect_uris": ["https://app.example/cb", "https://other.example:8443/cb?a=b"], "scope": "openid email"}`,
		"a native app on loopback":            `{"redirect_uris": ["http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost/cb"], "application_type": "native", "token_endpoint_auth_method": "none"}`,
		"a native app with a scheme":          `{"redirect_uris": ["com.example.app:/cb"], "post_logout_redirect_uris": ["com.example.app:/bye"], "application_type": "native"}`,
		"a native app with a claimed address": `{"redirect_uris": ["https://app.example/cb"], "application_type": "native"}`,
		"a machine":                           `{"grant_types": ["client_credentials"], "scope": "profile"}`,
		"a client with keys":                  `{"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": ` + key + `}`,
		"a client with published keys":        `{"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "EdDSA", "jwks_uri": "https://app.example/jwks"}`,
		"keys for something else":             `{"redirect_uris": ["https://app.example/cb"], "jwks": ` + key + `}`,
		"pairwise subjects of one host":       `{"redirect_uris": ["https://app.example/a", "https://app.example/b"], "subject_type": "pairwise"}`,
		"pairwise subjects of a sector":       `{"redirect_uris": ["https://a.example/", "https://b.example/"], "subject_type": "pairwise", "sector_identifier_uri": "https://a.example/sector"}`,
		"sign-outs":                           `{"redirect_uris": ["https://app.example/cb"], "backchannel_logout_uri": "https://back.example/out", "frontchannel_logout_uri": "https://app.example/out"}`,
		"ES256":                               `{"redirect_uris": ["https://app.example/cb"], "id_token_signed_response_alg": "ES256"}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := parsed(t, body)
			require.NoError(t, policy().Judge(&r.Metadata, nil))
		})
	}
}

func TestJudgeRefuses(t *testing.T) {
	const meta, uri = "invalid_client_metadata", "invalid_redirect_uri"
	redirected := func(more string) string { return `{"redirect_uris": ["https://app.example/cb"], ` + more + `}` }
	uris := func(list string) string { return `{"redirect_uris": [` + list + `]}` }
	native := func(list string) string { return `{"application_type": "native", "redirect_uris": [` + list + `]}` }
	for _, c := range []struct{ name, body, code, description string }{
		{"no redirect URI", `{}`, uri, "redirect_uris: there must be one"},
		{"an empty list of them", uris(``), uri, "redirect_uris: there must be one"},
		{"one that is repeated", uris(`"https://a.example/", "https://a.example/"`), uri, "redirect_uris: one of them"},
		{"a fragment", uris(`"https://a.example/#x"`), uri, "redirect_uris: "},
		{"an empty fragment", uris(`"https://a.example/#"`), uri, "redirect_uris: "},
		{"a wildcard", uris(`"https://*.a.example/"`), uri, "redirect_uris: "},
		{"a user", uris(`"https://u@a.example/"`), uri, "redirect_uris: "},
		{"dotted segments", uris(`"https://a.example/a/../b"`), uri, "redirect_uris: "},
		{"letters beyond ASCII", uris(`"https://ä.example/"`), uri, "redirect_uris: "},
		{"a script", native(`"javascript:alert(1)"`), uri, "redirect_uris: "},
		{"a relative reference", uris(`"/cb"`), uri, "redirect_uris: "},
		{"http for a web app", uris(`"http://app.example/cb"`), uri, "redirect_uris: "},
		{"loopback for a web app", uris(`"http://127.0.0.1/cb"`), uri, "redirect_uris: a web app must use https"},
		{"a scheme for a web app", uris(`"com.example.app:/cb"`), uri, "redirect_uris: a web app must use https"},
		{"https on localhost", uris(`"https://localhost/cb"`), uri, "redirect_uris: a host on loopback"},
		{"https on 127.0.0.1", native(`"https://127.0.0.1/cb"`), uri, "redirect_uris: a host on loopback"},
		{"http off loopback for a native app", native(`"http://app.example/cb"`), uri, "redirect_uris: "},
		{"a scheme without a dot", native(`"app:/cb"`), uri, "redirect_uris: "},
		{"a bad URI among good ones", native(`"com.example.app:/cb", "http://user@127.0.0.1/"`), uri, "redirect_uris: "},
		{"another kind of app", redirected(`"application_type": "browser"`), meta, "application_type: "},
		{"a bad post-logout URI", redirected(`"post_logout_redirect_uris": ["http://a.example/"]`), meta, "post_logout_redirect_uris: "},
		{"a logout URI that cannot be called", redirected(`"backchannel_logout_uri": "http://127.0.0.1/out"`), meta, "backchannel_logout_uri: must be"},
		{"a logout URI by http", redirected(`"backchannel_logout_uri": "http://a.example/out"`), meta, "backchannel_logout_uri: must be"},
		{"a bad front-channel URI", redirected(`"frontchannel_logout_uri": "javascript:alert(1)"`), meta, "frontchannel_logout_uri: "},
		{"the password grant", redirected(`"grant_types": ["password"]`), meta, "grant_types: one of them may not"},
		{"the implicit grant", redirected(`"grant_types": ["authorization_code", "implicit"]`), meta, "grant_types: one of them may not"},
		{"a repeated grant", redirected(`"grant_types": ["authorization_code", "authorization_code"]`), meta, "grant_types: one of them is repeated"},
		{"refresh alone", redirected(`"grant_types": ["refresh_token"]`), meta, "grant_types: there is none"},
		{"no grant", redirected(`"grant_types": []`), meta, "grant_types: there is none"},
		{"another response type", redirected(`"response_types": ["code", "token"]`), meta, "response_types: only code"},
		{"no response type", redirected(`"response_types": []`), meta, "response_types: only code"},
		{"a response type without the grant", `{"grant_types": ["client_credentials"], "response_types": ["code"]}`, meta, "response_types: is of no use"},
		{"redirect URIs without the grant", redirected(`"grant_types": ["client_credentials"]`), meta, "redirect_uris: is of no use"},
		{"another authentication", redirected(`"token_endpoint_auth_method": "client_secret_jwt"`), meta, "token_endpoint_auth_method: may not"},
		{"the adapter's authentication", redirected(`"token_endpoint_auth_method": "adapter"`), meta, "token_endpoint_auth_method: may not"},
		{"a machine without a secret", `{"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}`, meta, "token_endpoint_auth_method: none does not"},
		{"an algorithm without assertions", redirected(`"token_endpoint_auth_signing_alg": "ES256"`), meta, "token_endpoint_auth_signing_alg: is of no use"},
		{"a symmetric algorithm", redirected(`"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example/", "token_endpoint_auth_signing_alg": "HS256"`), meta, "token_endpoint_auth_signing_alg: is not"},
		{"private_key_jwt without keys", redirected(`"token_endpoint_auth_method": "private_key_jwt"`), meta, "jwks: private_key_jwt needs"},
		{"keys twice", redirected(`"jwks_uri": "https://a.example/", "jwks": ` + key), meta, "jwks_uri: does not go"},
		{"keys that cannot be called", redirected(`"jwks_uri": "http://169.254.169.254/"`), meta, "jwks_uri: must be"},
		{"a private key", redirected(`"jwks": {"keys": [{"kty": "oct", "k": "eA"}]}`), meta, "jwks: has a private"},
		{"keys that are none", redirected(`"jwks": "https://a.example/jwks"`), meta, "jwks: is not"},
		{"a link that is a script", redirected(`"policy_uri": "javascript:alert(1)"`), meta, "policy_uri: must be"},
		{"a link that is markup", redirected(`"tos_uri": "https://a.example/\"><script>"`), meta, "tos_uri: must be"},
		{"a link with a user", redirected(`"client_uri": "https://id.example.com@evil.example/"`), meta, "client_uri: must be"},
		{"a plain link", redirected(`"logo_uri": "http://a.example/logo.png"`), meta, "logo_uri: must be"},
		{"a login that is no page", redirected(`"initiate_login_uri": "file:///etc/passwd"`), meta, "initiate_login_uri: must be"},
		{"a name without end", redirected(`"client_name": "` + strings.Repeat("ä", 101) + `"`), meta, "client_name: is too long"},
		{"pairwise subjects of two hosts", `{"redirect_uris": ["https://a.example/", "https://b.example/"], "subject_type": "pairwise"}`, meta, "sector_identifier_uri: is needed"},
		{"pairwise subjects of no host", `{"application_type": "native", "redirect_uris": ["com.example.app:/cb"], "subject_type": "pairwise"}`, meta, "sector_identifier_uri: is needed"},
		{"another kind of subject", redirected(`"subject_type": "e-mail"`), meta, "subject_type: "},
		{"a sector that cannot be called", redirected(`"sector_identifier_uri": "file:///etc/passwd"`), meta, "sector_identifier_uri: must be"},
		{"sign-outs told elsewhere", redirected(`"frontchannel_logout_uri": "https://other.example/out"`), meta, "frontchannel_logout_uri: must have"},
		{"unsigned ID tokens", redirected(`"id_token_signed_response_alg": "none"`), meta, "id_token_signed_response_alg: must be one of RS256, ES256"},
		{"unsigned answers", redirected(`"authorization_signed_response_alg": "HS256"`), meta, "authorization_signed_response_alg: must be one of"},
		{"unsigned request objects", redirected(`"request_object_signing_alg": "none", "jwks": ` + key), meta, "request_object_signing_alg: must be one of"},
		{"request objects without keys", redirected(`"require_signed_request_object": true`), meta, "jwks: request objects need"},
		{"a scope beyond the ceiling", redirected(`"scope": "openid admin"`), meta, "scope: one of them may not"},
		{"a repeated scope", redirected(`"scope": "openid openid"`), meta, "scope: one of them is malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parsed(t, c.body)
			wantRefusal(t, policy().Judge(&r.Metadata, nil), c.code, c.description)
		})
	}
}

func TestAPolicyMayBeNarrow(t *testing.T) {
	p := policy()
	p.RedirectHosts, p.ApplicationTypes = []string{"app.example", "*.preview.example"}, []string{"web"}
	for uri, fit := range map[string]bool{
		"https://app.example/cb": true, "https://APP.example:8443/cb": true, "https://pr-1.preview.example/cb": true, "https://a.b.preview.example/": true,
		"https://preview.example/": false, "https://evilpreview.example/": false, "https://preview.example.evil.example/": false,
		"https://sub.app.example/": false, "https://.preview.example/": false, "https://evil.example/.preview.example": false,
	} {
		r := parsed(t, `{"redirect_uris": ["`+uri+`"]}`)
		require.Equal(t, fit, p.Judge(&r.Metadata, nil) == nil, uri)
	}
	r := parsed(t, `{"redirect_uris": ["http://127.0.0.1/"], "application_type": "native"}`)
	wantRefusal(t, p.Judge(&r.Metadata, nil), "invalid_client_metadata", "application_type: ")
	r = parsed(t, `{"redirect_uris": ["https://app.example/"], "scope": "email"}`)
	wantRefusal(t, p.Judge(&r.Metadata, []string{"openid"}), "invalid_client_metadata", "scope: ")
	r = parsed(t, `{"redirect_uris": ["https://app.example/"]}`)
	require.NoError(t, p.Judge(&r.Metadata, []string{}))
	require.Empty(t, r.Scope)
	p.Callable = nil
	r = parsed(t, `{"redirect_uris": ["https://app.example/"], "jwks_uri": "https://app.example/jwks"}`)
	wantRefusal(t, p.Judge(&r.Metadata, nil), "invalid_client_metadata", "jwks_uri: ")
}

func TestCheckSector(t *testing.T) {
	uris := []string{"https://a.example/cb", "https://b.example/cb"}
	require.NoError(t, registration.CheckSector([]byte(`["https://b.example/cb", "https://a.example/cb", "https://c.example/"]`), uris))
	for _, body := range []string{"", "{}", `"https://a.example/cb"`, `[]`, `["https://a.example/cb"]`, `["https://a.example/cb", "https://b.example/cb/"]`, `[1]`, strings.Repeat(" ", registration.MaxBody) + `[]`} {
		wantRefusal(t, registration.CheckSector([]byte(body), uris), "invalid_client_metadata", "sector_identifier_uri: ")
	}
}
