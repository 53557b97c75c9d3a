package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// rule is one row of the table of what a configuration must hold to.
type rule struct {
	key     string
	bad     bool
	message string
	hint    string
}

// rules is the whole table: what is beyond the type and range of one key.
func (c *Config) rules(w world) []rule {
	t, secret := c.TLS, len(c.Secret.Reveal())
	rs := []rule{
		{"listen", !isAddress(c.Listen), "must be host:port", "write 127.0.0.1:8080, or :8080 for every address"},
		{"tls.key", t.Certificate != "" && t.Key == "", "is required beside tls.certificate", ""},
		{"tls.certificate", t.Key != "" && t.Certificate == "", "is required beside tls.key", ""},
		{"secret", !c.Secret.IsZero() && secret < minSecret, "is shorter than 32 bytes", "make one with: openssl rand -base64 48"},
		{"sessions.max", c.Sessions.Max < c.Sessions.Idle, "must not be less than sessions.idle", ""},
		{"tokens.refresh_max_age", c.Tokens.RefreshMaxAge < c.Tokens.RefreshLifetime, "must not be less than tokens.refresh_lifetime", ""},
		{"tokens.refresh_lifetime", c.Tokens.RefreshLifetime < c.Tokens.AccessLifetime, "must not be less than tokens.access_lifetime", ""},
		{
			"passwords.argon2.memory_kib", c.Passwords.Argon2.MemoryKiB < 8*c.Passwords.Argon2.Parallelism,
			"must be at least 8 for each of passwords.argon2.parallelism", "",
		},
		{"sign_in.sign_up_url", !isSignUp(c.SignIn.SignUpURL), "must be an http or https URL with a host, without a fragment", "write https://www.example.com/register"},
		{"limits.read_timeout", c.Limits.ReadTimeout < c.Limits.ReadHeaderTimeout, "must not be less than limits.read_header_timeout", ""},
	}
	rs = append(rs, c.issuerRules()...)
	rs = append(rs, c.databaseRules()...)
	rs = append(rs, c.certificateRules(w)...)
	rs = append(rs, c.Registration.rules()...)
	rs = append(append(rs, c.connectorRules(w)...), w.samlFiles(c.Connectors)...)
	rs = append(rs, c.verifierRules()...)
	rs = append(rs, c.secondFactorRules()...)
	rs = append(rs,
		w.fileRule("tls.certificate", t.Certificate), w.fileRule("tls.key", t.Key), w.fileRule("users_file", c.UsersFile),
		w.folderRule("templates_dir", c.TemplatesDir), w.folderRule("branding_dir", c.BrandingDir))
	return append(append(rs, c.clientRules(w)...), append(c.trustedRules(w), c.systemRules()...)...)
}

// isSignUp reports whether people can be sent to s; "" is nowhere.
func isSignUp(s string) bool {
	_, ok := parseURL(s)
	return s == "" || ok && !strings.Contains(s, "#")
}

// minSecret is the size of the keys that are derived from the secret, in bytes.
const minSecret = 32

func (c *Config) issuerRules() []rule {
	u, ok := parseURL(c.Issuer)
	if !ok {
		return []rule{{"issuer", true, "must be an http or https URL with a host", "write https://login.example.com"}}
	}
	plain := u.Scheme == "http"
	return []rule{
		{"issuer", u.User != nil, "must not hold a user or password", ""},
		{"issuer", u.RawQuery != "" || u.ForceQuery || strings.Contains(c.Issuer, "#"), "must not have a query or fragment", "remove what begins with ? or #"},
		{"issuer", u.Path != "" && (u.Path != path.Clean(u.Path) || u.Path == "/"), "must not end in a slash or have empty or dotted path segments", "write https://login.example.com/path"},
		{
			"issuer", plain && !isLoopback(u.Hostname()) && !c.InsecureHTTP,
			"is http beyond loopback, where passwords and tokens would travel in clear",
			"write an https:// URL, with tls.certificate and tls.key or behind a proxy that has them",
		},
		{"issuer", plain && c.TLS.Certificate != "", "is http, but tls.certificate is given", "write an https:// URL"},
	}
}

func (c *Config) databaseRules() []rule {
	v := c.Database.Reveal()
	u, err := url.Parse(v)
	_, _, other := strings.Cut(v, "://")
	return []rule{
		{"database", v == "", "must not be empty", "write a file such as keyway.db, or a postgres:// URL"},
		{
			"database", !c.Database.Postgres() && (other || strings.Contains(v, "host=") || strings.Contains(v, "dbname=")),
			"is neither a file nor a postgres:// URL", "write keyway.db or postgres://user@host/name",
		},
		{"database", c.Database.Postgres() && (err != nil || u.Host == "" && u.Query().Get("host") == ""), "is not a whole postgres:// URL", "write postgres://user@host:5432/name"},
	}
}

func (w world) fileRule(key, file string) rule {
	if file == "" {
		return rule{}
	}
	info, err := w.stat(file)
	if err != nil {
		return rule{key, true, "names a file that " + why(err), "looked for " + file}
	}
	return rule{key, !info.Mode().IsRegular(), "does not name a regular file", "looked at " + file}
}

func (w world) folderRule(key, folder string) rule {
	if folder == "" {
		return rule{}
	}
	info, err := w.stat(folder)
	if err != nil {
		return rule{key, true, "names a folder that " + why(err), "looked for " + folder}
	}
	return rule{key, !info.IsDir(), "does not name a folder", "looked at " + folder}
}

// parseURL parses an http or https URL with a host and a sane port.
func parseURL(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, false
	}
	if p := u.Port(); p != "" && !isPort(p) || strings.HasSuffix(u.Host, ":") {
		return nil, false
	}
	return u, true
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && (port == "0" || isPort(port)) && !strings.ContainsAny(host, " /")
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isLoopback reports whether host, as it stands in a URL, is this machine for sure.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// scopeToken is a scope (RFC 6749, section 3.3).
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

// listRules checks each item of a list.
func listRules(key string, items []string, ok func(string) bool, message, hint string) []rule {
	rs := make([]rule, 0, len(items))
	seen := map[string]bool{}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", key, i)
		rs = append(rs, rule{at, !ok(item), message, hint}, rule{at, seen[item], "is given twice", ""})
		seen[item] = true
	}
	return rs
}

// lifetimeRule refuses a lifetime of a few seconds, which is a forgotten unit; 0 is none.
func lifetimeRule(key string, d time.Duration) rule {
	return rule{key, d > 0 && d < 10*time.Second, "must be 0s or at least 10s", ""}
}
