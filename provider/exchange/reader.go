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

// Published returns the key set at uri, anew when kid, "" for none, is not in it.
type Published func(ctx context.Context, uri, kid string) (*jose.JSONWebKeySet, error)

// Users finds whom a statement names.
type Users interface {
	FindLogin(ctx context.Context, directory, name string) (*identity.Login, error)
	FindUser(ctx context.Context, subject string) (*identity.User, error)
}

// Gate is asked before anybody is let in.
type Gate interface {
	Ask(ctx context.Context, q identity.Question) error
}

// Replays remembers what may be used once.
type Replays interface {
	RememberOnce(ctx context.Context, namespace, id string, expires time.Time) error
}

// ReaderOptions are those of a [Reader].
type ReaderOptions struct {
	Issuers   []TrustedIssuer
	Audience  []string  // our issuer and token endpoint
	Published Published // for issuers with a JWKSURI
	Tokens    Tokens
	Users     Users
	Gate      Gate
	Replays   Replays
	Now       func() time.Time
}

// Reader reads signed statements on who somebody is. It is safe for concurrent
// use.
type Reader struct {
	options ReaderOptions
	issuers map[string]*TrustedIssuer
}

// NewReader refuses issuers that could not be judged.
func NewReader(o ReaderOptions) (*Reader, error) {
	if len(o.Audience) == 0 || o.Tokens == nil || o.Users == nil || o.Gate == nil || o.Replays == nil || o.Now == nil {
		return nil, errors.New("exchange: Audience, Tokens, Users, Gate, Replays and Now are needed")
	}
	r := &Reader{options: o, issuers: map[string]*TrustedIssuer{}}
	for _, x := range o.Issuers {
		err := x.complete(o.Audience)
		switch {
		case err != nil:
			return nil, fmt.Errorf("trusted issuer %q: %w", x.Issuer, err)
		case r.issuers[x.Issuer] != nil:
			return nil, fmt.Errorf("trusted issuer %q is there twice", x.Issuer)
		case x.JWKSURI != "" && o.Published == nil:
			return nil, fmt.Errorf("trusted issuer %q: nothing may be called to fetch its keys", x.Issuer)
		}
		r.issuers[x.Issuer] = &x
	}
	return r, nil
}

// Trusts reports whether token says that it is of a trusted issuer. Nothing of
// it is verified.
func (r *Reader) Trusts(token string) bool {
	said, err := unverified(token)
	return err == nil && r.issuers[said.text("iss")] != nil
}

// Read reads a token of a trusted issuer that client wants to exchange, and
// asks the gate about its user. Errors are a [*identity.Failure].
func (r *Reader) Read(ctx context.Context, token, client string) (*Party, error) {
	said, err := unverified(token)
	if err != nil {
		return nil, invalid(err)
	}
	x := r.issuers[said.text("iss")]
	if x == nil {
		return nil, invalid(errors.New("the issuer is not trusted"))
	}
	st, err := r.read(ctx, token, client, x, demands{typs: []string{"", "jwt", "at+jwt"}})
	if err != nil {
		return nil, invalid(err)
	}
	return r.party(ctx, st, client)
}

// invalid makes a judgement on a token a failure.
func invalid(err error) error {
	var f *identity.Failure
	if errors.As(err, &f) {
		return f
	}
	return identity.Fail(identity.ReasonInvalidToken, err)
}

// party finds the user that a statement names, who must be allowed in as with any
// other proof.
func (r *Reader) party(ctx context.Context, st *statement, client string) (*Party, error) {
	user, err := r.user(ctx, st)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, identity.Failf(identity.ReasonUnknownUser, "nobody has the name that %s says", st.issuer.Issuer)
	}
	if err != nil {
		return nil, outage(err)
	}
	err = r.options.Gate.Ask(ctx, identity.Question{
		Moment: identity.MomentEnter, Subject: user.Subject, Status: user.Status, Client: client,
	})
	if err != nil {
		return nil, err
	}
	return &Party{Subject: user.Subject, Scopes: st.scopes, Expires: st.expires, AuthTime: st.authTime, Act: st.act, MayAct: st.mayAct}, nil
}

func (r *Reader) user(ctx context.Context, st *statement) (*identity.User, error) {
	if st.issuer.Subjects {
		return r.options.Users.FindUser(ctx, st.name)
	}
	l, err := r.options.Users.FindLogin(ctx, st.issuer.Directory, identity.FoldName(st.name))
	if err != nil {
		return nil, err
	}
	return &l.User, nil
}

func outage(err error) error {
	var f *identity.Failure
	if errors.As(err, &f) {
		return f
	}
	return identity.Fail(identity.ReasonUnavailable, err)
}

// demands are what one use of a token demands beyond another.
type demands struct {
	typs []string // in lower case; "" for none
	one  bool     // aud is a single string
	id   bool     // a jti must be there
	life time.Duration
}

func (r *Reader) read(ctx context.Context, token, client string, x *TrustedIssuer, d demands) (*statement, error) {
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
	keys := x.JWKS
	if keys == nil {
		if keys, err = r.options.Published(ctx, x.JWKSURI, head.text("kid")); err != nil {
			return nil, identity.Fail(identity.ReasonUnavailable, err)
		}
	}
	payload, err := assertion.Verify(keys, token)
	if err != nil {
		return nil, err
	}
	said, err := parseMembers(payload)
	if err != nil {
		return nil, err
	}
	return x.judge(said, d, r.options.Now())
}
