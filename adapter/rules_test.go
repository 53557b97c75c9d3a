package adapter

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// gym is a system whose fields have every rule that neither the library nor
// the clinic has.
const gym = `
system: gym
profile: "1"
settings:
  passphrase: {type: secret}
  long: {type: duration, default: 4h}
  short: {type: duration, default: 1h}
input: {read: [body], json: any, malformed: malformed}
token: {format: hex32, lifetime: short, from: ["header:token"]}
replies:
  invalid_request: {text: "missing{{ if not .Field.username }} username{{ end }}{{ if not .Field.password }} password{{ end }}"}
  malformed: {text: malformed}
  unknown_user: {text: unknown}
  wrong_password: {text: wrong}
  token_missing: {text: no token}
  invalid_token: {text: bad token}
  invalid_client: {text: bad card}
  method_not_allowed: {status: 405, text: no}
  internal: {text: internal}
routes:
  login:
    path: /login
    methods: [POST]
    action: login
    lifetime: long
    fields:
      username: {from: [name], pattern: '[a-z]+@gym'}
      password: {from: [word], blank: "-"}
      note: {from: [note], missing: "-", not_string: invalid_request}
    replies: {success: {text: hello}}
  login_xml:
    path: /login
    methods: [POST]
    when: {"header:Accept": application/xml}
    action: login
    fields:
      username: {from: [name]}
      password: {from: [word], missing: "-"}
    replies: {success: {xml: <hello/>}, malformed: {xml: <malformed/>}, method_not_allowed: {xml: <no/>}}
  login_guest:
    path: /login
    methods: [POST]
    when: {"body:guest": "yes"}
    action: static
    replies: {success: {text: guest}, malformed: {text: guests only}}
  card:
    path: /card
    action: whoami
    fields:
      card:
        from: ["header:card"]
        normalise: ["openssl_unsalt:passphrase"]
        missing: invalid_client
        match: card
        mismatch: invalid_client
    replies: {success: {text: member}}
`

func gymAt(t *testing.T, settings map[string]any) Instance {
	t.Helper()
	s, err := Load(fstest.MapFS{"gym/system.yaml": {Data: []byte(gym)}}, "gym", "system.yaml")
	require.NoError(t, err)
	return Instance{Name: "gym", System: s, SiteURL: "http://gym.example", Client: "legacy-gym", Settings: settings}
}

func TestFieldsAreJudgedByTheirRules(t *testing.T) {
	g := &scripted{grant: someGrant()}
	a := serve(t, g, nil, gymAt(t, nil))
	for _, c := range []struct{ name, body, want string }{
		{"all is well", `{"name":"ann@gym","word":"x"}`, "hello"},
		{"an empty string counts where the field says so", `{"name":"ann@gym","word":""}`, "hello"},
		{"an absent one does not", `{"name":"ann@gym"}`, "missing password"},
		{"a null is as good as absent", `{"name":"ann@gym","word":null}`, "missing password"},
		{"an optional null is absent", `{"name":"ann@gym","word":"x","note":null}`, "hello"},
		{"an optional array is refused", `{"name":"ann@gym","word":"x","note":["a"]}`, "missing"},
		{"the refusal knows the fields behind the first that is missing", `{"word":"x"}`, "missing username"},
		{"everything is missing", `{}`, "missing username password"},
		{"a value that does not match the pattern is an unknown user's", `{"name":"ann","word":"x"}`, "unknown"},
		{"the pattern is about the whole value", `{"name":"ann@gym\n","word":"x"}`, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, ask(a, http.MethodPost, "/login", "", c.body).Body.String())
		})
	}
	t.Run("the empty password is what is asked with", func(t *testing.T) {
		g.asked.Credentials.Password = "x"
		ask(a, http.MethodPost, "/login", "", `{"name":"ann@gym","word":""}`)
		require.Empty(t, g.asked.Credentials.Password)
	})
	t.Run("uniform errors hide that a name cannot be one", func(t *testing.T) {
		in := gymAt(t, nil)
		in.UniformErrors = true
		w := ask(serve(t, g, nil, in), http.MethodPost, "/login", "", `{"name":"ann","word":"x"}`)
		require.Equal(t, "wrong", w.Body.String())
	})
}

