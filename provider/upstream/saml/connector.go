package saml

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	crewjamsaml "github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"keyway/provider/upstream"
)

// maxResponse is the longest response, in bytes of XML.
const maxResponse = 192 << 10

// Connector is one identity provider.
type Connector struct {
	options Options
	key     *rsa.PrivateKey
	cert    *x509.Certificate
	acs     *url.URL

	mu     sync.Mutex
	known  *metadata
	failed error         // of the last try while nothing was known
	tries  atomic.Uint64 // how many ended
}

var _ upstream.Connector = (*Connector)(nil)

// New returns a connector. It calls nobody: an identity provider that is away must
// not keep this program from starting.
func New(o Options) (*Connector, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	c := &Connector{options: o}
	var err error
	if c.key, c.cert, err = KeyPair(o.Key, o.Certificate); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	c.acs, err = url.Parse(o.ACS)
	return c, err
}

// provider is what the library sees of us, at this moment. m is nil where the
// identity provider does not matter.
func (c *Connector) provider(m *metadata) *crewjamsaml.ServiceProvider {
	sp := &crewjamsaml.ServiceProvider{
		EntityID: c.options.EntityID, AcsURL: *c.acs, Key: c.key, Certificate: c.cert, SignatureMethod: dsig.RSASHA256SignatureMethod,
		AuthnNameIDFormat: c.options.nameFormat(), MetadataOmitValidUntil: true,
		AssertionConsumerServiceBindings: []string{crewjamsaml.HTTPPostBinding},
		RejectSHA1Signatures:             true, RejectUnknownConditions: true, RejectExpiredIDPMetadata: true,
		Clock: dsig.NewFakeClockAt(c.options.Now()),
	}
	if m != nil {
		sp.IDPMetadata = m.entity
	}
	return sp
}

// requestID is the id of the request of an attempt. Nothing is stored by which a
// request is found again: it is made of what is derived from the state.
func requestID(a *upstream.Attempt) string { return "_" + a.Nonce }

// AuthCodeURL implements [upstream.Connector]. The state travels as RelayState.
func (c *Connector) AuthCodeURL(ctx context.Context, a *upstream.Attempt) (string, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return "", err
	}
	sp := c.provider(m)
	if force := c.options.Force || a.Fresh || a.Prompt == "login"; force {
		sp.ForceAuthn = &force
	}
	if asked := contexts(a.ACRValues, c.options.ACRValues); len(asked) > 0 {
		sp.RequestedAuthnContext = &crewjamsaml.RequestedAuthnContext{Comparison: "exact", AuthnContextClassRefs: asked}
	}
	r, err := sp.MakeAuthenticationRequest(m.signOn, crewjamsaml.HTTPRedirectBinding, crewjamsaml.HTTPPostBinding)
	if err != nil {
		return "", &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	r.ID = requestID(a)
	to, err := r.Redirect(a.State, sp)
	if err != nil {
		return "", &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	return to.String(), nil
}

// contexts are what is asked for: what the app wants, where any of it is a URI, for
// others no identity provider knows and would refuse the request.
func contexts(app, ours []string) []string {
	app = slices.DeleteFunc(slices.Clone(app), func(s string) bool { return !strings.Contains(s, ":") })
	if len(app) > 0 {
		return app
	}
	return ours
}

// Exchange implements [upstream.Connector].
func (c *Connector) Exchange(ctx context.Context, a *upstream.Attempt, answer url.Values) (*upstream.Person, error) {
	document, err := decode(answer)
	if err != nil {
		return nil, untrusted(err)
	}
	if answer.Get("RelayState") != a.State {
		return nil, upstream.Fail(upstream.Untrusted, "RelayState is not that of the attempt")
	}
	if err := checkTokens(document); err != nil {
		return nil, untrusted(err)
	}
	s, err := shapeOf(document)
	if err != nil {
		return nil, untrusted(err)
	}
	if s.status != "" {
		return nil, upstream.Fail(upstream.Refused, "the upstream answered "+known(s.status))
	}
	if err := c.checkSigned(s); err != nil {
		return nil, untrusted(err)
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	said, err := c.provider(m).ParseXMLResponse(document, []string{requestID(a)}, *c.acs)
	if err != nil {
		return nil, untrusted(cause(err))
	}
	return c.judge(ctx, a, said)
}

// decode reads the response as it was posted. The standard encoding is strict, but for
// line breaks, which some identity providers put in.
func decode(answer url.Values) ([]byte, error) {
	values := answer["SAMLResponse"]
	if len(values) != 1 || len(answer["RelayState"]) != 1 || answer.Has("SAMLRequest") || answer.Has("SAMLart") {
		return nil, errors.New("the answer is not one SAMLResponse with one RelayState")
	}
	if base64.StdEncoding.DecodedLen(len(values[0])) > maxResponse {
		return nil, errors.New("the response is too long")
	}
	document, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil {
		return nil, errors.New("the response is not base64")
	}
	return document, nil
}

func (c *Connector) checkSigned(s *shape) error {
	var signed bool
	switch c.options.Signed {
	case SignedAssertion:
		signed = s.assertionSigned
	case SignedResponse:
		signed = s.responseSigned
	case SignedBoth:
		signed = s.assertionSigned && s.responseSigned
	default:
		signed = s.assertionSigned || s.responseSigned
	}
	switch {
	case s.assertions != 1:
		return errors.New("the response has not one assertion")
	case !signed:
		return errors.New("the response has not the signature that it must have")
	}
	return nil
}

func untrusted(err error) error { return &upstream.Error{Kind: upstream.Untrusted, Err: err} }

// cause is what the library keeps back from pages. It may quote the document, so it
// is cut.
func cause(err error) error {
	var invalid *crewjamsaml.InvalidResponseError
	if !errors.As(err, &invalid) || invalid.PrivateErr == nil {
		return err
	}
	text := invalid.PrivateErr.Error()
	return errors.New(strings.ToValidUTF8(text[:min(len(text), 300)], ""))
}

// known keeps what a log may hold of a status.
func known(status string) string {
	switch status {
	case "Requester", "Responder", "VersionMismatch", "AuthnFailed", "InvalidAttrNameOrValue", "InvalidNameIDPolicy", "NoAuthnContext",
		"NoAvailableIDP", "NoPassive", "NoSupportedIDP", "RequestDenied", "RequestUnsupported", "UnknownPrincipal", "UnsupportedBinding":
		return status
	}
	return "an unknown status"
}

// Describe is our own metadata, for whoever runs the identity provider.
func (c *Connector) Describe() (mediaType string, document []byte, err error) {
	d := c.provider(nil).Metadata()
	for i := range d.SPSSODescriptors { // nothing encrypted is taken, so nobody needs a key for it
		role := &d.SPSSODescriptors[i]
		role.KeyDescriptors = slices.DeleteFunc(role.KeyDescriptors, func(k crewjamsaml.KeyDescriptor) bool { return k.Use == "encryption" })
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(d); err != nil {
		return "", nil, err
	}
	return "application/samlmetadata+xml", b.Bytes(), nil
}
