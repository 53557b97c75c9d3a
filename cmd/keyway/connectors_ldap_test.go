package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/config"
	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap/ldaptest"
)

// serviceWord is every secret of corpLDAP's clients.
const serviceWord = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// corpLDAP is a program whose people, two of ours apart, are in the directory at
// SERVER.
const corpLDAP = `database: keyway.db
log: {level: debug}
passwords: {argon2: {memory_kib: 8, iterations: 1, parallelism: 1}}
users_file: users.jsonl
clients:
  - client_id: service
    secret: file:service
    grant_types: [client_credentials]
    scopes: [read]
    may_introspect: true
  - client_id: web
    secret: file:service
    grant_types: [authorization_code, refresh_token]
    redirect_uris: [RETURN]
    scopes: [openid, profile, offline_access]
    skip_consent: true
systems:
  - name: faveo
    template: faveo
    profile: "2.0"
    lifetime: 5m
    sunset: 2099-01-01
    owner: test
    settings: {jwt_secret: file:service, rate_limit: 0}
connectors:
  - id: corp
    type: ldap
    life: {recheck: 1s}
    ldap:
      preset: openldap
      servers: [SERVER]
      start_tls: true
      ca: ca.pem
      bind_dn: cn=reader,dc=corp,dc=example
      bind_password: file:reader
      base_dn: dc=corp,dc=example
      attributes: [uid, cn, givenName, sn, mail, employeeNumber]
    mapping:
      login_name: claims.uid
      roles: claims.groups
      accounts:
        - {system: faveo, id: claims.employeeNumber, attributes: {role: '"agent" '}}
verifiers:
  - steps: [{verifier: corp}, {verifier: local}]
`

func corpFiles(t testing.TB, s *ldaptest.Slapd, dir string) (text string) {
	t.Helper()
	for name, content := range map[string]string{
		"ca.pem": string(s.CA), "reader": ldaptest.ReaderPassword, "service": serviceWord,
		"users.jsonl": `{"login_names":["carol"],"email":"carol@example.com","password":"carol-of-ours","status":"active","accounts":{"faveo":{"id":"1"}}}` + "\n" +
			`{"login_names":["dave"],"email":"dave@example.com","password":"dave-of-ours","status":"active","accounts":{"faveo":{"id":"2"}}}` + "\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	for i, name := range []string{"alice", "bob", "carol"} {
		s.Set(t, ldaptest.PersonDN(name), "employeeNumber", string(rune('7'+i)))
	}
	return strings.NewReplacer("SERVER", s.URL, "RETURN", "http://127.0.0.1:1/callback").Replace(corpLDAP)
}

// faveo logs in through Faveo's call, and returns the token, or the error.
func (d *demo) faveo(t *testing.T, name, password string) (token, refused string) {
	t.Helper()
	_, _, body := d.post(t, "/api/v1/authenticate", url.Values{"username": {name}, "password": {password}}.Encode())
	var reply struct{ Token, Error string }
	require.NoError(t, json.Unmarshal(body, &reply), "%s", body)
	return reply.Token, reply.Error
}

func TestPeopleOfADirectoryComeInByOldCallsAndByThePage(t *testing.T) {
	slapd := ldaptest.StartSlapd(t)
	dir := t.TempDir()
	d := startServe(t, dir, corpFiles(t, slapd, dir))

	token, _ := d.faveo(t, "alice", "alice-secret")
	require.NotEmpty(t, token)
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("service", serviceWord)
	_, _, body := d.post(t, "/oauth2/introspect", url.Values{"token": {token}}.Encode(), "Authorization", r.Header.Get("Authorization"))
	var told map[string]any
	require.NoError(t, json.Unmarshal(body, &told))
	require.Equal(t, true, told["active"], "%s", body)

	_, wrong := d.faveo(t, "alice", "canary-wrong")
	require.NotEmpty(t, wrong)
	_, unknown := d.faveo(t, "mallory", "canary-unknown")
	require.NotEmpty(t, unknown)
	_, injected := d.faveo(t, "*)(uid=alice", "alice-secret")
	require.Equal(t, unknown, injected)

	ours, _ := d.faveo(t, "carol", "carol-secret")
	require.Empty(t, ours, "a name of ours is not the directory's to give")
	ours, _ = d.faveo(t, "dave", "dave-of-ours")
	require.NotEmpty(t, ours, "whom the directory does not know, we may")

	s := newSurfer(t)
	s.open(d.URL + "/account")
	s.submit("login-form", "username", "alice", "password", "canary-wrong")
	s.isAt(d.URL+"/login", `id="login-error"`)
	s.submit("login-form", "username", "alice", "password", "alice-secret")
	s.isAt(d.URL+"/account", "alice Example")

	slapd.Set(t, ldaptest.PersonDN("alice"), "pwdAccountLockedTime", "000001010000Z")
	token, disabled := d.faveo(t, "alice", "alice-secret")
	require.Empty(t, token)
	require.NotEmpty(t, disabled)
	s = newSurfer(t)
	s.open(d.URL + "/account")
	s.submit("login-form", "username", "alice", "password", "alice-secret")
	s.isAt(d.URL + "/login")

	slapd.Stop()
	_, away := d.faveo(t, "bob", "bob-secret")
	require.NotEmpty(t, away)
	slapd.Start(t)
	token, _ = d.faveo(t, "bob", "bob-secret")
	require.NotEmpty(t, token, "one that comes back is asked again")
	requireNowhere(t, d, "alice-secret", "canary-wrong", "canary-unknown", "bob-secret", ldaptest.ReaderPassword)
}

