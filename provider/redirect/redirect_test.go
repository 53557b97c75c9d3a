package redirect_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/redirect"
)

func TestMatch(t *testing.T) {
	registered := []string{
		"https://app.example.com/callback", "https://app.example.com/callback?a=1", "http://127.0.0.1/callback",
		"http://[::1]:8080/callback?b=2", "http://localhost/callback", "com.example.app:/callback",
	}
	for _, uri := range []string{
		"https://app.example.com/callback", "https://app.example.com/callback?a=1", "com.example.app:/callback", "http://localhost/callback",
		"http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]/callback?b=2",
	} {
		t.Run(uri+" is one of them", func(t *testing.T) { require.True(t, redirect.Match(registered, uri, true)) })
	}
	for _, uri := range []string{
		"", "https://app.example.com/callback/", "https://app.example.com/callbac", "https://app.example.com/callback/../callback",
		"https://app.example.com/callback?", "https://app.example.com/callback?a=1&b=2", "https://app.example.com/callback#x",
		"https://APP.example.com/callback", "https://app.example.com/Callback", "https://app.example.com:443/callback",
		"https://app.example.com@evil.example/callback", "https://evil.example/https://app.example.com/callback",
		"https://sub.app.example.com/callback", "https://app.example.com.evil.example/callback", "https://app.example.com/callback%2f",
		"https://app.example.com/%63allback", `https://app.example.com\@evil.example/callback`, "http://app.example.com/callback",
		"//app.example.com/callback", "https:app.example.com/callback", " https://app.example.com/callback",
		"http://localhost:1/callback", // not an address: it may resolve elsewhere
		"http://user@127.0.0.1:1/callback", "http://127.0.0.1:1@evil.example/callback", "http://127.0.0.1:/callback", "http://127.0.0.1:0/callback",
		"http://127.0.0.1:65536/callback", "http://127.0.0.1:01/callback", "http://127.0.0.1:+1/callback", "http://127.0.0.1:1/callback#", "http://127.0.0.1:1/other",
		"http://127.0.0.1:1/callback?x", "http://127.0.0.1.evil.example/callback", "http://127.0.0.2/callback", "http://[::1]:1/callback",
		"https://127.0.0.1/callback", "HTTP://127.0.0.1/callback", "http://0x7f.1/callback", "javascript:alert(1)",
	} {
		t.Run(uri+" is none of them", func(t *testing.T) { require.False(t, redirect.Match(registered, uri, true)) })
	}
}

func TestOnlyNativeAppsHaveAnyPort(t *testing.T) {
	registered := []string{"http://127.0.0.1:8080/callback"}
	require.True(t, redirect.Match(registered, "http://127.0.0.1:8080/callback", false))
	require.False(t, redirect.Match(registered, "http://127.0.0.1:8081/callback", false))
	require.True(t, redirect.Match(registered, "http://127.0.0.1:8081/callback", true))
}

func TestCheck(t *testing.T) {
	for _, uri := range []string{"https://app.example.com", "https://a.example/b/?c=d", "http://localhost:1/x", "http://127.0.0.1/", "com.example.app:/x"} {
		require.NoError(t, redirect.Check(uri), uri)
	}
	for _, uri := range []string{
		"", "/x", "https://", "https:///x", "http://app.example.com/", "https://a.example/#", "https://a.example/*", "https://u@a.example/",
		"https://a.example/b/../c", `https://a.example\b`, "javascript:alert(1)", "data:text/html,x", "app:/x", "mailto:a@b.example",
	} {
		require.ErrorIs(t, redirect.Check(uri), redirect.ErrUnfit, uri)
	}
}

func TestWithQuery(t *testing.T) {
	values := url.Values{"a": {"b c"}}
	require.Equal(t, "https://x?a=b+c", redirect.WithQuery("https://x", values))
	require.Equal(t, "https://x?y&a=b+c", redirect.WithQuery("https://x?y", values))
	require.Equal(t, "https://x", redirect.WithQuery("https://x", nil))
}

func FuzzMatch(f *testing.F) {
	f.Add("http://127.0.0.1:80/callback")
	f.Add("http://user@127.0.0.1/callback")
	f.Fuzz(func(t *testing.T, asked string) {
		const on4, on6 = "http://127.0.0.1/callback", "http://[::1]/callback"
		if !redirect.Match([]string{on4, on6}, asked, true) {
			return
		}
		u, err := url.Parse(asked)
		require.NoError(t, err)
		require.Nil(t, u.User)
		require.Equal(t, "/callback", u.Path)
		require.True(t, u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
		require.False(t, strings.ContainsAny(asked, "#?"))
	})
}
