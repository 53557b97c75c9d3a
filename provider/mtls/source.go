package mtls

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Limits of what a proxy may say.
const (
	maxHeader = 32 << 10 // bytes
	maxChain  = 10       // certificates
)

// Source says where certificates come from. Its zero value knows only those of the
// connection itself.
type Source struct {
	Header  string         // in which a proxy that ends TLS passes the certificate on; "" for none
	Proxies []netip.Prefix // those that are believed; nobody else's header is
}

// errHeader quotes nothing of the header.
var errHeader = errors.New("the header with the certificate is malformed")

// Chain returns what the client showed, nil where it showed nothing. TLS itself,
// or the proxy, has made sure that the client holds the key.
func (s Source) Chain(r *http.Request) (Chain, error) {
	if s.Header != "" && s.trusts(r.RemoteAddr) {
		return s.passedOn(r.Header)
	}
	if r.TLS == nil {
		return nil, nil
	}
	return r.TLS.PeerCertificates, nil
}

func (s Source) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	return err == nil && slices.ContainsFunc(s.Proxies, func(n netip.Prefix) bool { return n.Contains(peer.Addr().Unmap()) })
}

// passedOn reads the two forms in use: PEM in percent-encoding, as nginx has it,
// and the byte sequence of Client-Cert with its companion Client-Cert-Chain (RFC
// 9440, section 2). They cannot be taken for each other.
func (s Source) passedOn(h http.Header) (Chain, error) {
	values := h.Values(s.Header)
	if len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "" {
		return nil, nil
	}
	if len(values) > 1 || len(values[0]) > maxHeader {
		return nil, errHeader
	}
	value := strings.TrimSpace(values[0])
	if !strings.HasPrefix(value, ":") {
		return fromPEM(value)
	}
	more := strings.Join(h.Values(s.Header+"-Chain"), ",")
	if len(more) > maxHeader {
		return nil, errHeader
	}
	items := []string{value}
	if strings.TrimSpace(more) != "" {
		items = append(items, strings.Split(more, ",")...)
	}
	return fromByteSequences(items)
}

func fromByteSequences(items []string) (Chain, error) {
	if len(items) > maxChain {
		return nil, errHeader
	}
	var out Chain
	for _, item := range items {
		item = strings.TrimSpace(item)
		if len(item) < 2 || item[0] != ':' || item[len(item)-1] != ':' {
			return nil, errHeader
		}
		der, err := base64.StdEncoding.DecodeString(item[1 : len(item)-1])
		if err != nil {
			return nil, errHeader
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errHeader
		}
		out = append(out, cert)
	}
	return out, nil
}

func fromPEM(value string) (Chain, error) {
	text, err := url.PathUnescape(value) // a plus is a plus: it is one of base64
	if err != nil {
		return nil, errHeader
	}
	var out Chain
	for rest := []byte(text); len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(out) == maxChain {
			return nil, errHeader
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errHeader
		}
		out = append(out, cert)
	}
	return out, nil
}
