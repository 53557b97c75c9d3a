package exchange

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"keyway/provider/wire"
)

// Tokens finds what tokens of ours are; whoever they are of may still be let in.
// Errors are a [*identity.Failure].
type Tokens interface {
	// AccessParty is about an access token, that of a legacy system too.
	AccessParty(ctx context.Context, token string) (*Party, error)
	// IDTokenParty is about an ID token that was issued to client.
	IDTokenParty(ctx context.Context, token, client string) (*Party, error)
}

// Exchange judges a request for token exchange. Errors are [*wire.Error], or a
// [*identity.Failure] that says why nothing could be judged.
func (r *Reader) Exchange(ctx context.Context, form url.Values, caller Caller) (*Party, *Decision, error) {
	request, err := Parse(form)
	if err != nil {
		return nil, nil, err
	}
	subject, err := r.subject(ctx, request.Subject, caller.ID)
	if err != nil {
		return nil, nil, refused("subject_token", err)
	}
	var actor *Party
	if request.Actor.Token != "" {
		if actor, err = r.options.Tokens.AccessParty(ctx, request.Actor.Token); err != nil {
			return nil, nil, refused("actor_token", err)
		}
	}
	decision, err := Decide(request, caller, *subject, actor)
	return subject, decision, err
}

func (r *Reader) subject(ctx context.Context, shown Presented, client string) (*Party, error) {
	switch {
	case shown.Type != TypeAccessToken && r.Trusts(shown.Token):
		return r.Read(ctx, shown.Token, client)
	case shown.Type == TypeIDToken:
		return r.options.Tokens.IDTokenParty(ctx, shown.Token, client)
	}
	return r.options.Tokens.AccessParty(ctx, shown.Token)
}

// refused keeps outages; every judgement on a token is invalid_request (RFC 8693,
// section 2.2.2).
func refused(parameter string, err error) error {
	if wire.From(err).Status >= http.StatusInternalServerError {
		return err
	}
	return Refused(parameter, errors.New(err.Error()))
}
