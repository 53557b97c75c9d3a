package binding

import (
	"crypto/x509"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v3"

	"keyway/provider/client"
	"keyway/provider/dpop"
	"keyway/provider/identity"
	"keyway/provider/mtls"
	"keyway/provider/wire"
)

// Certificates says how clients may show theirs.
type Certificates struct {
	Source      mtls.Source
	Authorities *x509.CertPool // that vouch for clients; nil refuses tls_client_auth
	URL         string         // by which clients with certificates reach the issuer; "" where that is the issuer's own
}

// Methods are the methods of client authentication that certificates allow.
func (c *Certificates) Methods() []string {
	switch {
	case c == nil:
		return nil
	case c.Authorities == nil:
		return []string{string(client.AuthSelfSignedTLS)}
	}
	return []string{string(client.AuthTLS), string(client.AuthSelfSignedTLS)}
}

// Aliases are the URLs of endpoints for clients with certificates (RFC 8705,
// section 5), by the members that name their paths; nil where there are none.
func (c *Certificates) Aliases(paths map[string]string) map[string]string {
	if c == nil || c.URL == "" {
		return nil
	}
	aliases := make(map[string]string, len(paths))
	for member, path := range paths {
		aliases[member] = c.URL + path
	}
	return aliases
}

// Options are what a [Binder] needs. Issuer, Secret, Remember and Now have no default.
type Options struct {
	Issuer       string
	Secret       []byte // of the provider, the same on every replica
	Remember     dpop.Remember
	Now          func() time.Time
	RequireNonce bool          // of DPoP proofs
	Certificates *Certificates // nil where clients have none
}

// Binder sees what clients hold.
type Binder struct {
	proofs       *dpop.Verifier
	now          func() time.Time
	certificates Certificates
	nonces       bool
	bases        []string // the URLs of the issuer
}

// New returns a binder.
func New(o Options) (*Binder, error) {
	proofs, err := dpop.NewVerifier(dpop.Options{Secret: o.Secret, Remember: o.Remember, Now: o.Now, RequireNonce: o.RequireNonce})
	if err != nil {
		return nil, err
	}
	b := &Binder{proofs: proofs, now: o.Now, nonces: o.RequireNonce, bases: []string{o.Issuer}}
	if o.Certificates != nil {
		b.certificates = *o.Certificates
		if o.Certificates.URL != "" {
			b.bases = append(b.bases, o.Certificates.URL)
		}
	}
	return b, nil
}

// Shown is what the caller of the endpoint at path shows that it holds. A proof
// is used up by that. Errors are [*wire.Error] or what storage says.
func (b *Binder) Shown(c *gin.Context, path string) (Key, error) {
	proof, err := b.Proof(c, path, "")
	if err != nil {
		return Key{}, err
	}
	chain, err := b.certificates.Source.Chain(c.Request)
	if err != nil {
		return Key{}, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The client certificate could not be read.", Cause: err}
	}
	return Key{Proof: proof, Certificate: chain.Thumbprint()}, nil
}

// Proof is the thumbprint of the key of the request's DPoP proof, "" where it has
// none. accessToken is what comes with it, if anything.
func (b *Binder) Proof(c *gin.Context, path, accessToken string) (string, error) {
	header := c.Request.Header.Values(dpop.Header)
	if len(header) == 0 {
		return "", nil
	}
	if b.nonces {
		c.Header(dpop.NonceHeader, b.proofs.Nonce())
	}
	r := dpop.Request{Method: c.Request.Method, AccessToken: accessToken}
	for _, base := range b.bases {
		r.URLs = append(r.URLs, base+path)
	}
	proof, err := b.proofs.Verify(c.Request.Context(), header, r)
	switch {
	case errors.Is(err, dpop.ErrNonce):
		c.Header(dpop.NonceHeader, b.proofs.Nonce())
		return "", wire.Of("use_dpop_nonce", err)
	case errors.Is(err, dpop.ErrInvalid):
		return "", wire.Of("invalid_dpop_proof", err)
	case err != nil:
		return "", wire.Outage(err)
	}
	return proof.Thumbprint, nil
}

// Pushed makes of the proof that comes with a pushed authorization request its
// parameter dpop_jkt, which it must not contradict (RFC 9449, section 10.1).
func (b *Binder) Pushed(c *gin.Context, path string, values url.Values) error {
	key, err := b.Proof(c, path, "")
	switch said := values.Get("dpop_jkt"); {
	case err != nil || key == "":
		return err
	case said != "" && said != key:
		return wire.Of("invalid_dpop_proof", errors.New("dpop_jkt is another key"))
	}
	values.Set("dpop_jkt", key)
	return nil
}

