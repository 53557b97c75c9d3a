package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// server is one server, and how it is spoken to.
type server struct {
	address  string
	tls      *tls.Config // nil for a connection in the clear
	startTLS bool
	anywhere bool // in the clear to other machines, too
}

// servers are all that hold the same directory.
type servers struct {
	all  []server
	good atomic.Int64 // the one that was reached last
}

func newServers(o *Options) (*servers, error) {
	roots, err := o.Security.roots()
	if err != nil {
		return nil, err
	}
	s := &servers{}
	for _, raw := range o.Servers {
		one, err := o.Security.server(raw, roots)
		if err != nil {
			return nil, fmt.Errorf("server %q: %w", raw, err)
		}
		s.all = append(s.all, *one)
	}
	return s, nil
}

func (s *Security) roots() (*x509.CertPool, error) {
	if s.CA == nil {
		return nil, nil // those of the system
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.CA) {
		return nil, errors.New("the CA has no certificate in it")
	}
	return roots, nil
}

func (s *Security) server(raw string, roots *x509.CertPool) (*server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("must be ldap://HOST:PORT or ldaps://HOST:PORT")
	}
	name, port := s.ServerName, u.Port()
	if name == "" {
		name = u.Hostname()
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: name}
	switch {
	case u.Scheme == "ldaps" && s.StartTLS:
		return nil, errors.New("StartTLS is for ldap, and this is ldaps")
	case u.Scheme == "ldaps":
		return &server{address: net.JoinHostPort(u.Hostname(), orPort(port, goldap.DefaultLdapsPort)), tls: config}, nil
	case u.Scheme != "ldap":
		return nil, errors.New("must be ldap or ldaps")
	case s.StartTLS:
		return &server{address: net.JoinHostPort(u.Hostname(), orPort(port, goldap.DefaultLdapPort)), tls: config, startTLS: true}, nil
	case !s.Insecure && !onThisMachine(u.Hostname()):
		return nil, errors.New("passwords would go over the network in the clear: use ldaps: or StartTLS")
	}
	return &server{address: net.JoinHostPort(u.Hostname(), orPort(port, goldap.DefaultLdapPort)), anywhere: s.Insecure}, nil
}

func orPort(port, otherwise string) string {
	if port == "" {
		return otherwise
	}
	return port
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// dial connects to the first server that can be reached, beginning with the one
// that could be last time. Each gets its share of the time that is left.
func (s *servers) dial(ctx context.Context) (*conn, error) {
	first, n := int(s.good.Load()), len(s.all)
	var failed error
	for i := range n {
		at := (first + i) % n
		c, err := s.all[at].dialWithin(ctx, n-i)
		if err == nil {
			s.good.Store(int64(at))
			return c, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func (s *server) dialWithin(ctx context.Context, left int) (*conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return s.dial(ctx)
}

// dial returns a connection that is as it has to be, or none: what cannot be
// encrypted is closed.
func (s *server) dial(ctx context.Context) (*conn, error) {
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	if s.tls == nil && !s.anywhere && !onThisMachine(hostOf(tcp.RemoteAddr())) {
		_ = tcp.Close()
		return nil, upstream.Fail(upstream.Untrusted, "localhost is another machine")
	}
	c, err := s.begin(ctx, tcp)
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return c, nil
}

func hostOf(a net.Addr) string {
	host, _, _ := net.SplitHostPort(a.String())
	return host
}

func (s *server) begin(ctx context.Context, tcp net.Conn) (*conn, error) {
	raw := &bounded{Conn: tcp}
	raw.left.Store(maxAnswer)
	if s.tls == nil || s.startTLS {
		c := &conn{raw: raw, ldap: goldap.NewConn(raw, false)}
		c.ldap.Start()
		if s.startTLS {
			return c, c.startTLS(ctx, s.tls)
		}
		return c, nil
	}
	over := tls.Client(raw, s.tls)
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, &upstream.Error{Kind: kindOfHandshake(err), Err: err}
	}
	c := &conn{raw: raw, ldap: goldap.NewConn(over, true)}
	c.ldap.Start()
	return c, nil
}

// kindOfHandshake tells a certificate that does not hold from a server that is
// away.
func kindOfHandshake(err error) upstream.Kind {
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	if errors.As(err, &cert) || errors.As(err, &header) {
		return upstream.Untrusted
	}
	return upstream.Unavailable
}
