// Package caller reads how a client authenticates (RFC 6749, section 2.3; RFC 7523,
// section 2.2): what it says of itself, before any of that is judged.
package caller

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"keyway/provider/assertion"
	"keyway/provider/client"
	"keyway/provider/wire"
)

// assertionType is the value of client_assertion_type (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Caller is what a request says of who is calling.
type Caller struct {
	Method client.AuthMethod // AuthNone also where a certificate is to show the rest
	ID     string
	Secret string // or the assertion
}

func invalid(cause string) error { return wire.Of("invalid_client", errors.New(cause)) }

// Read finds the one method that the request uses. Errors are [*wire.Error].
func Read(r *http.Request, form url.Values) (Caller, error) {
	var found []Caller
	if h := r.Header.Values("Authorization"); len(h) > 0 {
		basic, err := basicCredentials(r, len(h))
		if err != nil {
			return Caller{}, err
		}
		found = append(found, basic)
	}
	if form.Has("client_secret") {
		found = append(found, Caller{Method: client.AuthSecretPost, ID: form.Get("client_id"), Secret: form.Get("client_secret")})
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if form.Get("client_assertion_type") != assertionType {
			return Caller{}, wire.BadRequest("The client_assertion_type is not supported.")
		}
		found = append(found, Caller{
			Method: client.AuthPrivateKeyJWT, ID: assertion.Client(form.Get("client_assertion")), Secret: form.Get("client_assertion"),
		})
	}
	if len(found) > 1 {
		return Caller{}, wire.BadRequest("More than one method of client authentication is used.")
	}
	if len(found) == 0 {
		found = append(found, Caller{Method: client.AuthNone, ID: form.Get("client_id")})
	}
	shown := found[0]
	if id := form.Get("client_id"); id != "" && id != shown.ID {
		return Caller{}, wire.BadRequest("The client_id is not that of the authenticated client.")
	}
	if shown.ID == "" {
		return Caller{}, invalid("no client authentication")
	}
	return shown, nil
}

// basicCredentials reads HTTP Basic, whose parts are form-encoded (RFC 6749,
// section 2.3.1).
func basicCredentials(r *http.Request, headers int) (Caller, error) {
	user, encoded, ok := r.BasicAuth()
	if !ok || headers > 1 {
		return Caller{}, invalid("malformed Authorization header")
	}
	id, idErr := url.QueryUnescape(user)
	password, secretErr := url.QueryUnescape(encoded)
	if idErr != nil || secretErr != nil || strings.ContainsRune(id, 0) {
		return Caller{}, invalid("malformed Basic credentials")
	}
	return Caller{Method: client.AuthSecretBasic, ID: id, Secret: password}, nil
}