// requireNowhere is CVE-2013-2006 for the whole program, whose log tells all: no
// password is in it, nor in the database.
func requireNowhere(t *testing.T, d *demo, secrets ...string) {
	t.Helper()
	db, err := os.ReadFile(filepath.Join(d.Dir, "keyway.db"))
	require.NoError(t, err)
	wal, _ := os.ReadFile(filepath.Join(d.Dir, "keyway.db-wal"))
	for _, secret := range secrets {
		require.NotContains(t, d.Stderr.String()+d.Stdout.String(), secret)
		require.False(t, bytes.Contains(db, []byte(secret)) || bytes.Contains(wal, []byte(secret)), "%s is in the database", secret)
	}
}

func TestWhoLeavesTheDirectoryLosesWhatTheyHave(t *testing.T) {
	slapd := ldaptest.StartSlapd(t)
	dir := t.TempDir()
	back := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(back.Close)
	d := startServe(t, dir, strings.ReplaceAll(corpFiles(t, slapd, dir), "http://127.0.0.1:1/callback", back.URL))
	verifier := oauth2.GenerateVerifier()
	s := newSurfer(t)
	s.open(d.URL + "/oauth2/authorize?" + url.Values{
		"client_id": {"web"}, "response_type": {"code"}, "redirect_uri": {back.URL}, "scope": {"openid offline_access"}, "state": {"s"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	s.submit("login-form", "username", "alice", "password", "alice-secret")
	s.isAt(back.URL)
	returned, err := url.Parse(s.at)
	require.NoError(t, err)
	redeem := func(form url.Values) (status int, refresh string) {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("web", serviceWord)
		status, _, body := d.post(t, "/oauth2/token", form.Encode(), "Authorization", r.Header.Get("Authorization"))
		var got struct {
			RefreshToken string `json:"refresh_token"`
		}
		require.NoError(t, json.Unmarshal(body, &got), "%s", body)
		return status, got.RefreshToken
	}
	status, refresh := redeem(url.Values{
		"grant_type": {"authorization_code"}, "code": {returned.Query().Get("code")}, "redirect_uri": {back.URL}, "code_verifier": {verifier},
	})
	require.Equal(t, http.StatusOK, status)
	time.Sleep(1100 * time.Millisecond) // until the directory is asked again
	status, refresh = redeem(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	require.Equal(t, http.StatusOK, status)

	slapd.Delete(t, ldaptest.PersonDN("alice"))
	_, refused := d.faveo(t, "alice", "alice-secret")
	require.NotEmpty(t, refused)
	time.Sleep(1100 * time.Millisecond)
	status, _ = redeem(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	require.Equal(t, http.StatusBadRequest, status)
}

func TestADirectoryIsAskedWhatBecameOfItsPeople(t *testing.T) {
	slapd := ldaptest.StartSlapd(t)
	dir := t.TempDir()
	file := writeConfig(t, dir, "issuer: http://127.0.0.1:1\n"+corpFiles(t, slapd, dir))
	cfg, _, err := config.Load(file)
	require.NoError(t, err)
	p := &program{cfg: cfg, now: time.Now}
	t.Cleanup(p.close)
	one, err := p.connector(&cfg.Connectors[0], nil)
	require.NoError(t, err)
	who, err := one.Verifier.Verify(t.Context(), &upstream.Login{Username: "alice", Password: "alice-secret"})
	require.NoError(t, err)
	require.Equal(t, "urn:keyway:connector:corp", who.Issuer)
	known := &upstream.Known{Issuer: who.Issuer, Subject: who.Subject}
	still, err := one.Follower.Follow(t.Context(), known)
	require.NoError(t, err)
	mapped, err := one.Mapper.Map(still)
	require.NoError(t, err)
	require.Equal(t, []string{"admins", "staff"}, mapped.Roles)
	require.Equal(t, "7", mapped.Accounts[0].ID)
	slapd.Delete(t, ldaptest.PersonDN("alice"))
	_, err = one.Follower.Follow(t.Context(), known)
	require.Equal(t, upstream.Unknown, upstream.KindOf(err))
}

func TestCheckFindsWhatIsWrongWithADirectory(t *testing.T) {
	for name, tt := range map[string]struct{ keys, want string }{
		"a filter that does not parse": {"user_filter: '(uid={username}'", "connector corp: ldap: user filter"},
		"a CA without certificates":    {"ca: users.jsonl", "connector corp: ldap: the CA has no certificate in it"},
		"a base that is no DN":         {"base_dn: corp", `connector corp: ldap: "corp" is not a DN`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFolder(t, dir, map[string]string{"users.jsonl": "{}"})
			keys := "{preset: openldap, servers: [ldaps://x], " + tt.keys
			if name != "a base that is no DN" {
				keys += ", base_dn: dc=corp"
			}
			file := writeConfig(t, dir, "issuer: http://127.0.0.1:1\nconnectors:\n  - {id: corp, type: ldap, ldap: "+keys+"}}\n")
			code, _, stderr := runKeyway(t, "check", "--config", file)
			require.Equal(t, exitFailed, code)
			require.Contains(t, stderr, tt.want)
		})
	}
}
