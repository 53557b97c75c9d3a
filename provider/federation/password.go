package federation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Limits of what an upstream is asked about, in bytes.
const (
	maxUsername = 512
	maxPassword = 1024
)

// PasswordOptions are what a [Password] needs; all but Systems.
type PasswordOptions struct {
	Connector *Connector // with a Verifier
	Links     identity.Links
	Users     identity.Users
	Now       func() time.Time
	// Systems are the legacy systems' instances in which everybody at the upstream has
	// an account. What it says of them is told there to who comes for the first time,
	// too; elsewhere it would tell right passwords from wrong ones to who has none.
	Systems []string
}

// Password judges passwords by asking one upstream. Whom it vouches for becomes a
// user as at any other sign-in there. It is asked once for each attempt, about
// the password as it was typed: other readings of it would be further guesses, of
// which the upstream would lock its people out.
type Password struct {
	options PasswordOptions
	recent  recent
}

var _ identity.LoginAuthenticator = (*Password)(nil)

// NewPassword returns a Password.
func NewPassword(o PasswordOptions) (*Password, error) {
	if o.Connector == nil || o.Connector.Verifier == nil || o.Links == nil || o.Users == nil || o.Now == nil {
		return nil, errors.New("password: a connector with a verifier, links, users and clock are needed")
	}
	return &Password{options: o}, nil
}

// TakesPasswords reports whether the password page is of use for a client: our own
// passwords are, or those of an upstream that it allows.
func (f *Federation) TakesPasswords(c *client.Client) bool {
	if c.Admits("") {
		return true
	}
	for _, id := range c.Connectors {
		if one := f.Find(id); one != nil && one.Verifier != nil {
			return true
		}
	}
	return false
}

// Authenticate implements [identity.Authenticator].
func (p *Password) Authenticate(ctx context.Context, c identity.Credentials) (*identity.Identity, error) {
	l, err := c.Resolve(ctx, p.options.Users)
	if err != nil {
		return nil, err
	}
	return p.AuthenticateLogin(ctx, c, l)
}

// AuthenticateLogin implements [identity.LoginAuthenticator]. Failures are those of
// [ReasonOf], unknown_user for who cannot become a user and disabled for whom the
// mapping does not let in.
func (p *Password) AuthenticateLogin(ctx context.Context, c identity.Credentials, l *identity.Login) (*identity.Identity, error) {
	if c.Login != nil {
		l = c.Login
	}
	switch {
	case c.Hopeless: // no upstream shall count it
		return nil, identity.Failf(identity.ReasonWrongPassword, "%w: this way of signing in is not taken", identity.ErrNotAsked)
	case c.Password == "" || len(c.Password) > maxPassword:
		return nil, identity.Failf(identity.ReasonWrongPassword, "%w: the password is empty, or too long to be asked about", identity.ErrNotAsked)
	case !askable(c.Username):
		return nil, identity.Failf(identity.ReasonUnknownUser, "%w: the name is empty, too long, or another spelling of a name", identity.ErrNotAsked)
	}
	name := norm.NFC.String(c.Username) // a Kelvin sign is a K, as for whoever looks the name up here
	person, err := p.options.Connector.Verifier.Verify(ctx, &upstream.Login{Username: name, Password: c.Password, System: c.System})
	if err != nil {
		return nil, p.refusal(ctx, err, c.System)
	}
	if person == nil || person.Issuer == "" || person.Subject == "" {
		return nil, identity.Failf(identity.ReasonUnavailable, "the upstream did not say who it is")
	}
	return p.admit(ctx, person, l)
}

// askable reports whether an upstream is asked about a name. Directories and old
// servers compare names without what cannot be seen, without blanks or by what letters
// look like, so that one person would have endlessly many. Blanks at the end are none
// here either.
func askable(name string) bool {
	invisible := func(r rune) bool { return unicode.Is(unicode.C, r) || r != ' ' && unicode.IsSpace(r) }
	if name == "" || len(name) > maxUsername || !utf8.ValidString(name) || strings.ContainsFunc(name, invisible) {
		return false
	}
	return name[0] != ' ' && !strings.Contains(strings.TrimRight(name, " "), "  ") && norm.NFKC.String(name) == norm.NFC.String(name)
}