// CheckSubject authenticates a client by tls_client_auth, and CheckRegistered one
// by self_signed_tls_client_auth. Errors are [*wire.Error].
func (b *Binder) CheckSubject(r *http.Request, s mtls.Subject) error {
	chain, err := b.certificates.Source.Chain(r)
	if err == nil {
		err = chain.CheckSubject(b.certificates.Authorities, s, b.now())
	}
	return asClientError(err)
}

// CheckRegistered is as [Binder.CheckSubject].
func (b *Binder) CheckRegistered(r *http.Request, keys *jose.JSONWebKeySet) error {
	chain, err := b.certificates.Source.Chain(r)
	if err == nil {
		err = chain.CheckRegistered(keys, b.now())
	}
	return asClientError(err)
}

func asClientError(err error) error {
	if err == nil {
		return nil
	}
	return wire.Of("invalid_client", err)
}

// Presented is an access token as a protected resource gets it.
type Presented struct{ Scheme, Token string }

// Refuse is the error that code stands for, as an answer to t.
func (t Presented) Refuse(code string, cause error) error { return refusal(t.Scheme, code, cause) }

// Judge keeps outages and makes every other judgement of t invalid_token.
func (t Presented) Judge(err error) error {
	if w := wire.From(err); w.Status >= http.StatusInternalServerError {
		return err
	}
	var f *identity.Failure
	if errors.As(err, &f) {
		err = errors.New(f.Error()) // its reason must not decide again
	}
	return refusal(t.Scheme, "invalid_token", err)
}

// Token reads the access token of a request (RFC 6750, section 2; RFC 9449,
// section 7.1): from the header or a POST body, and never from the query.
func Token(c *gin.Context) (Presented, error) {
	r := c.Request
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return Presented{}, wire.MethodNotAllowed("GET, POST")
	}
	var found []Presented
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, _ := strings.Cut(h, " ")
		for _, known := range []string{Bearer, DPoP} {
			if strings.EqualFold(scheme, known) {
				found = append(found, Presented{known, strings.TrimSpace(token)})
			}
		}
	}
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if r.Method == http.MethodPost && err == nil && media == "application/x-www-form-urlencoded" {
		values, err := wire.Form(c)
		if err != nil {
			return Presented{}, err
		}
		if values.Has("access_token") {
			found = append(found, Presented{Bearer, values.Get("access_token")})
		}
	}
	switch {
	case len(found) == 0:
		c.Writer.Header().Add("WWW-Authenticate", wire.DPoPChallenge(dpop.Algorithms()))
		return Presented{}, &wire.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Challenge: Bearer, Bare: true}
	case len(found) > 1:
		return Presented{}, wire.BadRequest("The token is presented more than once.")
	case found[0].Token == "":
		return Presented{}, refusal(found[0].Scheme, "invalid_token", nil)
	}
	return found[0], nil
}

// Check judges a token at the endpoint at path: what it is bound to must be shown,
// and by the scheme that says so. A token that is bound is never taken as a bearer
// token, nor the other way round (RFC 9449, section 7.2).
func (b *Binder) Check(c *gin.Context, path string, t Presented, bound *Key) error {
	if t.Scheme != bound.TokenType() {
		return refusal(t.Scheme, "invalid_token", errors.New("the token is presented by the wrong scheme"))
	}
	if bound == nil {
		return nil
	}
	if err := b.checkProof(c, path, t, bound); err != nil {
		return err
	}
	if bound.Certificate == "" {
		return nil
	}
	chain, err := b.certificates.Source.Chain(c.Request)
	if err != nil || chain.Thumbprint() != bound.Certificate {
		return refusal(t.Scheme, "invalid_token", errors.New("the token is bound to a certificate that is not shown"))
	}
	return nil
}

func (b *Binder) checkProof(c *gin.Context, path string, t Presented, bound *Key) error {
	if bound.Proof == "" {
		return nil
	}
	key, err := b.Proof(c, path, t.Token)
	var e *wire.Error
	switch {
	case errors.As(err, &e) && e.Status == http.StatusBadRequest:
		return refusal(DPoP, e.Code, e.Cause)
	case err != nil:
		return err
	case key == "":
		return refusal(DPoP, "invalid_dpop_proof", errors.New("there is no DPoP proof"))
	case key != bound.Proof:
		return refusal(DPoP, "invalid_token", errors.New("the proof is of another key"))
	}
	return nil
}
