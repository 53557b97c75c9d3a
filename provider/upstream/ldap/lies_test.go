package ldap_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/ldap"
	"keyway/provider/upstream/ldap/ldaptest"
)

const (
	patience = 10 * time.Second
	tick     = 50 * time.Millisecond
)

// liar is a server that says of everything what a test makes it say.
type liar struct {
	address string

	mu    sync.Mutex
	heard bytes.Buffer // all that was sent to it
	calls int
}

// lie starts a liar. answer gets the number of a question on its connection, from
// 1, which is the question's message id, too.
func lie(t testing.TB, answer func(id int64, w net.Conn)) *liar {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &liar{address: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.calls++
			s.mu.Unlock()
			go s.talk(c, answer)
		}
	}()
	return s
}

func (s *liar) talk(c net.Conn, answer func(int64, net.Conn)) {
	defer c.Close() //nolint:errcheck // a liar's
	from := io.TeeReader(c, writer(func(b []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard.Write(b)
	}))
	for id := int64(1); ; id++ {
		if _, err := ber.ReadPacket(from); err != nil {
			return
		}
		answer(id, c)
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func (s *liar) was(t testing.TB) (calls int, heard string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.heard.String()
}

// result is an answer of only a result.
func result(id int64, op ber.Tag, code int64, text string) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	r := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	r.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	p.AppendChild(r)
	return p
}

func entry(id int64, dn, value string) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	e := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 4, nil, "")
	e.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	all := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	one := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "entryUUID", ""))
	values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, ""))
	one.AppendChild(values)
	all.AppendChild(one)
	e.AppendChild(all)
	p.AppendChild(e)
	return p
}

const (
	opBind     ber.Tag = 1
	opDone     ber.Tag = 5
	opExtended ber.Tag = 24
)

// plainServer is one that does not know StartTLS.
func plainServer(t testing.TB) string {
	return lie(t, func(id int64, w net.Conn) { _, _ = w.Write(result(id, opExtended, 2, "").Bytes()) }).address
}

// plain are options of a connector that tells a liar everything.
func plain(s *liar) ldap.Options {
	return ldap.Options{
		Issuer: "urn:corp", Servers: []string{"ldap://" + s.address}, BaseDN: "dc=corp", UserFilter: "(uid={username})", Timeout: time.Second,
		Now: func() time.Time { return noon },
	}
}

// TestAttack23StartTLSStripped is somebody between us and the server who wants to
// read the password.
func TestAttack23StartTLSStripped(t *testing.T) {
	yes := func(id int64) []byte { return result(id, opBind, 0, "").Bytes() }
	for name, answer := range map[string]func(int64, net.Conn){
		"it is not known":         func(id int64, w net.Conn) { _, _ = w.Write(result(id, opExtended, 2, "").Bytes()) },
		"it is not now":           func(id int64, w net.Conn) { _, _ = w.Write(result(id, opExtended, 52, "").Bytes()) },
		"it names another server": func(id int64, w net.Conn) { _, _ = w.Write(result(id, opExtended, 10, "").Bytes()) },
		"a yes, and no TLS":       func(id int64, w net.Conn) { _, _ = w.Write(append(result(id, opExtended, 0, "").Bytes(), yes(2)...)) },
		"answers that come before": func(id int64, w net.Conn) {
			_, _ = w.Write(append(yes(2), append(result(id, opExtended, 0, "").Bytes(), yes(3)...)...))
		},
		"it hangs up":     func(_ int64, w net.Conn) { _ = w.Close() },
		"it says nothing": func(int64, net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lie(t, answer)
			o := plain(s)
			o.Security.StartTLS, o.Security.Insecure, o.UserDN = true, true, "uid={username},dc=corp"
			o.BindDN, o.BindPassword = "cn=reader,dc=corp", "reader-canary"
			c := connect(t, o)
			require.Contains(t, []upstream.Kind{upstream.Untrusted, upstream.Unavailable}, kind(t, c, "alice", "canary-password"))
			_, err := c.Follow(t.Context(), &upstream.Known{Issuer: "urn:corp", Subject: "x"})
			require.Error(t, err)
			_, heard := s.was(t)
			require.NotEmpty(t, heard)
			require.NotContains(t, heard, "canary")
		})
	}
}

