package ldaptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

// What every slapd of this package has.
const (
	Base           = "dc=corp,dc=example"
	Reader         = "cn=reader," + Base // may read everything but passwords
	ReaderPassword = "reader-secret"
	root           = "cn=root," + Base
	rootPassword   = "root-secret"
)

// Slapd is an OpenLDAP server.
type Slapd struct {
	URL     string // ldap:, with StartTLS
	Secured string // ldaps:
	CA      []byte // PEM

	dir     string
	program string
	process *process
}

const slapdConf = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile %[1]s/pid
allow bind_anon_cred
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
database mdb
suffix "dc=corp,dc=example"
rootdn "cn=root,dc=corp,dc=example"
rootpw root-secret
directory %[1]s/data
dbnosync
sizelimit 500
index uid,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=corp,dc=example" read by users read by * none
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,dc=corp,dc=example"
ppolicy_hash_cleartext
ppolicy_use_lockout
`

// StartSlapd starts a server with the people alice, bob and carol, whose passwords
// are their names with "-secret". allow bind_anon_cred makes it answer a bind
// without a password with a yes, as some directories do.
func StartSlapd(t testing.TB) *Slapd {
	t.Helper()
	found, err := exec.LookPath("slapd")
	if err != nil {
		if found = "/usr/sbin/slapd"; !exists(found) {
			giveUp(t, "slapd is not installed; `make test` installs it where it may, otherwise install the package slapd")
		}
	}
	dir, err := os.MkdirTemp("", "keyway-slapd-")
	require.NoError(t, err)
	s := &Slapd{dir: dir, program: filepath.Join(dir, "slapd")}
	t.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(dir)
	})
	// A copy, because AppArmor lets the one at its usual place read nothing of ours.
	program, err := os.ReadFile(found) //nolint:gosec // found above
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.program, program, 0o700)) //nolint:gosec // it is to run
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	s.CA = Authority(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "slapd.conf"), fmt.Appendf(nil, slapdConf, dir), 0o600))
	s.URL, s.Secured = "ldap://"+freeAddress(t), "ldaps://"+freeAddress(t)
	s.Start(t)
	s.fill(t)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Start starts the server anew, with what it held.
func (s *Slapd) Start(t testing.TB) {
	t.Helper()
	var err error
	s.process, err = start(filepath.Join(s.dir, "log"), s.program, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.URL+" "+s.Secured)
	require.NoError(t, err)
	await(t, filepath.Join(s.dir, "log"), func() error {
		l, err := goldap.DialURL(s.URL)
		if err == nil {
			_ = l.Close()
		}
		return err
	})
}

// Stop ends the server; what it holds stays.
func (s *Slapd) Stop() {
	s.process.stop()
	s.process = nil
}

func (s *Slapd) fill(t testing.TB) {
	t.Helper()
	s.Add(t, Base, Entry{"objectClass": {"dcObject", "organization"}, "o": {"Corp"}})
	s.Add(t, "cn=policy,"+Base, Entry{
		"objectClass": {"device", "pwdPolicy"}, "pwdAttribute": {"userPassword"}, "pwdLockout": {"TRUE"}, "pwdMaxFailure": {"5"},
		"pwdMustChange": {"TRUE"}, "pwdMaxAge": {"0"},
	})
	s.Add(t, Reader, Entry{"objectClass": {"organizationalRole", "simpleSecurityObject"}, "userPassword": {ReaderPassword}})
	for _, ou := range []string{"people", "groups"} {
		s.Add(t, "ou="+ou+","+Base, Entry{"objectClass": {"organizationalUnit"}})
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		s.AddPerson(t, name)
	}
	s.Add(t, "cn=staff,ou=groups,"+Base, Entry{"objectClass": {"groupOfNames"}, "member": {PersonDN("alice"), PersonDN("bob")}})
	s.Add(t, "cn=admins,ou=groups,"+Base, Entry{"objectClass": {"groupOfNames"}, "member": {PersonDN("alice")}})
}

// Entry is the attributes of an entry.
type Entry map[string][]string

// PersonDN is the name of somebody's entry.
func PersonDN(name string) string {
	return "uid=" + goldap.EscapeDN(name) + ",ou=people," + Base
}

// AddPerson adds somebody whose password is their name with "-secret".
func (s *Slapd) AddPerson(t testing.TB, name string) {
	t.Helper()
	s.Add(t, PersonDN(name), Entry{
		"objectClass": {"inetOrgPerson"}, "cn": {name + " Example"}, "sn": {"Example"}, "givenName": {name},
		"mail": {"mail-of-" + fmt.Sprintf("%x", name) + "@corp.example"}, "userPassword": {name + "-secret"},
	})
}

func (s *Slapd) asRoot(t testing.TB, what func(*goldap.Conn) error) {
	t.Helper()
	l, err := goldap.DialURL(s.URL)
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // only read from
	require.NoError(t, l.Bind(root, rootPassword))
	require.NoError(t, what(l))
}

// Add adds an entry.
func (s *Slapd) Add(t testing.TB, dn string, e Entry) {
	t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	names := make([]string, 0, len(e))
	for name := range e {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r.Attribute(name, e[name])
	}
	s.asRoot(t, func(l *goldap.Conn) error { return l.Add(r) })
}

// Set replaces an attribute; without values it removes it.
func (s *Slapd) Set(t testing.TB, dn, attribute string, values ...string) {
	t.Helper()
	r := goldap.NewModifyRequest(dn, nil)
	r.Replace(attribute, values)
	s.asRoot(t, func(l *goldap.Conn) error { return l.Modify(r) })
}

// Delete deletes an entry.
func (s *Slapd) Delete(t testing.TB, dn string) {
	t.Helper()
	s.asRoot(t, func(l *goldap.Conn) error { return l.Del(goldap.NewDelRequest(dn, nil)) })
}
