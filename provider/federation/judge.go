package federation

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/request"
	"keyway/provider/upstream"
)

// ours begins the authentication contexts that no upstream may claim, nor be
// asked for.
const ours = "urn:keyway:"

// Limits of what an upstream says of how somebody signed in, and of the name
// that it is told.
const (
	maxAMR      = 10
	maxAMRBytes = 64
	maxACR      = 256 // bytes
	maxHint     = 512 // bytes
	maxSID      = 255 // bytes
)

// Led is the connector that a request leads to without a question, nil for none: it
// names one, its client allows no other, or its login_hint has the domain of one.
func (f *Federation) Led(c *client.Client, values url.Values) *Connector {
	to := f.Find(values.Get("connector"))
	if only := c.Connectors; to == nil && len(only) == 1 && only[0] != client.ConnectorLocal {
		to = f.Find(only[0])
	}
	if to == nil {
		to = f.ForName(values.Get("login_hint"))
	}
	if to == nil || to.Upstream == nil || !c.Admits(to.ID) {
		return nil
	}
	return to
}

// DepartureOf passes on what a client asked for and an upstream can do better. r
// is nil where no client did; name is what the person entered, "" for nothing.
// A client that cares how long ago somebody signed in gets a sign-in of now.
func DepartureOf(r *request.Request, name string) Departure {
	d := Departure{LoginHint: name}
	if r != nil {
		if name == "" {
			d.LoginHint = r.Values.Get("login_hint")
		}
		d.Locales, d.Trip.Fresh = r.Values.Get("ui_locales"), r.Asks(request.PromptLogin) || r.MaxAge >= 0
		d.ACRValues = slices.DeleteFunc(strings.Fields(r.Values.Get("acr_values")), func(s string) bool { return strings.HasPrefix(s, ours) })
		switch {
		case r.Asks(request.PromptLogin):
			d.Prompt = request.PromptLogin
		case r.Asks(request.PromptSelect):
			d.Prompt = request.PromptSelect
		}
	}
	if len(d.LoginHint) > maxHint {
		d.LoginHint = ""
	}
	return d
}

// Vouched is who signed in by the word of an upstream. What is ours to say of how
// they did, it cannot say. Where it does not say when they did, nobody knows: the
// time is zero, which is too long ago for everybody who cares.
func Vouched(connector string, u *upstream.Person, user *identity.User, now time.Time) *identity.Identity {
	who := &identity.Identity{
		User: *user, Connector: connector, AuthTime: u.AuthTime, Upstream: identity.Vouching{Issuer: u.Issuer, Subject: u.Subject},
	}
	if len(u.SID) <= maxSID && !strings.Contains(u.SID, "\x00") { // PostgreSQL takes none
		who.Upstream.SID = u.SID
	}
	if who.AuthTime.After(now) {
		who.AuthTime = now
	}
	if len(u.ACR) <= maxACR && !strings.HasPrefix(u.ACR, ours) && !strings.Contains(u.ACR, "\x00") {
		who.ACR = u.ACR
	}
	who.AMR = slices.DeleteFunc(slices.Clone(u.AMR), func(s string) bool { return s == "" || len(s) > maxAMRBytes })
	who.AMR = who.AMR[:min(len(who.AMR), maxAMR)]
	return who
}

// Outcome is how a sign-in ended that came to nothing.
type Outcome struct {
	Code   string // a [upstream.Kind], "disabled" or "elsewhere"
	Status int    // of HTTP
	Reason identity.Reason
}

// OutcomeOf judges an error of a sign-in; false for an outage of our own, which is
// none of the upstream's.
func OutcomeOf(err error) (Outcome, bool) {
	var up *upstream.Error
	var f *identity.Failure
	switch {
	case errors.As(err, &up) && up.Kind == upstream.Unavailable:
		return Outcome{string(up.Kind), http.StatusServiceUnavailable, identity.ReasonUnavailable}, true
	case errors.As(err, &up) && up.Kind == upstream.Untrusted:
		return Outcome{string(up.Kind), http.StatusBadRequest, identity.ReasonInvalidToken}, true
	case errors.As(err, &up):
		return Outcome{string(up.Kind), http.StatusForbidden, identity.ReasonUnknownUser}, true
	case !errors.As(err, &f) || f.Reason == identity.ReasonUnavailable || f.Reason == identity.ReasonInternal:
		return Outcome{}, false
	case f.Reason == identity.ReasonInvalidClient:
		return Outcome{"elsewhere", http.StatusForbidden, f.Reason}, true
	}
	return Outcome{"disabled", http.StatusForbidden, f.Reason}, true
}
