package saml_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/saml"
)

func TestMetadataThatIsOfNoUse(t *testing.T) {
	weak := newPair(1024)
	for name, c := range map[string]struct {
		change func(string) string
		why    string
	}{
		"of somebody else":         {swap(`entityID="`+issuer, `entityID="https://other.example`), "does not describe"},
		"of no identity provider":  {swap("SAML:2.0:protocol", "SAML:1.1:protocol"), "has not the role"},
		"with a DTD":               {swap("<md:EntityDescriptor", `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><md:EntityDescriptor`), "DTD"},
		"HTML":                     {func(string) string { return "<html><body>Sign in</body></html>" }, "describes no entity"},
		"JSON":                     {func(string) string { return `{"issuer":"x"}` }, "not well-formed"},
		"nothing":                  {func(string) string { return " " }, "no end"},
		"without a certificate":    {swap(`use="signing"`, `use="encryption"`), "no certificate"},
		"with a broken one":        {swap("CERT", "AAAA"), "cannot be read"},
		"with a weak key":          {swap("CERT", base64.StdEncoding.EncodeToString(weak.cert)), "too weak"},
		"without HTTP-Redirect":    {swap("HTTP-Redirect", "SOAP"), "no requests by HTTP-Redirect"},
		"that leads to plain http": {swap("https://idp.corp.example/sso", "http://idp.corp.example/sso"), "no requests by HTTP-Redirect"},
		"that leads to a script":   {swap("https://idp.corp.example/sso", "javascript:alert(1)//"), "scheme"},
		"that has expired":         {swap("entityID=", `validUntil="2026-10-31T00:00:00Z" entityID=`), "expired"},
		"whose role has expired":   {swap("<md:IDPSSODescriptor", `<md:IDPSSODescriptor validUntil="2026-10-31T00:00:00Z"`), "expired"},
		"that is too large":        {func(s string) string { return s + strings.Repeat(" ", 300<<10) }, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			s.document = c.change(metadataText)
			_, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
			require.ErrorContains(t, err, c.why)
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
			_, err = s.exchange(t, text(t, s.signed(t, "both")))
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
		})
	}
}

func TestMetadataOfSeveral(t *testing.T) {
	entity := strings.TrimPrefix(metadataText, `<?xml version="1.0"?>`)
	other := strings.ReplaceAll(entity, issuer, "https://other.example")
	all := func(validUntil string, entities ...string) string {
		return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" validUntil="` + validUntil + `">` + strings.Join(entities, "") + `</md:EntitiesDescriptor>`
	}
	s := newIDP(t)
	s.document = all("2026-11-02T00:00:00Z", other, entity)
	_, err := s.exchange(t, text(t, s.signed(t, "assertion")))
	require.NoError(t, err)
	s.document = all("2026-10-31T00:00:00Z", entity)
	_, err = s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.ErrorContains(t, err, "expired")
	s.document = all("2026-11-02T00:00:00Z", entity, entity)
	_, err = s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.ErrorContains(t, err, "twice")
}

func TestMetadataIsKeptAndFollowed(t *testing.T) {
	s := newIDP(t)
	s.document = strings.Replace(metadataText, "entityID=", `validUntil="2026-11-02T12:00:00Z" entityID=`, 1)
	c := s.connector(t)
	sign := func() error {
		s.attempt = upstream.NewAttempt()
		_, err := c.Exchange(t.Context(), &s.attempt, s.post(text(t, s.signed(t, "assertion", func(a *said) { a.ID = "_" + s.attempt.Nonce }))))
		return err
	}
	require.NoError(t, sign())
	require.NoError(t, sign())
	require.Equal(t, 1, s.asked, "it is kept")

	s.key = stranger()
	require.Equal(t, upstream.Untrusted, upstream.KindOf(sign()))
	s.at = s.at.Add(61 * time.Minute)
	require.NoError(t, sign(), "a new key is found in an hour")

	s.metaErr = errors.New("down")
	s.at = s.at.Add(2 * time.Hour)
	asked := s.asked
	require.NoError(t, sign(), "an outage does not matter")
	require.NoError(t, sign())
	require.Equal(t, asked+1, s.asked, "and nobody is asked again at once")
	s.at = s.at.Add(time.Minute)
	require.NoError(t, sign())
	require.Equal(t, asked+2, s.asked)

	s.at = s.at.Add(24 * time.Hour)
	require.Equal(t, upstream.Unavailable, upstream.KindOf(sign()), "until the day that it names")
	s.metaErr, s.document = nil, ""
	s.at = s.at.Add(time.Minute)
	require.NoError(t, sign())
}

