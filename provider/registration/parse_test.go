package registration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/registration"
)

const everything = `{
	"redirect_uris": ["https://app.example/callback"], "post_logout_redirect_uris": ["https://app.example/bye"],
	"response_types": ["code"], "grant_types": ["authorization_code", "refresh_token"], "application_type": "web", "scope": "openid email",
	"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "jwks_uri": "https://app.example/jwks",
	"jwks": {"keys": []}, "client_name": "Äpp", "contacts": ["ops@app.example"], "client_uri": "https://app.example/",
	"logo_uri": "https://app.example/logo.png", "policy_uri": "https://app.example/policy", "tos_uri": "https://app.example/terms",
	"initiate_login_uri": "https://app.example/login", "software_id": "4NRB1", "software_version": "2.1", "subject_type": "public",
	"sector_identifier_uri": "https://app.example/sector", "id_token_signed_response_alg": "ES256", "default_max_age": 3600,
	"backchannel_logout_uri": "https://app.example/logout", "backchannel_logout_session_required": true,
	"frontchannel_logout_uri": "https://app.example/out", "frontchannel_logout_session_required": true,
	"tls_client_auth_subject_dn": "CN=app", "tls_client_auth_san_dns": "app.example", "tls_client_auth_san_uri": "https://app.example/",
	"tls_client_auth_san_ip": "192.0.2.1", "tls_client_auth_san_email": "ops@app.example", "dpop_bound_access_tokens": true,
	"tls_client_certificate_bound_access_tokens": true, "userinfo_signed_response_alg": "RS256", "introspection_signed_response_alg": "ES256",
	"authorization_signed_response_alg": "ES256", "request_object_signing_alg": "EdDSA", "require_signed_request_object": true,
	"require_pushed_authorization_requests": true, "require_auth_time": true, "default_acr_values": ["urn:keyway:password"]
}`

// parsed is a document that can be parsed.
func parsed(t *testing.T, body string) *registration.Request {
	t.Helper()
	r, err := registration.Parse([]byte(body))
	require.NoError(t, err)
	return r
}

// wantRefusal checks the code, and that the description begins with a text.
func wantRefusal(t *testing.T, err error, code, description string) {
	t.Helper()
	var r *registration.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, code, r.Code, r.Description)
	require.True(t, strings.HasPrefix(r.Description, description), "%q should begin with %q", r.Description, description)
}

func TestParseReadsEveryMember(t *testing.T) {
	r := parsed(t, everything)
	back, err := json.Marshal(r.Metadata)
	require.NoError(t, err)
	var want, got map[string]any
	require.NoError(t, json.Unmarshal([]byte(everything), &want))
	require.NoError(t, json.Unmarshal(back, &got))
	require.Empty(t, cmp.Diff(want, got))
}

func TestParseIgnoresWhatItDoesNotKnow(t *testing.T) {
	r := parsed(t, `{"unknown": {"a": [1]}, "client_name#de": "App", "Client_Name": "no", "client_name": "yes", "contacts": null, "policy_uri": "",
		"may_introspect": true, "skip_consent": true, "source": "config", "audience": ["https://api.example"]}`)
	require.Empty(t, cmp.Diff(registration.Metadata{Name: "yes"}, r.Metadata))
}

func TestParseReadsWhatAnUpdateRepeats(t *testing.T) {
	r := parsed(t, `{"client_id": "a", "client_secret": "s", "client_name": "App"}`)
	require.Equal(t, "a", r.ClientID)
	require.Equal(t, "s", r.ClientSecret)
	require.Empty(t, r.Managed)
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		require.Equal(t, name, parsed(t, `{"`+name+`": 1}`).Managed)
	}
}

