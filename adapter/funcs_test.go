package adapter

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func testView() *View {
	return &View{
		Now: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Site: Site{URL: "http://s/"},
		Settings: map[string]any{"life": 4 * time.Minute, "on": true},
		Request:  RequestView{JSON: map[string]any{"id": json.Number("7"), "params": map[string]any{"user": "u"}, "a.b": true, "a": map[string]any{"b": false}}},
		User: &identity.User{
			Email: "a@b.example", Claims: map[string]any{"given_name": "A", "nothing": nil},
			LoginNames: []identity.LoginName{{Name: "a@b.example"}, {Name: "pin", Slot: "pin"}, {Name: "ann"}},
		},
		Account: &identity.Account{ID: "12", Attributes: map[string]any{"n": json.Number("3"), "s": "x", "null": nil, "list": []any{"p", json.Number("1")}}},
	}
}

func TestFunctionsOfTemplates(t *testing.T) {
	for _, c := range []struct{ action, want string }{
		{`attr "n" 0`, `3`},
		{`attr "null" "d"`, `null`},
		{`attr "gone" "d"`, `"d"`},
		{`attr "gone" nil`, `null`},
		{`attr "s" "" | upper`, `"X"`},
		{`attr "list" nil`, `["p",1]`},
		{`claim "given_name" ""`, `"A"`},
		{`claim "email" ""`, `"a@b.example"`},
		{`claim "email_verified" nil`, `false`},
		{`setting "on"`, `true`},
		{`int .Settings.life`, `240`},
		{`member "id" nil`, `7`},
		{`member "params.user" nil`, `"u"`},
		{`member "a.b" nil`, `false`},
		{`member "params.gone" 5`, `5`},
		{`username`, `"ann"`},
		{`concat username "/" (attr "n" 0)`, `"ann/3"`},
		{`int "12"`, `12`},
		{`int true`, `1`},
		{`string 12`, `"12"`},
		{`string nil`, `""`},
		{`bool "0"`, `false`},
		{`bool "no"`, `true`},
		{`orNull ""`, `null`},
		{`textOrNull ""`, `""`},
		{`textOrNull 5`, `"5"`},
		{`textOrNull nil`, `null`},
		{`intOrNull ""`, `null`},
		{`intOrNull "5"`, `5`},
		{`default "d" ""`, `"d"`},
		{`default "d" "x"`, `"x"`},
		{`lower "ÄB"`, `"äb"`},
		{`trim " a "`, `"a"`},
		{`join "-" "a" 1 (attr "list" nil)`, `"a-1-p-1"`},
		{`join "-" (split "," "a,b")`, `"a-b"`},
		{`printf "%s?%d" "a" 1`, `"a?1"`},
		{`replace "a" "b" "aa"`, `"bb"`},
		{`split "," "a,b"`, `["a","b"]`},
		{`first "," "a,b,c"`, `"a"`},
		{`rest "," "a,b,c"`, `"b,c"`},
		{`unixtime .Now`, `1767323045`},
		{`date "php" .Now`, `"2026-01-02 03:04:05"`},
		{`date "iso-micro" .Now`, `"2026-01-02T03:04:05.000006Z"`},
		{`date "dmy" "1988-03-02"`, `"02/03/1988"`},
		{`date "2006" "1767323045"`, `"2026"`},
		{`date "php" ""`, `""`},
		{`date "php" nil`, `""`},
		{`date "php" "soon"`, `"soon"`},
		{`md5 "a" "b"`, `"187ef4436122d1cc2f40dc2b92f0eba0"`},
		{`sha1 "App\\User"`, `"87e0af1ef9fd15812fdec97153a14e0b047546aa"`},
		{`base64 "a?"`, `"YT8="`},
		{`stripTags "a <b>c</b> < d <!-- > -->e<"`, `"a c < d e"`},
		{`stripTags "<a title='>'>x<b"`, `"x"`},
		{`htmlEscape "<a & 'b'>"`, `"&lt;a &amp; &#039;b&#039;&gt;"`},
		{`urlencode "a b&c"`, `"a+b%26c"`},
		{`and .Settings.on (eq 1 1)`, `true`},
	} {
		t.Run(c.action, func(t *testing.T) {
			require.Equal(t, c.want, renderInline(t, encodeJSON, "{{ "+c.action+" }}", testView()))
		})
	}
}

func renderInline(t *testing.T, enc encoding, src string, v *View) string {
	t.Helper()
	ts := templates{files: map[string]*prepTemplate{}}
	parsed, err := ts.parse("inline", src, enc)
	require.NoError(t, err)
	text, err := parsed.render(v)
	require.NoError(t, err)
	return text
}

func TestUsernameFallsBackFromAttributeToLoginName(t *testing.T) {
	v := testView()
	v.User.Claims["preferred_username"] = "claimed"
	require.Equal(t, "claimed", username(v))
	v.Account.Attributes["user_name"] = "column"
	require.Equal(t, "column", username(v))
	require.Empty(t, username(&View{}))
	v = &View{User: &identity.User{LoginNames: []identity.LoginName{{Name: "only@mail.example"}}}}
	require.Equal(t, "only@mail.example", username(v))
}

func TestRandomComesFromItsAlphabet(t *testing.T) {
	for name, pattern := range map[string]string{
		"hex": "^[0-9a-f]{26}$", "HEX": "^[0-9A-F]{26}$", "alnum": "^[0-9A-Za-z]{26}$", "lower": "^[a-z]{26}$",
		"digits": "^[0-9]{26}$", "base32hex": "^[0-9a-v]{26}$",
	} {
		s, err := random(26, name)
		require.NoError(t, err)
		require.Regexp(t, regexp.MustCompile(pattern), s)
	}
	_, err := random(0, "hex")
	require.Error(t, err)
	_, err = random(5, "runes")
	require.Error(t, err)
}

func TestOpenSSLSaltedComesBack(t *testing.T) {
	for _, text := range []string{"", "x", "exactly 16 bytes", "DEMO-PAYHUB-APIKEY ë"} {
		sealed, err := opensslSalted("pass", text)
		require.NoError(t, err)
		require.Regexp(t, "^U2FsdGVkX1", sealed)
		plain, ok := opensslUnsalt("pass", sealed)
		require.True(t, ok)
		require.Equal(t, text, plain)
		other, ok := opensslUnsalt("other", sealed)
		require.False(t, ok && other == text)
	}
	// Made by: printf hello | openssl enc -aes-256-cbc -md md5 -base64 -S 0001020304050607 -pass pass:pw
	plain, ok := opensslUnsalt("pw", opensslVector)
	require.True(t, ok)
	require.Equal(t, "hello", plain)
	for _, bad := range []string{"", "no base64!", "U2FsdGVkX18=", "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="} {
		_, ok := opensslUnsalt("pw", bad)
		require.False(t, ok, bad)
	}
}

func TestNumbersThatAreNoneAreErrors(t *testing.T) {
	for _, v := range []any{"", "x", 1.5, uint64(1) << 63, []any{}, nil, 1e300} {
		_, err := toInt(v)
		require.Error(t, err, "%v", v)
	}
	_, err := toTime("soon")
	require.Error(t, err)
}

const opensslVector = "U2FsdGVkX18AAQIDBAUGB0DbVd8TFs3otmrYvCdMB5M="
