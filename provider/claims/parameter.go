package claims

import (
	"encoding/json"
	"errors"
	"slices"
)

// Parameter is the parameter claims of an authorization request (OpenID Connect
// Core 1.0, section 5.5).
type Parameter struct {
	IDToken  map[string]*Request `json:"id_token"`
	Userinfo map[string]*Request `json:"userinfo"`
}

// Request is how one claim is asked for (section 5.5.1); nil asks for it
// without more.
type Request struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// ErrMalformed says that the parameter is not what the standard says, or that
// it contradicts itself.
var ErrMalformed = errors.New("claims is malformed")

// Parse reads the parameter; "" asks for nothing. The error is [ErrMalformed].
func Parse(text string) (*Parameter, error) {
	p := &Parameter{}
	if text == "" {
		return p, nil
	}
	if json.Unmarshal([]byte(text), p) != nil {
		return nil, ErrMalformed // the cause would quote what was sent
	}
	return p, nil
}

// Subject is who the tokens must be about, "" for anybody. The error is
// [ErrMalformed].
func (p *Parameter) Subject() (string, error) {
	subject := ""
	for _, sub := range []*Request{p.IDToken["sub"], p.Userinfo["sub"]} {
		if sub == nil || sub.Value == nil {
			continue
		}
		want, ok := sub.Value.(string)
		if !ok || want == "" || subject != "" && subject != want {
			return "", ErrMalformed
		}
		subject = want
	}
	return subject, nil
}

// Accepts reports whether an ID token with this acr is what was asked for. Only
// an essential claim with a value can refuse one (section 5.5.1.1).
func (p *Parameter) Accepts(acr string) bool {
	asked := p.IDToken["acr"]
	if asked == nil || !asked.Essential || asked.Value == nil && len(asked.Values) == 0 {
		return true
	}
	return asked.Value == acr || slices.Contains(asked.Values, any(acr))
}

// Contexts are the values of acr that an ID token is asked for, the dearest first.
func (p *Parameter) Contexts() []string {
	asked := p.IDToken["acr"]
	if asked == nil {
		return nil
	}
	var all []string
	for _, v := range append([]any{asked.Value}, asked.Values...) {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Left are those of the names that a token still tells whose scopes are fewer than
// its grant's: not those that a scope opens which it lost.
func Left(names, granted, present []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		scope := ScopeOf(name)
		return slices.Contains(granted, scope) && !slices.Contains(present, scope)
	})
}

// Allowed are the names that one of the scopes opens, sorted.
func Allowed(asked map[string]*Request, scopes []string) []string {
	var names []string
	for name := range asked {
		if scope := ScopeOf(name); scope != "" && slices.Contains(scopes, scope) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
