package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// attempt is a request that the kill may have cut off.
type attempt struct {
	kind, token string
	path        string
	form        url.Values
	status      int // 0: no answer came
	object      map[string]any
}

// TestAttack27 is row 27: kill -9 in the middle of code redemption, refresh and
// revocation; after the restart no token is revived and none doubled.
func TestAttack27KillInTheMiddleOfRedemptionRefreshAndRevocation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	s := newSite(t, "http://"+address)
	s.write(t, "keyway.yaml", "issuer: "+s.URL+"\nlisten: "+address+siteRest)
	file := filepath.Join(s.Dir, "keyway.yaml")
	for range 2 {
		cmd := startProcess(t, file, s.URL)
		v := s.visitor(t)
		work := v.prepare(8)
		var wait sync.WaitGroup
		answered := make(chan struct{}, len(work))
		for _, a := range work {
			wait.Go(func() { v.try(a); answered <- struct{}{} })
		}
		for range len(work) / 3 {
			<-answered
		}
		require.NoError(t, cmd.Process.Kill()) // SIGKILL, with two thirds under way
		wait.Wait()
		_ = cmd.Wait()

		again := startProcess(t, file, s.URL)
		for _, a := range work {
			v.check(a)
		}
		require.NoError(t, again.Process.Kill())
		_ = again.Wait()
	}
}

// prepare makes n codes, refresh tokens and access tokens, and what is to be
// done with them.
func (v *visitor) prepare(n int) []*attempt {
	v.Helper()
	var work []*attempt
	for range n {
		code := v.code("second", "scope", "openid offline_access")
		work = append(work, &attempt{kind: "code", token: code, path: "/oauth2/token", form: url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {siteReturns["second"]},
		}})
		refresh := v.tokens("second", "scope", "openid offline_access").text("refresh_token")
		work = append(work, &attempt{kind: "refresh", token: refresh, path: "/oauth2/token", form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}})
		access := v.tokens("second").text("access_token")
		work = append(work, &attempt{kind: "revoke", token: access, path: "/oauth2/revoke", form: url.Values{"token": {access}}})
	}
	return work
}

// try does it, and bears that no answer comes.
func (v *visitor) try(a *attempt) {
	form := changed(a.form, []string{"client_id", "second", "client_secret", siteSecret})
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.site.URL+a.path, strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := v.http.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	var object map[string]any
	if a.kind != "revoke" && json.NewDecoder(resp.Body).Decode(&object) != nil {
		return // cut off
	}
	a.status, a.object = resp.StatusCode, object
}

// check wants nothing revived and nothing doubled.
func (v *visitor) check(a *attempt) {
	v.Helper()
	active := func(token string) bool { return v.introspectedAs("second", token)["active"] == true }
	switch a.kind {
	case "revoke":
		if a.status == http.StatusOK {
			require.False(v, active(a.token), "revived")
		}
	case "code":
		if a.status == http.StatusOK {
			require.True(v, active(a.object["access_token"].(string)), "what was answered is lost")
		}
		won := 0
		for range 2 {
			got := v.as("second", a.path, a.form)
			if got.status == http.StatusOK {
				won++
				continue
			}
			got.fails(v.T, http.StatusBadRequest, "invalid_grant")
		}
		if a.status == http.StatusOK {
			require.Zero(v, won, "redeemed once more")
			require.False(v, active(a.object["access_token"].(string)), "the reuse was noticed")
		}
		require.LessOrEqual(v, won, 1, "redeemed twice")
	case "refresh":
		if a.status == http.StatusOK {
			require.True(v, active(a.object["access_token"].(string)), "what was answered is lost")
		}
		successors := map[string]bool{}
		if a.status == http.StatusOK {
			successors[a.object["refresh_token"].(string)] = true
		}
		for range 2 {
			if got := v.as("second", a.path, a.form); got.status == http.StatusOK {
				successors[got.text("refresh_token")] = true
			}
		}
		require.LessOrEqual(v, len(successors), 1, "the chain forked")
	}
}
