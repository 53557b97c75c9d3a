package exchange

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"keyway/provider/wire"
)

// The types of tokens that are known here (RFC 8693, section 3).
const (
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // a name
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	TypeIDToken     = "urn:ietf:params:oauth:token-type:id_token" //nolint:gosec // a name
)

const (
	maxToken  = 16 << 10 // bytes
	maxScopes = 32
)

// Presented is a token as a request has it.
type Presented struct {
	Token string // "" for none
	Type  string
}

// Request is a token exchange request (RFC 8693, section 2.1).
type Request struct {
	Subject Presented
	Actor   Presented
	Issue   string // TypeAccessToken or TypeJWT
	Targets Targets
	Scopes  []string
}

// Targets are where a token that is asked for shall be used.
type Targets struct {
	Resources []string // URIs (RFC 8707, section 2)
	Audiences []string // names
}

// Parse reads a request. Errors are [*wire.Error]: invalid_request, or
// invalid_scope for too many.
func Parse(form url.Values) (*Request, error) {
	r := &Request{
		Subject: Presented{form.Get("subject_token"), form.Get("subject_token_type")},
		Actor:   Presented{form.Get("actor_token"), form.Get("actor_token_type")},
		Issue:   form.Get("requested_token_type"),
	}
	if r.Issue == "" {
		r.Issue = TypeAccessToken
	}
	switch {
	case r.Subject.Token == "" || r.Subject.Type == "":
		return nil, wire.BadRequest("The parameters subject_token and subject_token_type are needed.")
	case len(r.Subject.Token) > maxToken || len(r.Actor.Token) > maxToken:
		return nil, wire.BadRequest("A token is too long.")
	case !slices.Contains([]string{TypeAccessToken, TypeJWT, TypeIDToken}, r.Subject.Type):
		return nil, wire.BadRequest("The subject_token_type is not supported.")
	case !fits(r.Subject) || !fits(r.Actor):
		return nil, wire.BadRequest("A token is not of the type that it is said to be.")
	case (r.Actor.Token == "") != (r.Actor.Type == ""):
		return nil, wire.BadRequest("The parameters actor_token and actor_token_type go together.")
	case r.Actor.Type != "" && r.Actor.Type != TypeAccessToken && r.Actor.Type != TypeJWT:
		return nil, wire.BadRequest("The actor_token_type is not supported.")
	case r.Issue != TypeAccessToken && r.Issue != TypeJWT:
		return nil, wire.BadRequest("The requested_token_type is not supported.")
	}
	r.Targets = ReadTargets(form)
	var err error
	r.Scopes, err = ReadScopes(form)
	return r, err
}

// ReadTargets reads the parameters resource and audience.
func ReadTargets(form url.Values) Targets {
	given := func(name string) []string {
		return slices.DeleteFunc(slices.Clone(form[name]), func(s string) bool { return s == "" })
	}
	return Targets{Resources: given("resource"), Audiences: given("audience")}
}

// ReadScopes reads the parameter scope. Errors are [*wire.Error] with invalid_scope.
func ReadScopes(form url.Values) ([]string, error) {
	all := distinct(strings.Fields(form.Get("scope")))
	if len(all) > maxScopes {
		return nil, wire.Of("invalid_scope", errors.New("there are too many scopes"))
	}
	return all, nil
}

// fits reports whether the token may be of its type: JWTs have three parts.
func fits(p Presented) bool {
	return p.Type == TypeAccessToken || p.Token == "" || strings.Count(p.Token, ".") == 2
}

func distinct(all []string) []string {
	var out []string
	for _, v := range all {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
