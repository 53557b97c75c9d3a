// Package outbound calls URLs that somebody else may have named: a client its
// jwks_uri or backchannel_logout_uri, a token its issuer. Such a URL must not
// become a way to reach what only this machine can reach, nor to hold it up, so
// there is one client for all of them:
//
//	URL ── Check: https, no user, no fragment
//	        │
//	        v
//	look-up ── every address is judged: address.go ── connection to just the address that was judged
//	                                                         │
//	answer <── size, time, no redirect, no cookie, no proxy <┘
//
// The address is judged where the connection is made and not before, because a
// name may mean another address the next time it is looked up.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxURL          = 2048 // bytes
	maxHeader       = 16 << 10
	maxRedirects    = 3
	connsPerHost    = 8
	idleConnections = 32
)

// Options say what a [Client] may do. Zero values mean the defaults.
type Options struct {
	Timeout       time.Duration // of a whole call, from the look-up to the last byte; default 5 s
	MaxBytes      int64         // of an answer's body; default 256 KiB
	PerHost       int           // connections to one host at a time; default 8, of which one is kept. A number that is given is kept
	Redirects     int           // that a GET follows, each judged anew; default 0, at most 3
	UserAgent     string        // default "Keyway"
	AllowLoopback bool          // this machine itself, by http too: for a demo and for tests
	AllowHosts    []string      // whose addresses may be private ones: names, or name:port
	AllowNetworks []netip.Prefix
	RootCAs       *x509.CertPool // default: the system's

	// Lookup finds the addresses of a host; default: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Client makes the calls. It is safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client
}

// Answer is a successful one.
type Answer struct {
	Status      int
	ContentType string // the media type alone, in lower case; "" for none
	Body        []byte
}

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Redirects < 0 || o.Redirects > maxRedirects {
		return nil, fmt.Errorf("outbound: redirects must be 0 to %d", maxRedirects)
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 10
	}
	idle, kept := idleConnections, 1
	if o.PerHost > 0 {
		idle, kept = o.PerHost, o.PerHost
	} else {
		o.PerHost = connsPerHost
	}
	if o.UserAgent == "" {
		o.UserAgent = "Keyway"
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	o.AllowHosts = slices.Clone(o.AllowHosts)
	for i, h := range o.AllowHosts {
		o.AllowHosts[i] = strings.ToLower(strings.TrimSuffix(h, "."))
	}
	c := &Client{options: o}
	c.http = &http.Client{CheckRedirect: c.redirect, Transport: &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        o.PerHost,
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    kept,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true, // a small answer cannot become a large one
	}}
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Check returns an [*Error] for a URL that can never be called, whatever its host's
// addresses are: for the moment at which somebody names it.
func (c *Client) Check(uri string) error {
	if len(uri) > maxURL {
		return &Error{Reason: Forbidden, Detail: "the URL is too long"}
	}
	u, err := url.Parse(uri)
	if err != nil {
		return &Error{Reason: Forbidden, Detail: "not a URL"}
	}
	return c.check(u)
}

func (c *Client) check(u *url.URL) error {
	refuse := func(detail string) error { return &Error{Reason: Forbidden, Host: u.Host, Detail: detail} }
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	literal := err == nil
	plain := u.Scheme == "http" && c.options.AllowLoopback && (host == "localhost" || literal && addr.Unmap().IsLoopback())
	switch {
	case host == "" || u.Opaque != "":
		return refuse("not an absolute URL")
	case u.User != nil || u.Fragment != "" || strings.ContainsAny(u.Host, "\\ \t\r\n"):
		return refuse("a user, a fragment or a backslash is in the URL")
	case u.Scheme != "https" && !plain:
		return refuse("only https is called")
	case literal && !c.mayDial(addr, u.Host):
		return refuse("the address is not a public one")
	}
	return nil
}

// redirect judges where a GET is sent to; it is returned to its caller as an
// answer that is no success when it may not go there.
func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	if r.Method != http.MethodGet || len(via) > c.options.Redirects {
		return http.ErrUseLastResponse
	}
	r.Header.Del("Referer")
	return c.check(r.URL)
}

// Get returns the answer with status 200. An accept of "" asks for JSON. Errors
// are [*Error].
func (c *Client) Get(ctx context.Context, uri, accept string) (*Answer, error) {
	if accept == "" {
		accept = "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, &Error{Reason: Forbidden, Detail: "not a URL"}
	}
	r.Header.Set("Accept", accept)
	a, err := c.do(r)
	if err == nil && a.Status != http.StatusOK {
		return nil, &Error{Reason: Status, Host: r.URL.Host, Status: a.Status}
	}
	return a, err
}

// PostForm posts values, and returns an answer with a status from 200 to 299. It
// follows no redirect. Errors are [*Error].
func (c *Client) PostForm(ctx context.Context, uri string, values url.Values) (*Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, &Error{Reason: Forbidden, Detail: "not a URL"}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(r)
}

func (c *Client) do(r *http.Request) (*Answer, error) {
	if err := c.Check(r.URL.String()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), c.options.Timeout)
	defer cancel()
	r.Header.Set("User-Agent", c.options.UserAgent)
	res, err := c.http.Do(r.WithContext(ctx))
	if err != nil {
		return nil, classify(r.URL.Host, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, &Error{Reason: Status, Host: r.URL.Host, Status: res.StatusCode}
	}
	if res.ContentLength > c.options.MaxBytes {
		return nil, &Error{Reason: TooLarge, Host: r.URL.Host}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, c.options.MaxBytes+1))
	if err != nil {
		return nil, classify(r.URL.Host, err)
	}
	if int64(len(body)) > c.options.MaxBytes {
		return nil, &Error{Reason: TooLarge, Host: r.URL.Host}
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return &Answer{Status: res.StatusCode, ContentType: kind, Body: body}, nil
}
