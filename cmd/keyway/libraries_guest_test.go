package main

import (
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guest is a person at a browser that keeps cookies and follows redirects from
// an app to Keyway and back.
type guest struct {
	*testing.T
	http *http.Client
	ends string   // the beginning of the URLs at which nobody listens
	at   *url.URL // of the page that is shown, or where nobody listens
	page string
	kind string // its media type
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	g := &guest{T: t, http: &http.Client{Jar: jar, Timeout: time.Minute}}
	g.http.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if len(before) > 10 {
			return errors.New("redirected in circles")
		}
		if g.at = next.URL; g.ends != "" && strings.HasPrefix(next.URL.String(), g.ends) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return g
}

// goes to a page.
func (g *guest) goes(target string) {
	g.Helper()
	req, err := http.NewRequestWithContext(g.Context(), http.MethodGet, target, nil)
	require.NoError(g, err)
	g.send(req)
}

func (g *guest) send(req *http.Request) {
	g.Helper()
	req.Header.Set("Accept", "text/html,application/json;q=0.9,*/*;q=0.8")
	if g.at != nil {
		req.Header.Set("Origin", g.at.Scheme+"://"+g.at.Host)
	}
	g.at = req.URL
	resp, err := g.http.Do(req)
	require.NoError(g, err)
	defer resp.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(resp.Body)
	require.NoError(g, err)
	g.page = string(body)
	g.kind, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	require.Less(g, resp.StatusCode, 400, "%s: %s", g.at, g.page)
}

var (
	pageForm   = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)".*?</form>`)
	pageHidden = regexp.MustCompile(`<input[^>]* type="hidden"[^>]*>`)
	pageName   = regexp.MustCompile(` name="([^"]*)"`)
	pageValue  = regexp.MustCompile(` value="([^"]*)"`)
)

// submits the form that is shown. Fields is pairs of a name and a value.
func (g *guest) submits(fields ...string) {
	g.Helper()
	form := pageForm.FindStringSubmatch(g.page)
	require.NotNil(g, form, "no form at %s: %s", g.at, g.page)
	values := url.Values{}
	for _, input := range pageHidden.FindAllString(form[0], -1) {
		values.Set(attribute(pageName, input), attribute(pageValue, input))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	action, err := g.at.Parse(html.UnescapeString(form[1]))
	require.NoError(g, err)
	req, err := http.NewRequestWithContext(g.Context(), http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	require.NoError(g, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	g.send(req)
}

func attribute(pattern *regexp.Regexp, element string) string {
	if found := pattern.FindStringSubmatch(element); found != nil {
		return html.UnescapeString(found[1])
	}
	return ""
}

// sees wants an element of a page of Keyway's.
func (g *guest) sees(id string) {
	g.Helper()
	require.Contains(g, g.page, `id="`+id+`"`, "at %s", g.at)
}

// signsIn fills in Keyway's login page and allows what the app asks for.
func (g *guest) signsIn(username, password string) {
	g.Helper()
	g.sees("login-form")
	g.submits("username", username, "password", password)
	g.sees("consent-form")
	g.submits("decision", "allow")
}

// reads the JSON object that is shown.
func (g *guest) reads() map[string]any {
	g.Helper()
	require.Equal(g, "application/json", g.kind, "%s: %s", g.at, g.page)
	var object map[string]any
	require.NoError(g, json.Unmarshal([]byte(g.page), &object), g.page)
	return object
}

// claims reads what the app shows of the person.
func (g *guest) claims() map[string]any {
	g.Helper()
	shown := g.reads()
	if userinfo, ok := shown["userinfo"].(map[string]any); ok {
		return userinfo
	}
	return shown
}
