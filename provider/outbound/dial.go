package outbound

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// dial connects to the very address that it judged. One bad address among a
// host's spoils them all.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &Error{Reason: Forbidden, Host: address}
	}
	// The transport dials without the deadline of the request that waits for it.
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	addrs, err := c.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if !c.mayDial(a, address) {
			return nil, &Error{Reason: Forbidden, Host: host, Detail: "the address is not a public one"}
		}
	}
	var d net.Dialer
	for i, a := range addrs {
		var conn net.Conn
		if conn, err = c.dialOne(ctx, &d, network, net.JoinHostPort(a.String(), port), len(addrs)-i); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialOne leaves time for the addresses after it.
func (*Client) dialOne(ctx context.Context, d *net.Dialer, network, address string, left int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	return d.DialContext(ctx, network, address)
}

func (c *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := c.options.Lookup(ctx, host)
	if err == nil && len(addrs) == 0 {
		return nil, &Error{Reason: Unresolved, Host: host}
	}
	return addrs, err
}

// mayDial judges an address of a host, which is written with its port or
// without. What the operator allowed by name may be private, but is never
// link-local: there machines keep their secrets.
func (c *Client) mayDial(a netip.Addr, host string) bool {
	a = a.Unmap()
	switch {
	case Public(a):
		return true
	case within(c.options.AllowNetworks, a):
		return true
	case a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Zone() != "":
		return false
	case c.options.AllowLoopback && a.IsLoopback():
		return true
	}
	host = strings.ToLower(host)
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return slices.Contains(c.options.AllowHosts, host) || slices.Contains(c.options.AllowHosts, strings.TrimSuffix(name, "."))
}
