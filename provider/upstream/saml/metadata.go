package saml

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	crewjamsaml "github.com/crewjam/saml"

	"keyway/provider/upstream"
)

const maxMetadata = 256 << 10 // bytes

// metadata is what an identity provider publishes of itself.
type metadata struct {
	entity  *crewjamsaml.EntityDescriptor
	signOn  string    // where requests go, by HTTP-Redirect
	expires time.Time // zero for never
	at      time.Time
}

// FromFile reads metadata from a file.
func FromFile(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		return readAll(f)
	}
}

// FromURL reads metadata from a URL, within the limits of the client.
func FromURL(client *http.Client, uri string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/samlmetadata+xml, application/xml;q=0.9")
		res, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", res.StatusCode)
		}
		return readAll(res.Body)
	}
}

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err == nil && len(body) > maxMetadata {
		err = errors.New("the metadata is too large")
	}
	return body, err
}

// metadata returns what is known, read anew when it is old. While the identity
// provider is away, the old goes on to count, until the day that it names itself.
func (c *Connector) metadata(ctx context.Context) (*metadata, error) {
	seen := c.tries.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	if c.known == nil && c.failed != nil && c.tries.Load() != seen {
		return nil, c.failed // while this caller waited; of many at once each would wait its time out
	}
	if c.known == nil || now.Sub(c.known.at) >= c.options.Refresh {
		m, err := c.read(context.WithoutCancel(ctx), now)
		c.tries.Add(1)
		switch {
		case err == nil:
			c.known, c.failed = m, nil
		case c.known == nil:
			c.failed = &upstream.Error{Kind: upstream.Unavailable, Err: fmt.Errorf("metadata: %w", err)}
			return nil, c.failed
		default:
			c.known.at = now.Add(min(time.Minute, c.options.Refresh) - c.options.Refresh) // again in a minute
		}
	}
	if !c.known.expires.IsZero() && !now.Before(c.known.expires) {
		return nil, upstream.Fail(upstream.Unavailable, "metadata: it has expired, and there is no newer one")
	}
	return c.known, nil
}

func (c *Connector) read(ctx context.Context, now time.Time) (*metadata, error) {
	document, err := c.options.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(document, c.options.Issuer)
	if err != nil {
		return nil, err
	}
	m.at = now
	if !m.expires.IsZero() && !now.Before(m.expires) {
		return nil, errors.New("it has expired")
	}
	return m, nil
}

// parseMetadata finds the entity in a document of one entity, or of several.
func parseMetadata(document []byte, issuer string) (*metadata, error) {
	if len(document) > maxMetadata {
		return nil, errors.New("the metadata is too large")
	}
	if err := checkTokens(document); err != nil {
		return nil, err
	}
	var several crewjamsaml.EntitiesDescriptor
	if err := xml.Unmarshal(document, &several); err != nil {
		var one crewjamsaml.EntityDescriptor
		if err := xml.Unmarshal(document, &one); err != nil {
			return nil, fmt.Errorf("it describes no entity: %w", err)
		}
		several = crewjamsaml.EntitiesDescriptor{EntityDescriptors: []crewjamsaml.EntityDescriptor{one}}
	}
	var found *crewjamsaml.EntityDescriptor
	for i := range several.EntityDescriptors {
		if e := &several.EntityDescriptors[i]; e.EntityID == issuer {
			if found != nil {
				return nil, errors.New("the entity stands there twice")
			}
			found = e
		}
	}
	if found == nil {
		return nil, errors.New("it does not describe the issuer of the connector")
	}
	m := &metadata{entity: found}
	m.until(several.ValidUntil)
	m.until(&found.ValidUntil)
	return m, m.role()
}

func (m *metadata) until(t *time.Time) {
	if t != nil && !t.IsZero() && (m.expires.IsZero() || t.Before(m.expires)) {
		m.expires = *t
	}
}

// role judges how the entity signs people in.
func (m *metadata) role() error {
	var role *crewjamsaml.IDPSSODescriptor
	for i := range m.entity.IDPSSODescriptors {
		d := &m.entity.IDPSSODescriptors[i]
		for supported := range strings.FieldsSeq(d.ProtocolSupportEnumeration) {
			if supported != protocolNS {
				continue
			}
			if role != nil {
				return errors.New("it has the role of an identity provider twice")
			}
			role = d
		}
	}
	if role == nil {
		return errors.New("it has not the role of an identity provider")
	}
	m.entity.IDPSSODescriptors = []crewjamsaml.IDPSSODescriptor{*role}
	m.until(role.ValidUntil)
	for _, s := range role.SingleSignOnServices {
		if s.Binding == crewjamsaml.HTTPRedirectBinding && m.signOn == "" {
			m.signOn = s.Location
		}
	}
	if !fit(m.signOn) {
		return errors.New("it takes no requests by HTTP-Redirect at an https URL")
	}
	return checkKeys(role.KeyDescriptors)
}

// fit accepts https, and http on this machine.
func fit(location string) bool {
	u, err := url.Parse(location)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// checkKeys sees to it that answers can be verified, by keys of some strength.
func checkKeys(all []crewjamsaml.KeyDescriptor) error {
	n := 0
	for _, d := range all {
		if d.Use != "" && d.Use != "signing" {
			continue
		}
		for _, c := range d.KeyInfo.X509Data.X509Certificates {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Data), ""))
			if err != nil {
				return errors.New("a certificate cannot be read")
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return errors.New("a certificate cannot be read")
			}
			if !strong(cert.PublicKey) {
				return errors.New("it signs with a key that is too weak")
			}
			n++
		}
	}
	if n == 0 {
		return errors.New("it has no certificate for signatures")
	}
	return nil
}

func strong(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize >= 256
	}
	return false
}