func TestAttack23ReferralsAreNotFollowed(t *testing.T) {
	elsewhere := lie(t, func(id int64, w net.Conn) { _, _ = w.Write(result(id, opBind, 0, "").Bytes()) })
	s := ldaptest.StartSlapd(t)
	s.Add(t, "ou=elsewhere,"+ldaptest.Base, ldaptest.Entry{
		"objectClass": {"referral", "extensibleObject"}, "ou": {"elsewhere"}, "ref": {"ldap://" + elsewhere.address + "/ou=elsewhere," + ldaptest.Base},
	})
	found := connect(t, options(s))
	require.Empty(t, kind(t, found, "alice", "alice-secret"), "a reference beside what is found is left alone")
	require.Equal(t, upstream.Unknown, kind(t, found, "dave", "dave-secret"))
	for name, change := range map[string]func(*ldap.Options){
		"of a bind":   func(o *ldap.Options) { o.UserDN = "uid={username},ou=elsewhere," + ldaptest.Base },
		"of a search": func(o *ldap.Options) { o.BaseDN = "ou=elsewhere," + ldaptest.Base },
	} {
		k := kind(t, connect(t, options(s), change), "alice", "alice-secret")
		require.Contains(t, []upstream.Kind{upstream.Untrusted, upstream.Wrong}, k, name)
	}
	calls, _ := elsewhere.was(t)
	require.Zero(t, calls)
}

func TestServersThatLie(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	for name, tc := range map[string]struct {
		answer func(int64, net.Conn)
		want   upstream.Kind
	}{
		"nothing at all":        {func(int64, net.Conn) {}, upstream.Unavailable},
		"half an answer":        {func(id int64, w net.Conn) { b := result(id, opDone, 0, "").Bytes(); _, _ = w.Write(b[:len(b)/2]) }, upstream.Unavailable},
		"half, and it hangs up": {func(id int64, w net.Conn) { _, _ = w.Write(result(id, opDone, 0, "").Bytes()[:5]); _ = w.Close() }, upstream.Unavailable},
		"HTML":                  {func(_ int64, w net.Conn) { _, _ = io.WriteString(w, "HTTP/1.1 400 Bad Request\r\n\r\n<html>") }, upstream.Unavailable},
		"an answer without end": {func(id int64, w net.Conn) { _, _ = w.Write(entry(id, "uid=a,dc=corp", big).Bytes()) }, upstream.Untrusted},
		"a length of gigabytes": {func(_ int64, w net.Conn) {
			_, _ = w.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 4, 0x84, 0x7f, 0xff, 0xff, 0xf0})
		}, upstream.Unavailable},
		"deeply nested": {func(_ int64, w net.Conn) { _, _ = w.Write(bytes.Repeat([]byte{0x30, 0x80}, 4000)) }, upstream.Unavailable},
		"entries without end": {func(id int64, w net.Conn) {
			_, _ = w.Write(bytes.Repeat(entry(id, "uid=a,dc=corp", "x").Bytes(), 40_000))
		}, upstream.Refused},
		"an entry without a name": {func(id int64, w net.Conn) {
			_, _ = w.Write(slices.Concat(entry(id, "", "x").Bytes(), result(id, opDone, 0, "").Bytes()))
		}, upstream.Untrusted},
		"another one's answer": {func(id int64, w net.Conn) { _, _ = w.Write(result(id+7, opDone, 0, "").Bytes()) }, upstream.Unavailable},
		"busy":                 {func(id int64, w net.Conn) { _, _ = w.Write(result(id, opDone, 51, "").Bytes()) }, upstream.Unavailable},
		"a referral":           {func(id int64, w net.Conn) { _, _ = w.Write(result(id, opDone, 10, "").Bytes()) }, upstream.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lie(t, tc.answer)
			c := connect(t, plain(s))
			began := time.Now()
			require.Equal(t, tc.want, kind(t, c, "alice", "canary-password"))
			require.Less(t, time.Since(began), patience)
			_, heard := s.was(t)
			require.NotContains(t, heard, "canary", "a password goes to an entry, and there is none")
		})
	}
}

