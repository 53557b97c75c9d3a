package saml_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/saml"
)

// untrusted are answers that are signed, and still not for us, not now, or not for
// what was asked.
func untrusted() map[string]func(*said) {
	far := 10 * time.Minute
	return map[string]func(*said){
		"another issuer":                        func(a *said) { a.Issuer = "https://other.example" },
		"another destination":                   func(a *said) { a.Destination = "https://other.example/acs" },
		"no destination":                        func(a *said) { a.Destination = "" },
		"another recipient":                     func(a *said) { a.Recipient = "https://other.example/acs" },
		"our other connector's recipient":       func(a *said) { a.Recipient = acs + "2" },
		"another audience":                      func(a *said) { a.Audience = "https://other.example" },
		"no audience":                           func(a *said) { a.Audience = "" },
		"an audience that begins as we do":      func(a *said) { a.Audience = entityID + "/x" },
		"expired conditions":                    func(a *said) { a.Until = a.Until.Add(-far) },
		"expired by a second over the skew":     func(a *said) { a.Until = a.Issued.Add(-61 * time.Second) },
		"conditions that begin later":           func(a *said) { a.From = a.From.Add(far) },
		"beginning a second over the skew":      func(a *said) { a.From = a.Issued.Add(61 * time.Second) },
		"an expired confirmation":               func(a *said) { a.Confirmed = a.Confirmed.Add(-far) },
		"confirmed until the skew and a second": func(a *said) { a.Confirmed = a.Issued.Add(-61 * time.Second) },
		"a confirmation without an end":         func(a *said) { a.Confirmed = time.Time{} },
		"made long ago":                         func(a *said) { a.Issued = a.Issued.Add(-far) },
		"made in the future":                    func(a *said) { a.Issued = a.Issued.Add(far) },
		"a sign-in in the future":               func(a *said) { a.SignedIn = a.SignedIn.Add(far) },
		"a session that is over":                func(a *said) { a.Session = ` SessionNotOnOrAfter="` + a.Issued.Add(-far).Format(time.RFC3339) + `"` },
		"the answer to nothing (unsolicited)":   func(a *said) { a.Answers = "" },
		"the answer to another request":         func(a *said) { a.Answers = "_" + upstream.NewAttempt().Nonce },
		"a condition that nobody knows": func(a *said) {
			a.Audience = entityID + `</saml:Audience></saml:AudienceRestriction><x:Odd xmlns:x="urn:x"/><saml:AudienceRestriction><saml:Audience>` + entityID
		},
		"two audiences of which one must be us, too": func(a *said) {
			a.Audience = entityID + `</saml:Audience></saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>https://other.example`
		},
		"two statements of how they signed in": func(a *said) {
			a.Extra = `<saml:AuthnStatement AuthnInstant="2026-11-01T12:00:00Z"><saml:AuthnContext><saml:AuthnContextClassRef>x</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`
		},
		"an encrypted name":    func(a *said) { a.Extra = `<saml:EncryptedID/>` },
		"an id twice":          func(a *said) { a.ID = "_r1" },
		"an id of an odd form": func(a *said) { a.ID = "a:b" },
	}
}

// Casdoor took answers for another audience, of another time, and to no request
// (CVE-2026-9096, CVE-2026-9098).
func TestAttack22AndCVE20269096AndCVE20269098AnswersThatAreNotForUsOrNotNow(t *testing.T) {
	for name, lie := range untrusted() {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			d := s.signed(t, "both", lie)
			p, err := s.exchange(t, text(t, d))
			require.Nil(t, p)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

func TestClocksMayDifferALittle(t *testing.T) {
	for name, change := range map[string]func(*said){
		"expired within the skew":       func(a *said) { a.Until, a.Confirmed = a.Issued.Add(-59*time.Second), a.Issued.Add(-59*time.Second) },
		"beginning within the skew":     func(a *said) { a.From = a.Issued.Add(59 * time.Second) },
		"made within the skew":          func(a *said) { a.Issued = a.Issued.Add(59 * time.Second) },
		"made a minute ago":             func(a *said) { a.Issued = a.Issued.Add(-time.Minute) },
		"conditions that have no end":   func(a *said) { a.Until = a.Issued.AddDate(9, 0, 0) },
		"two audiences, one of them us": func(a *said) { a.Audience = `https://other.example</saml:Audience><saml:Audience>` + entityID },
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			_, err := s.exchange(t, text(t, s.signed(t, "both", change)))
			require.NoError(t, err)
		})
	}
}

