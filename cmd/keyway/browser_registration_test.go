package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnAppThatRegisteredItselfIsShownAsSuch goes to the pages on which people
// are told that nobody vouches for an app, and by which links to judge it.
func TestAnAppThatRegisteredItselfIsShownAsSuch(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.jsonl"), []byte(`{"login_names":["alice"],"status":"active","password":"correct-horse"}`), 0o600))
	d := startServe(t, dir, "database: keyway.db\nusers_file: users.jsonl\nregistration: {mode: open}\n")
	status, _, body := d.post(t, "/oauth2/register", `{"redirect_uris": ["https://preview-17.app.example.com/callback"], "client_name": "Preview of the shop with a rather long name",
		"client_uri": "https://app.example.com/", "policy_uri": "https://app.example.com/policy", "tos_uri": "https://app.example.com/terms"}`)
	require.Equal(t, http.StatusCreated, status, "%s", body)
	var made struct {
		ID string `json:"client_id"`
	}
	require.NoError(t, json.Unmarshal(body, &made))
	ask := "/oauth2/authorize?" + url.Values{
		"client_id": {made.ID}, "redirect_uri": {"https://preview-17.app.example.com/callback"}, "response_type": {"code"}, "scope": {"openid email"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
	browser := startBrowser(t)
	for _, l := range []look{
		{"registered light on a desktop in English", "en-GB,en", "light", 1200},
		{"registered dark on a 360 pixel phone in German", "de", "dark", 360},
	} {
		t.Run(l.name, func(t *testing.T) {
			p := newPerson(browser, t, d.URL)
			p.speaks(l.language)
			p.prefers(l.scheme)
			p.holds(l.width)
			p.open(ask)
			p.sees("client-links")
			p.looks(l, "login-page")
			p.signsIn("alice", "correct-horse", "unvouched")
			p.looks(l, "consent-page")
		})
	}
}