// TestCVE20132006 is Keystone writing LDAP passwords into its debug log.
func TestCVE20132006ErrorsDoNotTellPasswords(t *testing.T) {
	s := lie(t, func(id int64, w net.Conn) {
		text := "you sent canary-password and reader-canary"
		_, _ = w.Write(result(id, opBind, []int64{49, 53, 1, 80, 19, 8, 2}[time.Now().UnixNano()%7], text).Bytes())
	})
	o := plain(s)
	o.UserDN, o.UserFilter, o.BindDN, o.BindPassword = "uid={username},dc=corp", "", "cn=reader", "reader-canary"
	c := connect(t, o)
	for range 30 {
		l := &upstream.Login{Username: "alice", Password: "canary-password"}
		_, err := c.Verify(t.Context(), l)
		_, followed := c.Follow(t.Context(), &upstream.Known{Issuer: "urn:corp", Subject: "x"})
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %v %+v", err, err, err, followed, l), "canary")
	}
}

func TestTheNextServerIsAskedWhereOneCannotBeReached(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	mute := lie(t, func(int64, net.Conn) {})
	c := connect(t, options(s), func(o *ldap.Options) {
		o.Servers = []string{"ldaps://127.0.0.1:1", "ldaps://" + mute.address, s.Secured}
		o.Timeout = 4 * time.Second
	})
	require.Empty(t, kind(t, c, "alice", "alice-secret"))
	calls, _ := mute.was(t)
	require.Equal(t, 1, calls, "the second pool begins with the good one")
	s.Stop()
	require.Equal(t, upstream.Unavailable, kind(t, c, "alice", "alice-secret"))
	s.Start(t)
	require.Empty(t, kind(t, c, "alice", "alice-secret"), "connections that the server closed are not used")
}

func TestAGuessCountsOnce(t *testing.T) {
	s := ldaptest.StartSlapd(t)
	second := lie(t, func(id int64, w net.Conn) { _, _ = w.Write(result(id, opBind, 0, "").Bytes()) })
	c := connect(t, options(s), func(o *ldap.Options) {
		o.Servers = []string{s.URL, "ldap://" + second.address}
		o.Security = ldap.Security{}
		o.UserDN = "uid={username},ou=people," + ldaptest.Base
	})
	require.Equal(t, upstream.Wrong, kind(t, c, "alice", "no"))
	silent := lie(t, func(int64, net.Conn) {})
	c = connect(t, plain(silent), func(o *ldap.Options) {
		o.Servers = append(o.Servers, "ldap://"+second.address)
		o.UserDN, o.UserFilter = "uid={username},dc=corp", ""
	})
	require.Equal(t, upstream.Unavailable, kind(t, c, "alice", "alice-secret"), "it may have been judged, and the answer lost")
	calls, _ := second.was(t)
	require.Zero(t, calls)
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	calls := 0
	s := lie(t, func(id int64, w net.Conn) {
		calls++
		_, _ = w.Write(result(id, opDone, 0, "").Bytes())
	})
	c := connect(t, plain(s), func(o *ldap.Options) { o.Idle = 300 * time.Millisecond })
	for range 20 {
		require.Equal(t, upstream.Unknown, kind(t, c, "alice", "no"))
	}
	made, _ := s.was(t)
	require.Equal(t, 1, made)
	time.Sleep(600 * time.Millisecond)
	require.Equal(t, upstream.Unknown, kind(t, c, "alice", "no"))
	made, _ = s.was(t)
	require.Equal(t, 2, made, "one that nobody used for long is closed")
}
