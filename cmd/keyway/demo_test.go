package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// volatile is what differs from one run to the next.
var volatile = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}`), "JWT"},
	{regexp.MustCompile(`"[0-9A-F]{32}"`), `"HEX32"`},
	{regexp.MustCompile(`"time_token": \d{10}`), `"time_token": TIME`},
	{regexp.MustCompile(`"expiry":"(3600|35\d\d)"`), `"expiry":"SECONDS"`},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "DATE TIME"},
}

func masked(text, issuer string) string {
	text = strings.ReplaceAll(text, issuer, "http://DEMO")
	text = strings.ReplaceAll(text, strings.ReplaceAll(issuer, "/", `\/`), `http:\/\/DEMO`)
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.mask)
	}
	return text
}

func TestDemoPrintsCallsThatAreAnsweredAsDocumented(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		giveUp(t, "curl is not installed")
	}
	_ = curl
	d := startDemo(t)
	printed := d.Stdout.String()
	var got strings.Builder
	for _, c := range demoCalls() {
		line := "curl -s " + strings.ReplaceAll(c.Args, "$U", d.URL)
		require.Contains(t, printed, line+"\n", "the call is printed")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		require.NoError(t, err, line)
		got.WriteString("# " + c.Title + "\n" + masked(string(out), d.URL) + "\n\n")
	}
	golden := filepath.Join("testdata", "demo.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the demo's answers differ (-want +got):\n%s", diff)
	}
}

func TestDemoExchangesALegacyTokenForANarrowerOne(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		giveUp(t, "curl is not installed")
	}
	d := startDemo(t)
	line := expandDemo(demoExchange(), d.URL)
	require.Contains(t, d.Stdout.String(), line+"\n", "the call is printed")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(out, &answer), string(out))
	require.Equal(t, "openid", answer["scope"], string(out))
	require.Equal(t, "urn:ietf:params:oauth:token-type:access_token", answer["issued_token_type"])
	line = expandDemo("curl -s $U/oauth2/introspect -u demo-service:demo-service-secret-0b9e3c7a51d24f68 -d token=", d.URL)
	out, err = exec.CommandContext(t.Context(), "sh", "-c", line+answer["access_token"].(string)).Output()
	require.NoError(t, err)
	var told map[string]any
	require.NoError(t, json.Unmarshal(out, &told), string(out))
	require.Equal(t, true, told["active"])
	require.Equal(t, []any{"https://orders.demo.example"}, told["aud"])
	require.Equal(t, "urn:keyway:legacy:faveo", told["acr"], "it says where the person signed in")
}

// giveUp skips the test for want of a program, except where nothing may be
// skipped.
func giveUp(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func TestDemoStaysOnLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "203.0.113.7:80"} {
		code, _, stderr := runKeyway(t, "demo", "--listen", address)
		require.Equal(t, exitUsage, code, address)
		require.Contains(t, stderr, "not a loopback address")
	}
}

func TestDemoStartsAgainOnItsData(t *testing.T) {
	dir := t.TempDir()
	cfg, err := demoConfig("127.0.0.1:1", dir)
	require.NoError(t, err)
	subjects := map[string]bool{}
	for range 2 {
		p, err := open(t.Context(), cfg, t.Output())
		require.NoError(t, err)
		login, err := p.store.FindLogin(t.Context(), "default", "alice")
		require.NoError(t, err)
		subjects[login.User.Subject] = true
		p.close()
	}
	require.Len(t, subjects, 1, "the same users")
}
