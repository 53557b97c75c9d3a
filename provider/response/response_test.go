package response_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/response"
)

const app = "https://app.example.com/callback"

func TestParse(t *testing.T) {
	query, fragment, form := response.Mode{Way: response.Query}, response.Mode{Way: response.Fragment}, response.Mode{Way: response.FormPost}
	signed := func(m response.Mode) response.Mode { m.Signed = true; return m }
	for _, c := range []struct {
		name, asked, responseType, returnTo string
		want                                response.Mode
		good                                bool
	}{
		{"a code goes into the query", "", "code", app, query, true},
		{"what has a token in front goes into the fragment", "", "token", app, fragment, true},
		{"so does an ID token, with a code or without", "", "code id_token", app, fragment, true},
		{"no response type is as a code", "", "", app, query, true},
		{"the mode that is asked for is taken", "fragment", "code", app, fragment, true},
		{"a form for a site", "form_post", "code", app, form, true},
		{"no form for an app", "form_post", "code", "com.example.app:/callback", query, false},
		{"jwt is the default, signed", "jwt", "code", app, signed(query), true},
		{"jwt for tokens is the fragment, signed", "jwt", "id_token token", app, signed(fragment), true},
		{"query.jwt", "query.jwt", "code", app, signed(query), true},
		{"fragment.jwt", "fragment.jwt", "code", app, signed(fragment), true},
		{"form_post.jwt", "form_post.jwt", "code", app, signed(form), true},
		{"no signed form for an app", "form_post.jwt", "code", "com.example.app:/callback", query, false},
		{"tokens never go into the query", "query", "token", app, fragment, false},
		{"not even signed", "query.jwt", "token", app, signed(fragment), false},
		{"what is unknown is refused", "web_message", "code", app, query, false},
		{"in lower case only", "JWT", "code", app, query, false},
		{"without a way", ".jwt", "code", app, query, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, good := response.Parse(c.asked, c.responseType, c.returnTo)
			require.Equal(t, c.good, good)
			require.Empty(t, cmp.Diff(c.want, got))
		})
	}
	for _, mode := range response.Modes() {
		_, good := response.Parse(mode, "code", app)
		require.True(t, good, mode)
	}
}

func TestClaims(t *testing.T) {
	now := time.Unix(1000, 0)
	got := response.Claims(url.Values{"code": {"c"}, "state": {"s"}, "iss": {"overwritten"}}, "https://id.example.com", "app", now)
	require.Empty(t, cmp.Diff(map[string]any{
		"iss": "https://id.example.com", "aud": "app", "exp": now.Add(5 * time.Minute).Unix(), "code": "c", "state": "s",
	}, got))
}

func TestLocation(t *testing.T) {
	values := url.Values{"code": {"a b"}}
	require.Equal(t, app+"?code=a+b", response.Query.Location(app, values))
	require.Equal(t, app+"?x=1&code=a+b", response.Query.Location(app+"?x=1", values))
	require.Equal(t, app+"?x=1#code=a+b", response.Fragment.Location(app+"?x=1", values))
}

func FuzzParse(f *testing.F) {
	f.Add("query.jwt", "code id_token", app)
	f.Add("form_post", "code", "com.example.app:/x")
	f.Fuzz(func(t *testing.T, asked, responseType, returnTo string) {
		mode, good := response.Parse(asked, responseType, returnTo)
		require.Contains(t, []response.Way{response.Query, response.Fragment, response.FormPost}, mode.Way)
		if response.Default(responseType).Way == response.Fragment {
			require.NotEqual(t, response.Query, mode.Way, "a token in a query")
		}
		if asked != "" && good {
			require.Contains(t, response.Modes(), asked)
		}
	})
}
