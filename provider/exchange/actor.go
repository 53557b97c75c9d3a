package exchange

import "errors"

// maxActors is how many parties may have acted for a subject one after another.
const maxActors = 5

// Actor is the claim act (RFC 8693, section 4.1): who acts for the subject, and
// in it who did so before.
type Actor struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss,omitempty"` // whose name that is; "" for a client of ours
	Act     *Actor `json:"act,omitempty"`
}

// before returns a chain in which a now acts for the subject, after those of
// the chain before, which may be nil. A chain is bounded.
func (a Actor) before(earlier *Actor) (*Actor, error) {
	n := 1
	for e := earlier; e != nil; e = e.Act {
		n++
	}
	if n > maxActors {
		return nil, errTooManyActors
	}
	a.Act = earlier
	return &a, nil
}

var errTooManyActors = errors.New("too many have acted for the subject")

// parseActor reads the claim act of another issuer's token. Names in it that say
// no issuer are of the token's own: they must not be mistaken for clients of ours.
func parseActor(claim any, issuer string) (*Actor, error) {
	var first *Actor
	last := &first
	for n := 0; claim != nil; n++ {
		m, ok := claim.(map[string]any)
		if !ok || n == maxActors {
			return nil, errors.New("the claim act is malformed or too deep")
		}
		a := &Actor{Issuer: issuer}
		if a.Subject, _ = m["sub"].(string); a.Subject == "" {
			return nil, errors.New("the claim act names nobody")
		}
		if iss, there := m["iss"]; there {
			if a.Issuer, ok = iss.(string); !ok || a.Issuer == "" {
				return nil, errors.New("the claim act is malformed or too deep")
			}
		}
		*last, last = a, &a.Act
		claim = m["act"]
	}
	return first, nil
}

// mayAct reports whether a client of ours is the party that the claim may_act
// (RFC 8693, section 4.4) lets act. Whatever the claim says must be true of
// it, and what cannot be judged is not. No claim lets everybody act.
func mayAct(claim map[string]any, client, issuer string) bool {
	if claim == nil {
		return true
	}
	named := false
	for name, v := range claim {
		switch {
		case (name == "sub" || name == "client_id") && v == client:
			named = true
		case name == "iss" && v == issuer:
		default:
			return false
		}
	}
	return named
}