func TestAttack22AndASVS683AnAssertionIsTakenOnce(t *testing.T) {
	s := newIDP(t)
	s.remembers(t)
	c := s.connector(t)
	post := s.post(text(t, s.signed(t, "assertion")))
	won := make(chan error, 50)
	for range 50 {
		go func() {
			_, err := c.Exchange(t.Context(), &s.attempt, post)
			won <- err
		}()
	}
	n := 0
	for range 50 {
		if err := <-won; err == nil {
			n++
		} else {
			require.ErrorContains(t, err, "used before")
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		}
	}
	require.Equal(t, 1, n)
	_, err := s.connector(t).Exchange(t.Context(), &s.attempt, post)
	require.ErrorContains(t, err, "used before", "another replica knows, too")
}

func TestWhatTheFormMayBringBack(t *testing.T) {
	s := newIDP(t)
	document := text(t, s.signed(t, "assertion"))
	good := base64.StdEncoding.EncodeToString(document)
	for len(document)%3 != 1 {
		document = append(document, ' ')
	}
	spare := strings.TrimSuffix(base64.StdEncoding.EncodeToString(document), "==")
	spare = spare[:len(spare)-1] + string(spare[len(spare)-1]+1) + "==" // the same text
	form := func(response string, more ...string) url.Values {
		v := url.Values{"SAMLResponse": {response}, "RelayState": {s.attempt.State}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for name, c := range map[string]struct {
		answer url.Values
		why    string
	}{
		"nothing":                     {url.Values{}, "not one SAMLResponse"},
		"no state":                    {url.Values{"SAMLResponse": {good}}, "not one SAMLResponse"},
		"another state":               {form(good, "RelayState", "x"), "RelayState is not"},
		"two responses":               {url.Values{"SAMLResponse": {good, good}, "RelayState": {s.attempt.State}}, "not one SAMLResponse"},
		"a request beside it":         {form(good, "SAMLRequest", "x"), "not one SAMLResponse"},
		"an artifact beside it":       {form(good, "SAMLart", "x"), "not one SAMLResponse"},
		"what is not base64":          {form("<Response/>"), "not base64"},
		"base64 of URLs":              {form("_" + good[1:]), "not base64"},
		"base64 with bits to spare":   {form(spare), "not base64"},
		"a response that is too long": {form(base64.StdEncoding.EncodeToString(append(document, make([]byte, 200<<10)...))), "too long"},
		"a code":                      {url.Values{"code": {"c"}, "state": {s.attempt.State}}, "not one SAMLResponse"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := s.connector(t).Exchange(t.Context(), &s.attempt, c.answer)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.ErrorContains(t, err, c.why)
		})
	}
	lines := good[:76] + "\r\n" + good[76:]
	_, err := s.connector(t).Exchange(t.Context(), &s.attempt, url.Values{"SAMLResponse": {lines}, "RelayState": {s.attempt.State}})
	require.NoError(t, err, "lines may be broken")
}

func TestARefusalThereIsARefusalHere(t *testing.T) {
	for status, want := range map[string]string{
		"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed": "AuthnFailed", "urn:evil\nlog line": "an unknown status",
		`urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"/></samlp:StatusCode><!-- "-->`: "NoAuthnContext",
	} {
		s := newIDP(t)
		truth := s.truth()
		truth.Status = strings.ReplaceAll(status, "\n", "&#10;")
		d := truth.tree(t)
		d.Root().RemoveChild(d.FindElement("//Assertion"))
		_, err := s.exchange(t, text(t, d))
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	t.Run("and an assertion with it does not count", func(t *testing.T) {
		s := newIDP(t)
		d := s.signed(t, "both", func(a *said) { a.Status = "urn:oasis:names:tc:SAML:2.0:status:Requester" })
		_, err := s.exchange(t, text(t, d))
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
	})
}

func TestWhoHasToProveThemselvesAnewDoes(t *testing.T) {
	s := newIDP(t)
	s.attempt.Fresh = true
	old := func(a *said) { a.SignedIn = a.SignedIn.Add(-time.Hour) }
	_, err := s.exchange(t, text(t, s.signed(t, "assertion", old)))
	require.ErrorContains(t, err, "anew")
	_, err = s.exchange(t, text(t, s.signed(t, "assertion")))
	require.NoError(t, err)
}

func TestARequiredContextIsRequired(t *testing.T) {
	s := newIDP(t)
	document := text(t, s.signed(t, "assertion"))
	_, err := s.exchange(t, document, func(o *saml.Options) { o.RequireACR = []string{"urn:gold"} })
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
	_, err = s.exchange(t, document, func(o *saml.Options) {
		o.RequireACR = []string{"urn:gold", "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}
	})
	require.NoError(t, err)
}
