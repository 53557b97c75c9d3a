package main

import (
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func startGo(t *testing.T) *exec.Cmd {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "app")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, examples+"/go").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return exec.Command(binary)
}

func startPython(t *testing.T) *exec.Cmd {
	t.Helper()
	return pythonOf(t, filepath.Join(examples, "python-authlib", "app.py"))
}

// pythonOf takes the first interpreter that has Authlib: the distribution's may
// not be the one that comes first.
func pythonOf(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import authlib, flask, requests").Run() == nil {
			return exec.Command(python, file)
		}
	}
	giveUp(t, "Python's Authlib, Flask and requests are not installed")
	return nil
}

func startApache(t *testing.T) *exec.Cmd { t.Helper(); return apacheOf(t, copyOf(t, "apache")) }

// apacheOf runs the site in dir, which the account that Apache falls back to is
// let read.
func apacheOf(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/apache2")
	if err != nil {
		giveUp(t, "Apache is not installed")
	}
	if _, err := os.Stat("/usr/lib/apache2/modules/mod_auth_openidc.so"); err != nil {
		giveUp(t, "Apache's mod_auth_openidc is not installed")
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	t.Setenv("RUN", t.TempDir())
	t.Setenv("COOKIE_SECRET", rand.Text())
	return exec.Command(program, "-d", dir, "-f", "app.conf", "-D", "FOREGROUND")
}

// refreshByApache asks the module for a new access token, and to be returned.
func refreshByApache(g *guest, self string) {
	g.Helper()
	g.goes(self + "/callback?info=json")
	before, _ := g.reads()["access_token"].(string)
	g.goes(self + "/callback?refresh=" + url.QueryEscape(self+"/private/") + "&access_token=" + url.QueryEscape(before))
	require.Equal(g, self+"/private/", g.at.String())
	g.goes(self + "/callback?info=json")
	require.NotEqual(g, before, g.reads()["access_token"])
}

// copyOf copies an example, so that nothing is left in it.
func copyOf(t *testing.T, example string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(examples, example))))
	return dir
}

// startNode installs what package-lock.json says, to the byte.
func startNode(app string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		dir := copyOf(t, "node")
		install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
		install.Dir = dir
		out, err := install.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return exec.Command("node", filepath.Join(dir, app))
	}
}

func startSpring(t *testing.T) *exec.Cmd {
	t.Helper()
	dir := copyOf(t, "spring")
	build := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "package")
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return exec.Command("java", "-jar", filepath.Join(dir, "target", "app-1.jar"))
}

// copyWithout copies an example and takes something out of one of its files.
func copyWithout(t *testing.T, example, name, unwanted string) string {
	t.Helper()
	dir := copyOf(t, example)
	file := filepath.Join(dir, name)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), unwanted)
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), unwanted, "")), 0o600))
	require.NoError(t, os.Chmod(file, 0o644))
	return dir
}