// Else each of those who wait would ask anew when their turn comes, and wait as long as
// all before them together.
func TestAttack21WhoWaitsForMetadataThatDoesNotComeWaitsOnce(t *testing.T) {
	s := newIDP(t)
	var fetched atomic.Int64
	begun, end := make(chan struct{}, 100), make(chan struct{})
	s.options.Metadata = func(context.Context) ([]byte, error) {
		fetched.Add(1)
		begun <- struct{}{}
		<-end
		return nil, errors.New("away")
	}
	c := s.connector(t)
	errs := make(chan error, 30)
	go func() {
		_, err := c.AuthCodeURL(t.Context(), &s.attempt)
		errs <- err
	}()
	<-begun
	for range cap(errs) - 1 {
		go func() {
			_, err := c.AuthCodeURL(t.Context(), &s.attempt)
			errs <- err
		}()
	}
	time.Sleep(100 * time.Millisecond) // until they wait
	close(end)
	for range cap(errs) {
		require.Equal(t, upstream.Unavailable, upstream.KindOf(<-errs))
	}
	require.Less(t, fetched.Load(), int64(5))
}

func TestWhereMetadataIsRead(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/inward":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, 300<<10))
		default:
			_, _ = w.Write([]byte(r.Header.Get("Accept")))
		}
	}
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true})
	require.NoError(t, err)
	body, err := saml.FromURL(calls.HTTP(), server.URL)(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(body), "application/samlmetadata+xml")
	for _, path := range []string{"/away", "/inward", "/large"} {
		_, err = saml.FromURL(calls.HTTP(), server.URL+path)(t.Context())
		require.Error(t, err, path)
	}
	_, err = saml.FromURL(calls.HTTP(), "http://169.254.169.254/metadata")(t.Context())
	require.Error(t, err)

	path := filepath.Join(t.TempDir(), "idp.xml")
	_, err = saml.FromFile(path)(t.Context())
	require.Error(t, err)
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	body, err = saml.FromFile(path)(t.Context())
	require.NoError(t, err)
	require.Equal(t, "x", string(body))
	require.NoError(t, os.WriteFile(path, make([]byte, 300<<10), 0o600))
	_, err = saml.FromFile(path)(t.Context())
	require.ErrorContains(t, err, "too large")
}

func TestWhatAConnectorNeeds(t *testing.T) {
	for name, change := range map[string]func(*saml.Options){
		"no issuer": func(o *saml.Options) { o.Issuer = "" }, "no entity id": func(o *saml.Options) { o.EntityID = "" },
		"a path for answers": func(o *saml.Options) { o.ACS = "/acs" }, "no metadata": func(o *saml.Options) { o.Metadata = nil },
		"no memory": func(o *saml.Options) { o.Remember = nil }, "no clock": func(o *saml.Options) { o.Now = nil },
		"no key": func(o *saml.Options) { o.Key = "" }, "no certificate": func(o *saml.Options) { o.Certificate = "" },
		"another's certificate": func(o *saml.Options) { o.Certificate = theirs().certPEM() },
		"a certificate as key":  func(o *saml.Options) { o.Key = ours().certPEM() },
		"a weak key":            func(o *saml.Options) { weak := newPair(1024); o.Key, o.Certificate = weak.keyPEM(), weak.certPEM() },
		"an odd signature":      func(o *saml.Options) { o.Signed = "perhaps" },
		"an odd name":           func(o *saml.Options) { o.NameFormat = "transient" },
		"clocks far apart":      func(o *saml.Options) { o.Skew = 2 * time.Minute },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			o := newIDP(t).options
			change(&o)
			_, err := saml.New(o)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "BEGIN RSA")
		})
	}
}