func TestAPasswordMayHaveAnotherReading(t *testing.T) {
	for _, c := range []struct {
		name, policy, word string
		want               []string
	}{
		{"none where the system has none", "", "a  b ", nil},
		{"spaces collapsed and cut", "login: {equivalent: squeeze}", " a  b\t", []string{"a b"}},
		{"none that is the same", "login: {equivalent: squeeze}", "a b", nil},
		{"none of blanks", "login: {equivalent: squeeze}", "  ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Load(fstest.MapFS{"shop/system.yaml": {Data: []byte(shop + c.policy)}}, "shop", "system.yaml")
			require.NoError(t, err)
			in := shopAt(t)
			in.System = s
			g := &scripted{grant: someGrant()}
			ask(serve(t, g, nil, in), http.MethodPost, "/login", form, "name=a&word="+url.QueryEscape(c.word))
			require.Equal(t, c.word, g.asked.Credentials.Password)
			require.Equal(t, c.want, g.asked.Credentials.Equivalent)
		})
	}
}

func TestNoPasswordIsRightForAnAddressWhereTheOperatorSaysSo(t *testing.T) {
	for name, want := range map[string]bool{"ann@example.com": true, "ann": false} {
		g := &scripted{grant: someGrant()}
		a := serve(t, g, nil, libraryAt(t, map[string]any{"key_mandatory": false, "by_mail": false}))
		ask(a, http.MethodPost, "/login", form, "username="+name+"&password=p")
		require.Equal(t, want, g.asked.Credentials.Hopeless, name)
	}
}

func TestARouteMayHaveALifetimeOfItsOwn(t *testing.T) {
	g := &scripted{grant: someGrant()}
	a := serve(t, g, nil, gymAt(t, nil))
	ask(a, http.MethodPost, "/login", "", `{"name":"ann@gym","word":"x"}`)
	require.Equal(t, 4*time.Hour, g.asked.Token.Lifetime)
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(`{"name":"ann"}`))
	r.Header.Set("Accept", "application/xml")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	require.Equal(t, "<hello/>", w.Body.String())
	require.Equal(t, time.Hour, g.asked.Token.Lifetime)
}

func TestTheRouteWithoutConditionsAnswersWhatCannotBeRead(t *testing.T) {
	a := serve(t, &scripted{}, nil, gymAt(t, nil))
	for _, c := range []struct{ name, method, accept, body, want string }{
		{"a condition on the body holds", http.MethodPost, "", `{"guest":"yes"}`, "guest"},
		{"a body that cannot be read", http.MethodPost, "", `{`, "malformed"},
		{"a condition on a header holds all the same", http.MethodPost, "application/xml", `{`, "<malformed/>"},
		{"a method that no route takes", http.MethodGet, "", "", "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/login", strings.NewReader(c.body))
			r.Header.Set("Accept", c.accept)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			require.Equal(t, c.want, w.Body.String())
		})
	}
}

func TestAPresentedTokenIsJudgedBeforeTheFields(t *testing.T) {
	sealed, err := opensslSalted("secret", "C-1")
	require.NoError(t, err)
	g := &scripted{}
	for _, c := range []struct {
		name, passphrase, token, card string
		err                           error
		want                          string
	}{
		{"neither token nor card", "", "", "", nil, "no token"},
		{"a bad token and no card", "", "T", "", identity.Failf(identity.ReasonInvalidToken, "x"), "bad token"},
		{"no card", "", "T", "", nil, "bad card"},
		{"another's card", "", "T", "C-2", nil, "bad card"},
		{"the card", "", "T", "C-1", nil, "member"},
		{"the card encrypted", "secret", "T", sealed, nil, "member"},
		{"the card in clear where it should be encrypted", "secret", "T", "C-1", nil, "bad card"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.grant, g.err = someGrant(), c.err
			g.grant.Account.Attributes["card"] = "C-1"
			a := serve(t, g, nil, gymAt(t, map[string]any{"passphrase": c.passphrase}))
			r := httptest.NewRequest(http.MethodGet, "/card", nil)
			for name, value := range map[string]string{"token": c.token, "card": c.card} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			require.Equal(t, c.want, w.Body.String())
		})
	}
}

func TestMistakesInTheRulesOfFieldsAreReported(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"pattern", "[a-z]+@gym", "[a-z", "no regular expression"},
		{"blank", `blank: "-"`, "blank: nothing", "unknown outcome"},
		{"lifetime", "lifetime: long", "lifetime: eternal", "there is no setting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := strings.Replace(gym, c.from, c.to, 1)
			_, err := Load(fstest.MapFS{"gym/system.yaml": {Data: []byte(src)}}, "gym", "system.yaml")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "gym/system.yaml:")
		})
	}
}
