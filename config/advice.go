package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// advice is the table of what is allowed and fit for development only.
func (c *Config) advice() []rule {
	plain := strings.HasPrefix(c.Issuer, "http:")
	rs := []rule{
		{"issuer", plain && !c.InsecureHTTP, "is http on loopback, which only this machine can use", "for others, write an https:// URL"},
		{"insecure_http", plain && c.InsecureHTTP, "lets passwords and tokens travel in clear", "get a certificate and write an https:// issuer"},
		{
			"issuer", !plain && c.TLS.Certificate == "" && len(c.TrustedProxies) == 0,
			"is https, but there is neither tls.certificate nor a proxy in trusted_proxies", "name the proxy's network, or every client seems to come from the proxy",
		},
		{"secret", fewLetters(c.Secret), "looks guessable", "make one with: openssl rand -base64 48"},
		{"passwords.argon2", c.Passwords.Argon2.weak(), "is weaker than OWASP advises", "write memory_kib: 19456, iterations: 2, or more of either"},
		{"tokens.access_lifetime", c.Tokens.AccessLifetime > 24*time.Hour, "lets a stolen access token live for more than a day", "write 15m and let clients refresh"},
		{"registration.mode", c.Registration.Mode == "open", "lets everybody register an app that asks your people for their consent", "write token, and invite with: keyway clients invite"},
		{"outbound.allow_loopback", c.Outbound.AllowLoopback, "lets whoever registers a client make this machine call itself", "remove it outside of development"},
	}
	for i, p := range c.TrustedProxies {
		rs = append(rs, rule{fmt.Sprintf("trusted_proxies[%d]", i), p.Bits() == 0, "lets every client choose the address it seems to come from", "name the proxy's own network"})
	}
	rs = append(rs, c.databaseAdvice()...)
	for i := range c.Connectors {
		rs = append(rs, rule{
			fmt.Sprintf("connectors[%d].mapping.allow", i), c.Connectors[i].open(), "is missing: anybody in the world can make an account there, and so become a user here",
			`write who may come in, such as '"9919" in claims.group_ids', or create: false`,
		})
	}
	for i, x := range c.Clients {
		at := fmt.Sprintf("clients[%d].", i)
		n := len(x.Secret.Reveal())
		rs = append(rs, rule{at + "secret", !x.Secret.IsZero() && (n < 24 || fewLetters(x.Secret)), "looks guessable", "make one with: openssl rand -base64 32"})
	}
	for i, x := range c.Systems {
		at := fmt.Sprintf("systems[%d].", i)
		rs = append(rs, rule{
			at + "sunset", x.Sunset.IsZero(), "is missing: the password grant is an exception (RFC 9700, section 2.4) and an exception has an end",
			"write the date by which its clients shall have moved, as sunset: 2027-12-31",
		})
	}
	return rs
}

// open reports whether everybody is let in who has an account where everybody can have
// one.
func (x *Connector) open() bool {
	issuer, _ := x.keyedBy()
	public := issuer == "https://accounts.google.com" || issuer == publicBase("github") || issuer == publicBase("gitlab")
	return public && x.Create && !x.Disabled && x.Mapping.Allow == ""
}

func (c *Config) databaseAdvice() []rule {
	if !c.Database.Postgres() {
		file := c.Database.Reveal()
		in, err := filepath.Rel(os.TempDir(), file)
		temporary := err == nil && filepath.IsAbs(file) && in != ".." && !strings.HasPrefix(in, ".."+string(filepath.Separator))
		return []rule{{"database", temporary, "is in the folder for temporary files, which the system empties", "write a path that is backed up"}}
	}
	u, err := url.Parse(c.Database.Reveal())
	if err != nil {
		return nil
	}
	far := u.Hostname() != "" && !isLoopback(u.Hostname())
	return []rule{
		{"database", c.Database.literal && c.Database.hasPassword(), "holds a password in this file", "write env:NAME or file:PATH, or use a .pgpass file"},
		{"database", far && u.Query().Get("sslmode") == "disable", "talks to another machine in clear", "remove sslmode=disable"},
	}
}

// weak reports whether a is below the equivalent settings of the OWASP
// password storage cheat sheet, whose product of memory and passes is at
// least 35 MiB.
func (a Argon2) weak() bool {
	return a.MemoryKiB < 7168 || a.MemoryKiB*a.Iterations < 35*1024
}

// fewLetters reports whether a secret has too little variety to be random.
func fewLetters(s Secret) bool {
	letters := map[byte]bool{}
	for _, b := range []byte(s.Reveal()) {
		letters[b] = true
	}
	return !s.IsZero() && len(letters) < 10
}

// Overdue warns of systems whose sunset has passed, or comes within 30 days.
// It is apart from loading, because a file does not become wrong overnight.
func (c *Config) Overdue(now time.Time) []Warning {
	var warnings []Warning
	for i, x := range c.Systems {
		if x.Sunset.IsZero() || now.Before(x.Sunset.AddDate(0, 0, -30)) {
			continue
		}
		message := fmt.Sprintf("%s: the sunset of %s is near", x.Name, x.Sunset.Format(time.DateOnly))
		if !now.Before(x.Sunset) {
			message = fmt.Sprintf("%s: the sunset of %s has passed", x.Name, x.Sunset.Format(time.DateOnly))
		}
		warnings = append(warnings, Warning{
			Key: fmt.Sprintf("systems[%d].sunset", i), Message: message,
			Hint: "move its clients to OpenID Connect and remove the system, or agree on a later date",
		})
	}
	return warnings
}