// admit finds or makes the user. A name that is somebody's here is theirs alone:
// an upstream cannot give it to another one.
func (p *Password) admit(ctx context.Context, person *upstream.Person, l *identity.Login) (*identity.Identity, error) {
	link, err := p.link(ctx, person.Issuer, person.Subject)
	if err != nil {
		return nil, err
	}
	if l != nil && (link == nil || link.Subject != l.User.Subject) {
		return nil, identity.Failf(identity.ReasonUnknownUser, "the name is that of somebody else here")
	}
	who, err := p.options.Connector.Mapper.Map(person)
	if err != nil { // about this person, and not the upstream
		return nil, identity.Failf(identity.ReasonDisabled, "not let in by the mapping: %w", err)
	}
	who.Password = person.Password
	subject, err := p.save(ctx, who, link)
	if err != nil {
		return nil, err
	}
	user, err := p.options.Users.FindUser(ctx, subject)
	if err != nil {
		return nil, outage(err)
	}
	return &identity.Identity{
		User: *user, AuthTime: p.options.Now(), AMR: []string{"pwd"}, Connector: p.options.Connector.ID,
		Person: nameOf(person.Issuer, person.Subject),
	}, nil
}

// save returns whose user it is.
func (p *Password) save(ctx context.Context, who *identity.Federated, link *identity.Link) (subject string, err error) {
	now := p.options.Now()
	if link != nil && link.Connector == who.Connector && link.RefusedAt.IsZero() && p.recent.same(who, now) {
		return link.Subject, nil
	}
	saved, err := p.options.Links.SaveFederated(ctx, who, p.options.Connector.Create)
	switch {
	case errors.Is(err, identity.ErrConflict):
		return "", identity.Failf(identity.ReasonUnknownUser, "the name or an account is somebody else's: %w", err)
	case errors.Is(err, identity.ErrNotFound):
		return "", identity.Failf(identity.ReasonUnknownUser, "nobody here is linked to this person, and the connector makes no users")
	case err != nil:
		return "", outage(err)
	}
	p.recent.note(who, now)
	return saved.Subject, nil
}

// nameOf is what somebody is called who may be no user yet.
func nameOf(issuer, subject string) string { return issuer + " " + subject }

// link returns nil where nobody is linked.
func (p *Password) link(ctx context.Context, issuer, subject string) (*identity.Link, error) {
	link, err := p.options.Links.FindLink(ctx, issuer, subject)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, outage(err)
	}
	return link, nil
}

func outage(err error) error {
	return identity.Failf(identity.ReasonUnavailable, "storage: %w", err)
}

// refusal is what an upstream's error means here.
func (p *Password) refusal(ctx context.Context, err error, system string) error {
	failure := identity.Fail(ReasonOf(upstream.KindOf(err)), err)
	failure.Candid = slices.Contains(p.options.Systems, system)
	var e *upstream.Error
	if !errors.As(err, &e) || e.Subject == "" {
		return failure
	}
	failure.Name = nameOf(e.Issuer, e.Subject)
	link, err := p.link(ctx, e.Issuer, e.Subject)
	if err != nil {
		return err
	}
	if link != nil {
		failure.Subject = link.Subject
	}
	return failure
}

// ReasonOf is what a verifier's kind of error means to who typed the password. An
// expired password is disabled: it was right, so that it is no guess, and nothing
// that they type here helps. A refusal without more counts as a guess, for it may
// have been one.
func ReasonOf(kind upstream.Kind) identity.Reason {
	switch kind {
	case upstream.Unknown, upstream.Collision:
		return identity.ReasonUnknownUser
	case upstream.Wrong, upstream.Refused:
		return identity.ReasonWrongPassword
	case upstream.Disabled, upstream.Expired:
		return identity.ReasonDisabled
	case upstream.Unverified:
		return identity.ReasonUnverified
	case upstream.Locked:
		return identity.ReasonLocked
	case upstream.Untrusted, upstream.Unavailable:
	}
	return identity.ReasonUnavailable
}
