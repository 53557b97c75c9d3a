package exchange

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/claims"
	"keyway/provider/identity"
	"keyway/provider/wire"
)

// Assertion is a request for the grant of an assertion (RFC 7523, section 2.1).
type Assertion struct {
	Form   url.Values
	Caller Caller
	// Keys returns the caller's own, nil for none, by which jws may be signed.
	Keys func(jws string) (*jose.JSONWebKeySet, error)
}

// Grant judges an assertion, of a trusted issuer about a user or of the client
// about itself, asks the gate about the user, and uses the assertion up. What it
// proves is new: its end is not that of what is granted. Errors are [*wire.Error]
// or a [*identity.Failure] that says why nothing could be judged.
func (r *Reader) Grant(ctx context.Context, a Assertion) (*Party, *Decision, error) {
	token := a.Form.Get("assertion")
	if token == "" {
		return nil, nil, wire.BadRequest("The parameter assertion is missing.")
	}
	st, err := r.readGrant(ctx, token, &a)
	if err != nil {
		return nil, nil, notGranted(invalid(err))
	}
	namespace := "client_assertion:" + a.Caller.ID // an assertion is not used as both
	who := &Party{Client: a.Caller.ID, Scopes: impersonal(a.Caller.Scopes)}
	if st.issuer != nil {
		namespace = "assertion:" + st.issuer.Issuer
		if who, err = r.party(ctx, st, a.Caller.ID); err != nil {
			return nil, nil, notGranted(err)
		}
	}
	if !mayAct(who.MayAct, a.Caller.ID, a.Caller.Issuer) {
		return nil, nil, notGranted(invalid(errors.New("may_act lets another party act")))
	}
	d := &Decision{Act: who.Act, MayAct: who.MayAct}
	asked, err := ReadScopes(a.Form)
	if err != nil {
		return nil, nil, err
	}
	if d.Scopes, err = NarrowScopes(asked, who.Scopes, a.Caller.Scopes); err != nil {
		return nil, nil, err
	}
	if d.Audience, err = NarrowAudience(ReadTargets(a.Form), nil, a.Caller.Audience); err != nil {
		return nil, nil, err
	}
	err = r.options.Replays.RememberOnce(ctx, namespace, st.id, st.expires.Add(leeway))
	if errors.Is(err, identity.ErrConflict) {
		return nil, nil, notGranted(invalid(errors.New("the assertion was used before")))
	}
	if err != nil {
		return nil, nil, outage(err)
	}
	return who, d, nil
}

// impersonal are the scopes that mean something where there is no person.
func impersonal(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool {
		return s == claims.OpenID || s == claims.Offline || slices.Contains(claims.PersonalScopes(), s)
	})
}

// notGranted keeps outages; every judgement on an assertion is invalid_grant (RFC
// 7523, section 3.1).
func notGranted(err error) error {
	if wire.From(err).Status >= 500 {
		return err
	}
	return wire.Of("invalid_grant", errors.New(err.Error()))
}

func (r *Reader) readGrant(ctx context.Context, token string, a *Assertion) (*statement, error) {
	client := a.Caller.ID
	said, err := unverified(token)
	if err != nil {
		return nil, err
	}
	strict := demands{typs: []string{"", "jwt", "authorization-grant+jwt"}, one: true, id: true, life: maxGrantLife}
	if x := r.issuers[said.text("iss")]; x != nil {
		return r.read(ctx, token, client, x, strict)
	}
	if said.text("iss") != client || said.text("sub") != client {
		return nil, errors.New("the issuer is not trusted, or is the client and speaks of another")
	}
	own, err := a.Keys(token)
	if err != nil {
		return nil, err
	}
	if own == nil {
		return nil, errors.New("the client has no keys")
	}
	self := &TrustedIssuer{Issuer: client, JWKS: own, Directory: client}
	if err := self.complete(r.options.Audience); err != nil {
		return nil, err
	}
	st, err := r.read(ctx, token, client, self, strict)
	if err != nil {
		return nil, err
	}
	return &statement{id: st.id, expires: st.expires}, nil
}
