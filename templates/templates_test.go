package templates_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/adapter"
	"keyway/adapter/contract"
	"keyway/templates"
)

// given is an example's beginning, with one user in Faveo and OSSN.
func given(t *testing.T, profile, site, settings string) contract.Given {
	t.Helper()
	e, err := contract.Parse("given", []byte(fmt.Sprintf(`The given part alone counts.
-- given.yaml --
profile: %q
site_url: %q
now: 2018-08-23T06:50:22Z
settings: {%s}
users:
  - {login_names: [alice], email: alice@example.com, password: correct-horse, accounts: {faveo: {id: "7"}, ossn: {id: "2"}}}
-- request --
GET / HTTP/1.1
-- response --
HTTP/1.1 200 OK
`, profile, site, settings)))
	require.NoError(t, err)
	return e.Given
}

func load(t *testing.T, folder, file string) *adapter.System {
	t.Helper()
	s, err := adapter.Load(templates.Systems(), folder, file)
	require.NoError(t, err)
	return s
}

// faveoToken signs alice in and returns the parts of her token.
func faveoToken(t *testing.T, file, profile string) (header, claims string) {
	t.Helper()
	send, err := contract.OnStage( //nolint:bodyclose // it returns a function; what that returns is closed below
		load(t, "faveo", file), given(t, profile, "http://helpdesk.example/sub/", "jwt_secret: example"))
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
		"/api/v1/authenticate?username=alice&password=correct-horse", http.NoBody)
	resp, err := send(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(body), `"token":"`)
	require.True(t, ok, "%s", body)
	token, _, _ := strings.Cut(rest, `"`)
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	return decode(t, parts[0]), decode(t, parts[1])
}

func decode(t *testing.T, part string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	return string(b)
}

func TestFaveoTokensSayTheSevenClaimsInTheirOrder(t *testing.T) {
	escaped := `{"iss":"http:\/\/helpdesk.example\/sub\/api\/v1\/authenticate","iat":1535007022,"exp":%d,"nbf":1535007022,` +
		`"jti":"%s","sub":7,"prv":"87e0af1ef9fd15812fdec97153a14e0b047546aa"}`
	plain := strings.Replace(strings.ReplaceAll(escaped, `\/`, "/"), `"sub":7`, `"sub":"7"`, 1)
	for _, c := range []struct {
		name, file, profile, claims string
		lifetime, id                int
	}{
		{"1.10 writes escaped slashes and a number", "system.yaml", "1.10", escaped, 240, 16},
		{"2.0 writes plain slashes and a string", "2.0.yaml", "2.0", plain, 240, 16},
		{"1.9 has a digest as its id", "1.9.yaml", "1.9", escaped, 240, 32},
		{"1.0 lives an hour", "1.0.yaml", "1.0", escaped, 3600, 32},
		{"pro is as 1.10", "pro.yaml", "pro", escaped, 240, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, claims := faveoToken(t, c.file, c.profile)
			require.Equal(t, `{"typ":"JWT","alg":"HS256"}`, header)
			var told struct {
				JTI string `json:"jti"`
			}
			require.NoError(t, json.Unmarshal([]byte(claims), &told))
			require.Len(t, told.JTI, c.id)
			want := fmt.Sprintf(c.claims, 1535007022+c.lifetime, told.JTI)
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("claims differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaveoTokensOfOneSecondDiffer(t *testing.T) {
	for _, file := range []string{"system.yaml", "1.9.yaml"} {
		s := load(t, "faveo", file)
		_, first := faveoToken(t, file, s.Profile)
		_, second := faveoToken(t, file, s.Profile)
		require.NotEqual(t, first, second, file)
	}
}

func TestTheOSSNSessionIsAnAccessToken(t *testing.T) {
	send, err := contract.OnStage( //nolint:bodyclose // it returns a function; what that returns is closed below
		load(t, "ossn", "system.yaml"), given(t, "2019", "http://community.example/", "api_key_token: k"))
	require.NoError(t, err)
	for query, length := range map[string]int{
		"username=alice&password=correct-horse": 32, // the token
		"username=alice&password=wrong":         26, // as PHP makes them
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
			"/api/v1.0/user_authenticate?api_key_token=k&"+query, http.NoBody)
		resp, err := send(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Len(t, resp.Cookies(), 1)
		require.Equal(t, "PHPSESSID", resp.Cookies()[0].Name)
		require.Len(t, resp.Cookies()[0].Value, length)
	}
}

func TestEveryProfileHasAnExample(t *testing.T) {
	files, err := fs.Glob(templates.Systems(), "*/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	shown := map[string]bool{}
	for _, file := range slices.DeleteFunc(files, func(file string) bool { return !adapter.IsProfile(file) }) {
		folder := path.Dir(file)
		examples, err := contract.Load(templates.Systems(), path.Join(folder, "examples"))
		require.NoError(t, err)
		for _, e := range examples {
			shown[folder+" "+e.Given.Profile] = true
		}
		if s := load(t, folder, path.Base(file)); !shown[folder+" "+s.Profile] {
			t.Errorf("%s: the profile %q has no example", folder, s.Profile)
		}
	}
}
