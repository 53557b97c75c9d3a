package response

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"keyway/provider/redirect"
)

// Way is how the parameters reach the client.
type Way string

// The ways.
const (
	Query    Way = "query"
	Fragment Way = "fragment"
	FormPost Way = "form_post"
)

// Lifetime is how long the JWT of a signed answer lives; JARM, section 2.1,
// recommends ten minutes at most.
const Lifetime = 5 * time.Minute

// Mode is a response mode.
type Mode struct {
	Way    Way
	Signed bool
}

// Modes are the values of response_mode.
func Modes() []string {
	return []string{"query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"}
}

// Default is the mode of a response type where none is asked for: answers that
// would have tokens in front never go into a query.
func Default(responseType string) Mode {
	for _, part := range strings.Fields(responseType) {
		if part == "token" || part == "id_token" {
			return Mode{Way: Fragment}
		}
	}
	return Mode{Way: Query}
}

// Parse reads response_mode for a response type and a redirect URI. Where it
// returns false, the mode that it returns is for the error.
func Parse(asked, responseType, returnTo string) (Mode, bool) {
	standard := Default(responseType)
	way, _, signed := strings.Cut(asked, ".")
	switch {
	case asked == "":
		return standard, true
	case asked == "jwt":
		return Mode{Way: standard.Way, Signed: true}, true
	case !slices.Contains(Modes(), asked):
		return standard, false
	}
	mode := Mode{Way: Way(way), Signed: signed}
	switch {
	case mode.Way == FormPost && !strings.HasPrefix(returnTo, "https://") && !strings.HasPrefix(returnTo, "http://"):
		return standard, false // a form cannot be posted to an app
	case mode.Way == Query && standard.Way == Fragment:
		return Mode{Way: Fragment, Signed: signed}, false // Multiple Response Types, section 3
	}
	return mode, true
}

// Claims are those of a signed answer (JARM, section 2.1).
func Claims(values url.Values, issuer, client string, now time.Time) map[string]any {
	claims := make(map[string]any, len(values)+3)
	for name := range values {
		claims[name] = values.Get(name)
	}
	claims["iss"], claims["aud"], claims["exp"] = issuer, client, now.Add(Lifetime).Unix()
	return claims
}

// Location is where the browser is sent with the values; not for [FormPost].
func (w Way) Location(returnTo string, values url.Values) string {
	if w == Fragment {
		return returnTo + "#" + values.Encode()
	}
	return redirect.WithQuery(returnTo, values)
}
