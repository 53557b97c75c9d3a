package device

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"net/url"
	"time"

	"keyway/provider/identity"
	"keyway/provider/secret"
	"keyway/provider/usercode"
)

// What RFC 8628 leaves to the server.
const (
	Lifetime = 10 * time.Minute
	Interval = 5 * time.Second
	// Slack is how much sooner than the interval says a poll may arrive: networks
	// do not keep time.
	Slack = 500 * time.Millisecond

	codePrefix = "kw_dc_"

	maxOfClient = 20_000
	maxOfSource = 1_000 // a home or an office is one address, and so may be a service with many devices

	// Somebody who knows nothing hits one of 20,000 open codes once in a
	// million guesses.
	guessWindow    = 15 * time.Minute
	guessesOfOne   = 10
	guessesOfPlace = 100
)

// Codes hands out codes and recognises them. All of its fields are needed.
type Codes struct {
	Storage  Storage
	Attempts identity.Attempts // counts wrong user codes
	Now      func() time.Time
}

// Request is what a client asked for, judged.
type Request struct {
	ClientID string
	Scopes   []string
	Audience []string
	From     netip.Addr
	Page     string // the absolute URL where people type the code
}

// Response is the answer to it (RFC 8628, section 3.2).
type Response struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds
}

// Begin makes a record and its codes. Where there are too many already, it
// returns a [*identity.Failure] with [identity.ReasonRateLimited].
func (c *Codes) Begin(ctx context.Context, r Request) (*Response, error) {
	deviceCode, now := secret.Token(codePrefix), c.Now()
	record := &Record{
		Hash: sha256.Sum256([]byte(deviceCode)), ClientID: r.ClientID, Scopes: r.Scopes, Audience: r.Audience,
		RemoteAddr: text(r.From), Source: source(r.From), State: Pending, IssuedAt: now, ExpiresAt: now.Add(Lifetime),
	}
	for range 5 { // of 20^8 codes, one that is taken is rare, and two in a row never happen
		record.UserCode = usercode.New()
		err := c.Storage.AddDevice(ctx, record, Limits{Client: maxOfClient, Source: maxOfSource})
		if errors.Is(err, identity.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shown := record.UserCode.String()
		return &Response{
			DeviceCode: deviceCode, UserCode: shown, Page: r.Page, Complete: r.Page + "?" + url.Values{"user_code": {shown}}.Encode(),
			ExpiresIn: int(Lifetime.Seconds()), Interval: int(Interval.Seconds()),
		}, nil
	}
	return nil, identity.Failf(identity.ReasonInternal, "no user code is free")
}

// Person is who types a user code.
type Person struct {
	Subject   string
	From      netip.Addr
	RequestID string
}

// ErrNoCode says that what was typed is no code of a device that waits.
var ErrNoCode = errors.New("no device waits with this code")

// Enter returns the record of what somebody typed. It returns [ErrNoCode], which
// counts against the person and their address, or, after too many of these, a
// [*identity.Failure] with [identity.ReasonLocked], whatever was typed.
func (c *Codes) Enter(ctx context.Context, typed string, who Person) (*Record, error) {
	if err := c.mayGuess(ctx, who); err != nil {
		return nil, err
	}
	code, ok := usercode.Parse(typed)
	if ok {
		record, err := c.Storage.FindDevice(ctx, code)
		if err == nil {
			// Guesses that were under way when the lock fell are locked, too: many at once
			// find out no more than one after the other.
			return record, c.mayGuess(ctx, who)
		}
		if !errors.Is(err, identity.ErrNotFound) {
			return nil, err
		}
	}
	e := identity.Event{
		At: c.Now(), Kind: "device_code_refused", Reason: identity.ReasonInvalidToken, Subject: who.Subject,
		RemoteAddr: text(who.From), RequestID: who.RequestID,
	}
	// Who hangs up is counted all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := c.Attempts.RecordFailure(ctx, who.keys(), e); err != nil {
		return nil, err
	}
	return nil, ErrNoCode
}

func (c *Codes) mayGuess(ctx context.Context, who Person) error {
	keys := who.keys()
	wrong, err := c.Attempts.CountFailures(ctx, keys, c.Now().Add(-guessWindow))
	switch {
	case err != nil:
		return err
	case wrong[keys[0]] >= guessesOfOne:
		return identity.Failf(identity.ReasonLocked, "too many wrong user codes of this person")
	case len(keys) > 1 && wrong[keys[1]] >= guessesOfPlace:
		return identity.Failf(identity.ReasonLocked, "too many wrong user codes from this source")
	}
	return nil
}

// keys are under what wrong codes of the person and of their address count. They
// are not those of wrong passwords: neither locks the other.
func (p Person) keys() []string {
	keys := []string{"device person:" + p.Subject}
	if s := source(p.From); s != "" {
		keys = append(keys, "device source:"+s)
	}
	return keys
}

func text(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// source is what counts as one address: an IPv6 /64 is.
func source(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if network, err := addr.Prefix(64); err == nil && addr.Is6() {
		return network.String()
	}
	return text(addr)
}
