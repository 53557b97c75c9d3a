package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/assertion"
	"keyway/provider/identity"
)

const (
	leeway        = time.Minute     // of others' clocks, for what begins
	maxGrantLife  = 5 * time.Minute // from now to the exp of an assertion that is a grant
	standardAge   = time.Hour
	subjectClaim  = "sub"
	emailClaim    = "email"
	verifiedClaim = "email_verified"
)

// KeySource returns the keys that may have signed a token whose header has kid,
// "" for none.
type KeySource func(ctx context.Context, kid string) (*jose.JSONWebKeySet, error)

// TrustedIssuer is somebody else whose signed word on who a user is counts.
type TrustedIssuer struct {
	Issuer     string // the claim iss
	Keys       KeySource
	Audience   []string      // one of them a token must be for; default: our issuer and token endpoint
	Algorithms []string      // default: all of [assertion.Algorithms]
	Claim      string        // that names the user; default sub
	Subjects   bool          // the claim is a subject of ours, instead of a login name
	Directory  string        // of the login name
	MaxAge     time.Duration // since iat; default 1 h
	Scopes     []string      // the most that its word is good for
	Clients    []string      // that may present it; empty: every client with the right to exchange
}

// Statement is what a trusted issuer says, or a client of itself.
type Statement struct {
	Issuer   *TrustedIssuer // nil: the client itself
	Name     string         // the login name or subject of a user
	ID       string         // the jti, "" for none
	AuthTime time.Time      // auth_time, or else iat, or else now
	Expires  time.Time
	Scopes   []string
	Act      *Actor
	MayAct   map[string]any
}

// ReaderOptions are those of a [Reader]; all must be given.
type ReaderOptions struct {
	Issuers  []TrustedIssuer
	Audience []string // our issuer and token endpoint
	Now      func() time.Time
}

// Reader reads signed statements. It is safe for concurrent use.
type Reader struct {
	issuers  map[string]*TrustedIssuer
	audience []string
	now      func() time.Time
}

// NewReader refuses issuers that could not be judged.
func NewReader(o ReaderOptions) (*Reader, error) {
	if len(o.Audience) == 0 || o.Now == nil {
		return nil, errors.New("exchange: Audience and Now are needed")
	}
	r := &Reader{issuers: map[string]*TrustedIssuer{}, audience: o.Audience, now: o.Now}
	for _, x := range o.Issuers {
		if err := x.complete(o.Audience); err != nil {
			return nil, fmt.Errorf("trusted issuer %q: %w", x.Issuer, err)
		}
		if r.issuers[x.Issuer] != nil {
			return nil, fmt.Errorf("trusted issuer %q is there twice", x.Issuer)
		}
		r.issuers[x.Issuer] = &x
	}
	return r, nil
}

func (x *TrustedIssuer) complete(ours []string) error {
	if len(x.Audience) == 0 {
		x.Audience = ours
	}
	if len(x.Algorithms) == 0 {
		x.Algorithms = assertion.Algorithms()
	}
	if x.Claim == "" {
		x.Claim = subjectClaim
	}
	if x.MaxAge == 0 {
		x.MaxAge = standardAge
	}
	switch {
	case x.Issuer == "" || slices.Contains(ours, x.Issuer):
		return errors.New("it must be somebody else")
	case x.Keys == nil:
		return errors.New("it needs keys")
	case !subset(x.Algorithms, assertion.Algorithms()):
		return fmt.Errorf("algorithms must be among %s", strings.Join(assertion.Algorithms(), ", "))
	case x.MaxAge < 0:
		return errors.New("the greatest age must not be negative")
	case !x.Subjects && x.Directory == "":
		return errors.New("it needs the directory of its login names")
	}
	return nil
}

// Trusts reports whether token says that it is of a trusted issuer. Nothing of
// it is verified.
func (r *Reader) Trusts(token string) bool {
	said, err := unverified(token)
	return err == nil && r.issuers[said.text("iss")] != nil
}

// Read reads a token of a trusted issuer that client wants to exchange. When its
// keys cannot be had, the error is a [*identity.Failure]; every other is a
// judgement on the token.
func (r *Reader) Read(ctx context.Context, token, client string) (*Statement, error) {
	said, err := unverified(token)
	if err != nil {
		return nil, err
	}
	x := r.issuers[said.text("iss")]
	if x == nil {
		return nil, errors.New("the issuer is not trusted")
	}
	return r.read(ctx, token, client, x, demands{typs: []string{"", "jwt", "at+jwt"}})
}

// ReadGrant reads an assertion that is a grant (RFC 7523, section 3): of a trusted
// issuer about a user, or of the client about itself, signed by one of its own
// keys. The caller has to see to it that nobody uses its ID again before it has expired.
// Errors are as of [Reader.Read].
func (r *Reader) ReadGrant(ctx context.Context, token, client string, own KeySource) (*Statement, error) {
	said, err := unverified(token)
	if err != nil {
		return nil, err
	}
	strict := demands{typs: []string{"", "jwt", "authorization-grant+jwt"}, one: true, id: true, life: maxGrantLife}
	if x := r.issuers[said.text("iss")]; x != nil {
		return r.read(ctx, token, client, x, strict)
	}
	if said.text("iss") != client || said.text("sub") != client || own == nil {
		return nil, errors.New("the issuer is not trusted, or is the client and speaks of another")
	}
	self := &TrustedIssuer{
		Issuer: client, Keys: own, Audience: r.audience, Algorithms: assertion.Algorithms(), Claim: subjectClaim, MaxAge: maxGrantLife,
	}
	st, err := r.read(ctx, token, client, self, strict)
	if err != nil {
		return nil, err
	}
	return &Statement{ID: st.ID, AuthTime: st.AuthTime, Expires: st.Expires}, nil
}

// demands are what one use of a token demands beyond another.
type demands struct {
	typs []string // in lower case; "" for none
	one  bool     // aud is a single string
	id   bool     // a jti must be there
	life time.Duration
}

func (r *Reader) read(ctx context.Context, token, client string, x *TrustedIssuer, d demands) (*Statement, error) {
	if len(x.Clients) > 0 && !slices.Contains(x.Clients, client) {
		return nil, errors.New("this client may not present tokens of the issuer")
	}
	head, err := header(token)
	if err != nil {
		return nil, err
	}
	typ := strings.TrimPrefix(strings.ToLower(head.text("typ")), "application/")
	if !slices.Contains(d.typs, typ) || !slices.Contains(x.Algorithms, head.text("alg")) {
		return nil, errors.New("the type or the algorithm of the token is not accepted")
	}
	keys, err := x.Keys(ctx, head.text("kid"))
	if err != nil {
		return nil, identity.Fail(identity.ReasonUnavailable, err)
	}
	payload, err := assertion.Verify(keys, token)
	if err != nil {
		return nil, err
	}
	said, err := parseMembers(payload)
	if err != nil {
		return nil, err
	}
	return x.judge(said, d, r.now())
}
