package exchange

import (
	"errors"
	"net/http"
	"time"

	"keyway/provider/binding"
	"keyway/provider/wire"
)

// Party is whom a token is of, and what it bounds.
type Party struct {
	Subject  string // the user; "" where a client acts for itself
	Client   string // to whom it was issued; "" by another issuer
	Scopes   []string
	Audience []string // empty: for everybody
	Expires  time.Time
	AuthTime time.Time // of the user; zero for none
	Act      *Actor
	MayAct   map[string]any // the claim may_act; nil for none
	Origin   Origin
}

// Origin is how a token of ours came to be; zero for the word of others.
type Origin struct {
	Grant      string // its id: what is made of the token ends with it
	System     string // the legacy system
	ACR        string
	AMR        []string
	Connector  string // whose upstream vouched for the person
	Factor     bool   // the person proved a second factor
	Unverified bool   // the user was let in before the account was confirmed
	// Bound is what it is bound to; nil for a bearer token. What is made of it must
	// be bound as well, to what the caller holds.
	Bound *binding.Key
}

// Caller is the client that asks.
type Caller struct {
	ID       string
	Issuer   string   // whose client it is: ours
	Scopes   []string // its ceiling
	Audience []string // its ceiling
}

// Decision is what the new token may be.
type Decision struct {
	Issue    string // TypeAccessToken or TypeJWT; "" where that was not asked
	Scopes   []string
	Audience []string
	Expires  time.Time // the latest
	Act      *Actor
	MayAct   map[string]any
}

// Decide judges an exchange of a live token. With an actor the new token says
// that the caller acts for the subject; without, the caller is trusted to be the
// subject towards others. The actor token must be the caller's own: one that
// was granted to it for itself. Errors are [*wire.Error].
func Decide(r *Request, caller Caller, subject Party, actor *Party) (*Decision, error) {
	switch {
	case subject.Subject == "" && subject.Client != caller.ID:
		return nil, Refused("subject_token", errors.New("another client's own token has no person behind it"))
	case actor != nil && (actor.Subject != "" || actor.Client != caller.ID || actor.Act != nil):
		return nil, Refused("actor_token", errors.New("not a token that the caller has for itself"))
	case !mayAct(subject.MayAct, caller.ID, caller.Issuer):
		return nil, Refused("subject_token", errors.New("may_act lets another party act"))
	}
	d := &Decision{Issue: r.Issue, Expires: subject.Expires, Act: subject.Act, MayAct: subject.MayAct}
	var err error
	if actor != nil {
		if d.Act, err = (Actor{Subject: caller.ID}).before(subject.Act); err != nil {
			return nil, Refused("subject_token", err)
		}
	}
	if d.Scopes, err = NarrowScopes(r.Scopes, subject.Scopes, caller.Scopes); err != nil {
		return nil, err
	}
	d.Audience, err = NarrowAudience(r.Targets, subject.Audience, caller.Audience)
	return d, err
}

// Refused is the error for a token that is not valid, or not for this use (RFC
// 8693, section 2.2.2). Why stays in the log.
func Refused(parameter string, cause error) *wire.Error {
	return &wire.Error{
		Status: http.StatusBadRequest, Code: "invalid_request", Cause: cause,
		Description: "The " + parameter + " is invalid, expired or revoked, or may not be exchanged by this client.",
	}
}