func TestParseRefuses(t *testing.T) {
	list := strings.TrimSuffix(strings.Repeat(`"https://app.example/",`, 33), ",")
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf(`"m%d": 1`, i)
	}
	for _, c := range []struct{ name, body, code, description string }{
		{"nothing", ``, "invalid_client_metadata", "The body must be"},
		{"no object", `["redirect_uris"]`, "invalid_client_metadata", "The body must be"},
		{"half an object", `{"client_name": "a"`, "invalid_client_metadata", "The body must be"},
		{"two objects", `{} {}`, "invalid_client_metadata", "The body must be"},
		{"a value without a name", `{"client_name"}`, "invalid_client_metadata", "The body must be"},
		{"what is not UTF-8", "{\"client_name\": \"\xff\"}", "invalid_client_metadata", "The body must be"},
		{"what is too large", `{"x": "` + strings.Repeat("x", registration.MaxBody) + `"}`, "invalid_client_metadata", "The body is too large"},
		{"too many members", `{` + strings.Join(many, ",") + `}`, "invalid_client_metadata", "A member is repeated"},
		{"a repeated member", `{"scope": "a", "scope": "b"}`, "invalid_client_metadata", "A member is repeated"},
		{"a member repeated under another spelling", `{"scope": "a", "s\u0063ope": null}`, "invalid_client_metadata", "A member is repeated"},
		{"a text that is a list", `{"client_name": ["a"]}`, "invalid_client_metadata", "client_name: has the wrong type"},
		{"a list that is a text", `{"redirect_uris": "https://app.example/"}`, "invalid_client_metadata", "redirect_uris: has the wrong type"},
		{"a list of numbers", `{"contacts": [1]}`, "invalid_client_metadata", "contacts: has the wrong type"},
		{"nothing in a list", `{"contacts": [null]}`, "invalid_client_metadata", "contacts: must not be empty"},
		{"a number that is a text", `{"default_max_age": "1"}`, "invalid_client_metadata", "default_max_age: has the wrong type"},
		{"half a second", `{"default_max_age": 0.5}`, "invalid_client_metadata", "default_max_age: has the wrong type"},
		{"a negative age", `{"default_max_age": -1}`, "invalid_client_metadata", "default_max_age: is out of range"},
		{"an age beyond all", `{"default_max_age": 4294967296}`, "invalid_client_metadata", "default_max_age: is out of range"},
		{"a truth that is a text", `{"require_auth_time": "true"}`, "invalid_client_metadata", "require_auth_time: has the wrong type"},
		{"a client_id that is a number", `{"client_id": 7}`, "invalid_client_metadata", "client_id: has the wrong type"},
		{"too many values", `{"redirect_uris": [` + list + `]}`, "invalid_client_metadata", "redirect_uris: has too many values"},
		{"a text that is too long", `{"client_uri": "https://` + strings.Repeat("x", 2048) + `"}`, "invalid_client_metadata", "client_uri: is too long"},
		{"keys that are too large", `{"jwks": "` + strings.Repeat("x", 20<<10) + `"}`, "invalid_client_metadata", "jwks: is too large"},
		{"a name with a line break", `{"client_name": "a\nb"}`, "invalid_client_metadata", "client_name: has a character"},
		{"a name that turns around", `{"client_name": "a\u202eb"}`, "invalid_client_metadata", "client_name: has a character"},
		{"a name with half a character", `{"client_name": "a\ud800"}`, "invalid_client_metadata", "client_name: has a character"},
		{"a software statement", `{"software_statement": "e30.e30."}`, "unapproved_software_statement", "software_statement: "},
		{"encrypted ID tokens", `{"id_token_encrypted_response_alg": "RSA-OAEP"}`, "invalid_client_metadata", "id_token_encrypted_response_alg: "},
		{"encrypted userinfo", `{"userinfo_encrypted_response_enc": "A128GCM"}`, "invalid_client_metadata", "userinfo_encrypted_response_enc: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registration.Parse([]byte(c.body))
			wantRefusal(t, err, c.code, c.description)
			require.NotEqual(t, "", err.Error())
		})
	}
}

func FuzzParseAndJudge(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(`{"redirect_uris":["https://app.example/cb","com.example.app:/cb"],"application_type":"native"}`))
	f.Add([]byte(`{"grant_types":["client_credentials"],"scope":"  openid\topenid "}`))
	f.Add([]byte(`{"jwks":{"keys":[{"kty":"oct","k":"eA"}]},"default_max_age":1e3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := registration.Parse(body)
		if err == nil {
			err = policy().Judge(&r.Metadata, nil)
		}
		if err == nil {
			require.NotEmpty(t, r.GrantTypes)
			require.NotEmpty(t, r.AuthMethod)
			for _, uri := range r.RedirectURIs {
				require.NotContains(t, uri, "#")
			}
			again, err := json.Marshal(r.Metadata)
			require.NoError(t, err)
			back, err := registration.Parse(again)
			require.NoError(t, err, "what is answered can be sent back")
			require.NoError(t, policy().Judge(&back.Metadata, nil))
			return
		}
		var refusal *registration.Refusal
		require.True(t, errors.As(err, &refusal))
		require.NotEmpty(t, refusal.Code)
	})
}
