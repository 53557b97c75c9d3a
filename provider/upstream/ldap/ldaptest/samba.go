package ldaptest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf16"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

// What every Samba of this package has.
const (
	DomainBase    = "DC=corp,DC=example"
	Administrator = "Administrator@corp.example"
	adminPassword = "Passw0rd-of-admin"
)

// Samba is a domain controller of corp.example, CORP for short.
type Samba struct {
	URL     string // ldap:, with StartTLS
	Secured string // ldaps:
	CA      []byte // PEM

	process *process
	address string
}

// sambaConf leaves out whatever is not asked for, and the policy that nobody may
// bind in the clear, so that it is ours that forbids it.
const sambaConf = `[global]
netbios name = DC1
realm = CORP.EXAMPLE
workgroup = CORP
server role = active directory domain controller
server services = ldap, rpc
interfaces = %[2]s/8
bind interfaces only = yes
ldap server require strong auth = no
log level = 1
logging = file
private dir = %[1]s/private
state directory = %[1]s/state
lock directory = %[1]s
cache directory = %[1]s/cache
binddns dir = %[1]s/bind-dns
pid directory = %[1]s
ncalrpc dir = %[1]s/ncalrpc
winbindd socket directory = %[1]s/winbindd
ntp signd socket directory = %[1]s/ntp
log file = %[1]s/log.samba
tls cafile = %[1]s/ca.pem
tls certfile = %[1]s/cert.pem
tls keyfile = %[1]s/key.pem
`

// StartSamba starts a domain controller. Its ports cannot be chosen, so it gets an
// address of its own in 127.0.0.0/8, and needs the right to use ports below 1024.
func StartSamba(t testing.TB) *Samba {
	t.Helper()
	for _, program := range []string{"samba", "samba-tool"} {
		if _, err := exec.LookPath(program); err != nil {
			giveUp(t, program+" is not installed; `make test-upstreams` installs it where it may, otherwise install the packages samba-ad-dc and samba-ad-provision")
		}
	}
	if os.Geteuid() != 0 {
		giveUp(t, "a domain controller needs ports 389 and 636, and the tests do not run as root")
	}
	dir, err := os.MkdirTemp("", "keyway-samba-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Samba{address: ownAddress(t)}
	s.URL, s.Secured = "ldap://"+s.address, "ldaps://"+s.address
	provision(t, dir)
	s.CA = Authority(t, dir, s.address)
	conf := filepath.Join(dir, "smb.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, sambaConf, dir, s.address), 0o600))
	s.process, err = start(filepath.Join(dir, "log"), "samba", "--interactive", "--model=single", "--configfile="+conf)
	require.NoError(t, err)
	t.Cleanup(s.process.stop)
	await(t, filepath.Join(dir, "log"), func() error {
		l, err := s.dial()
		if err == nil {
			_ = l.Close()
		}
		return err
	})
	return s
}

func ownAddress(t testing.TB) string {
	t.Helper()
	var b [3]byte
	_, err := rand.Read(b[:])
	require.NoError(t, err)
	return fmt.Sprintf("127.%d.%d.%d", 1+b[0]%254, b[1], 1+b[2]%254)
}

func provision(t testing.TB, dir string) {
	t.Helper()
	empty := filepath.Join(dir, "empty.conf")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	out, err := exec.CommandContext(t.Context(), "samba-tool", "domain", "provision", "--configfile="+empty, "--targetdir="+dir, //nolint:gosec // a folder of ours
		"--realm=CORP.EXAMPLE", "--domain=CORP", "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", "--host-ip=127.0.0.1",
		"--adminpass="+adminPassword).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func (s *Samba) dial() (*goldap.Conn, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	l, err := goldap.DialURL(s.Secured, goldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	if err != nil {
		return nil, err
	}
	return l, l.Bind(Administrator, adminPassword)
}

func (s *Samba) asAdministrator(t testing.TB, what func(*goldap.Conn) error) {
	t.Helper()
	l, err := s.dial()
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // only read from
	require.NoError(t, what(l))
}

// UserDN is the name of somebody's entry.
func UserDN(name string) string { return "CN=" + name + ",CN=Users," + DomainBase }

// AddUser adds somebody with a password, and further attributes.
func (s *Samba) AddUser(t testing.TB, name, password string, further Entry) {
	t.Helper()
	r := goldap.NewAddRequest(UserDN(name), nil)
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("sAMAccountName", []string{name})
	r.Attribute("userPrincipalName", []string{name + "@corp.example"})
	r.Attribute("userAccountControl", []string{"512"})
	r.Attribute("unicodePwd", []string{quoted(password)})
	for attribute, values := range further {
		r.Attributes = slices.DeleteFunc(r.Attributes, func(a goldap.Attribute) bool { return a.Type == attribute })
		r.Attribute(attribute, values)
	}
	s.asAdministrator(t, func(l *goldap.Conn) error { return l.Add(r) })
}

// AddGroup adds a group of users or of other groups.
func (s *Samba) AddGroup(t testing.TB, name string, members ...string) {
	t.Helper()
	r := goldap.NewAddRequest(UserDN(name), nil)
	r.Attribute("objectClass", []string{"group"})
	r.Attribute("sAMAccountName", []string{name})
	r.Attribute("member", members)
	s.asAdministrator(t, func(l *goldap.Conn) error { return l.Add(r) })
}

// Set replaces an attribute; without values it removes it.
func (s *Samba) Set(t testing.TB, dn, attribute string, values ...string) {
	t.Helper()
	r := goldap.NewModifyRequest(dn, nil)
	r.Replace(attribute, values)
	s.asAdministrator(t, func(l *goldap.Conn) error { return l.Modify(r) })
}

// Delete deletes an entry.
func (s *Samba) Delete(t testing.TB, dn string) {
	t.Helper()
	s.asAdministrator(t, func(l *goldap.Conn) error { return l.Del(goldap.NewDelRequest(dn, nil)) })
}

// AdministratorPassword is that of [Administrator].
func (*Samba) AdministratorPassword() string { return adminPassword }

// quoted writes a password as the attribute unicodePwd wants it ([MS-ADTS],
// section 3.1.1.3.1.5).
func quoted(password string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}
