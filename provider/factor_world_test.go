package provider_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store"
)

// withFactors lets people have second factors, and locks after five failures.
func withFactors(t *testing.T, change ...func(*factor.PolicyOptions)) func(*provider.Options) {
	return func(o *provider.Options) {
		s, ok := o.Storage.(*store.Store)
		require.True(t, ok)
		p := factor.PolicyOptions{Mode: factor.ModeOptional, Links: s, Holders: s}
		for _, f := range change {
			f(&p)
		}
		policy, err := factor.NewPolicy(p)
		require.NoError(t, err)
		gate, err := identity.NewGate(identity.GateOptions{Attempts: s, Now: o.Now, Failures: 5, SourceFailures: -1, Factors: policy})
		require.NoError(t, err)
		desk, err := factor.New(factor.Options{Storage: s, Recovery: s, Challenges: s, Gate: gate, Product: "Example", Now: o.Now})
		require.NoError(t, err)
		hasher, ok := o.Secrets.(*identity.Hasher)
		require.True(t, ok)
		local, err := identity.NewLocal(identity.LocalOptions{Users: s, Hasher: hasher, Logger: o.Log, Now: o.Now})
		require.NoError(t, err)
		o.SignIn, err = identity.NewSignIn(identity.SignInOptions{
			Users: s, Gate: gate, Authenticator: local, Now: o.Now,
			Codes: factor.NewCodes(factor.CodesOptions{Policy: policy, Desk: desk, Locked: gate.Ask}),
		})
		require.NoError(t, err)
		o.Gate, o.Factors = gate, provider.Factors{Policy: policy, Desk: desk}
	}
}

func required(p *factor.PolicyOptions) { p.Mode = factor.ModeRequired }

var (
	shownKey   = regexp.MustCompile(`id="key">((?:[A-Z2-7]{4} ?){8})<`)
	shownCode  = regexp.MustCompile(`<li><code>([a-z2-7-]{19})</code></li>`)
	asksFactor = `id="factor-form"`
	asksEnrol  = `id="enrol-form"`
)

func isFactor(a answer) bool { return strings.Contains(a.raw, asksFactor) }

// phone is an authenticator app.
type phone struct {
	w   *world
	key string
}

func (p *phone) code(t *testing.T) string {
	t.Helper()
	code, err := totp.GenerateCode(p.key, p.w.clock.Now())
	require.NoError(t, err)
	return code
}

// wait lets the next code come.
func (p *phone) wait() { p.w.clock.add(30 * time.Second) }

// enrolAt enters what an app shows that has scanned the key of the page.
func (b *browser) enrolAt(t *testing.T, page answer, more ...string) (*phone, answer) {
	t.Helper()
	key := shownKey.FindStringSubmatch(page.raw)
	require.NotNil(t, key, page.raw)
	p := &phone{w: b.w, key: strings.ReplaceAll(key[1], " ", "")}
	return p, b.submit(t, page, append([]string{"name", "My <phone>", "code", p.code(t)}, more...)...)
}

// enrol sets up an app on the account page, as somebody who is signed in.
func (b *browser) enrol(t *testing.T) (*phone, []string) {
	t.Helper()
	p, a := b.enrolAt(t, b.accountForm(t, "/factors/add"))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	var codes []string
	for _, c := range shownCode.FindAllStringSubmatch(a.raw, -1) {
		codes = append(codes, c[1])
	}
	p.wait()
	return p, codes
}

// enrolled is the phone of alice, who has signed in somewhere.
func (w *world) enrolled(t *testing.T) (*phone, []string) {
	t.Helper()
	b := w.newBrowser()
	b.submit(t, b.get(issuer+"/account"), "username", "alice", "password", password)
	return b.enrol(t)
}

// begin signs in with the password alone.
func (b *browser) begin(t *testing.T, target string) answer {
	t.Helper()
	a := b.get(target)
	require.True(t, isLogin(a), a.raw)
	return b.submit(t, a, "username", "alice", "password", password)
}

// finish consents, where that is asked for, and returns what the client gets.
func (b *browser) finish(t *testing.T, a answer) url.Values {
	t.Helper()
	if isConsent(a) {
		a = b.submit(t, a, "decision", "allow")
	}
	return returned(t, a)
}

// redeemed gets the tokens of a client, and the claims of the ID token.
func (w *world) redeemed(t *testing.T, client string, back url.Values) (answer, map[string]any) {
	t.Helper()
	require.NotEmpty(t, back.Get("code"), back)
	redirect := html.UnescapeString(callback)
	if client == "narrow" {
		redirect = "https://narrow.example.com/callback"
	}
	a := w.post("/oauth2/token", client, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	if a.status != http.StatusOK {
		return a, nil
	}
	claims, err := w.Decode(t.Context(), a.str("id_token"))
	require.NoError(t, err)
	return a, claims
}

// counted says how often the audit trail has what of alice.
func (w *world) counted(t *testing.T) map[string]int {
	t.Helper()
	events, err := w.store.ListEvents(t.Context(), store.EventQuery{Subject: w.alice, Limit: 1000})
	require.NoError(t, err)
	all := map[string]int{}
	for _, e := range events {
		all[strings.TrimSuffix(e.Kind+" "+string(e.Reason), " ")]++
	}
	return all
}

// secretOf makes the secret of a client.
func (w *world) secretOf(t *testing.T, id string) []string {
	t.Helper()
	secret, hash := client.NewSecret()
	w.secrets[id] = secret
	return []string{hash}
}
