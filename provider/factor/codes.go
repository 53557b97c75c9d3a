package factor

import (
	"context"
	"strings"

	"keyway/provider/identity"
)

// CodesOptions configures [Codes]; all must be given.
type CodesOptions struct {
	Policy *Policy
	Desk   *Desk
	Locked func(ctx context.Context, q identity.Question) error // the gate's Ask
}

// Codes reads the codes behind passwords, of systems that want them so.
type Codes struct{ options CodesOptions }

var _ identity.Codes = (*Codes)(nil)

// NewCodes returns Codes.
func NewCodes(o CodesOptions) *Codes { return &Codes{options: o} }

// Split implements [identity.Codes]. A password without a code behind it stays as it
// is: it may be an app password, which needs none; another one is refused then. After too many
// wrong codes none is right, and nobody is told so.
func (x *Codes) Split(ctx context.Context, c identity.Credentials, l *identity.Login) (*identity.CodedLogin, error) {
	if l == nil || !x.options.Policy.Offered() || x.options.Policy.legacy(c.System) != LegacyAppended {
		return nil, nil
	}
	held, err := x.options.Desk.options.Storage.ListEnrolments(ctx, l.User.Subject)
	if err != nil {
		return nil, err
	}
	if !(&Held{Enrolments: held}).Has(KindTOTP) {
		return nil, nil
	}
	locked := x.options.Locked(ctx, identity.Question{Moment: identity.MomentTry, Subject: l.User.Subject, Code: true})
	if r := identity.ReasonOf(locked); locked != nil && r != identity.ReasonLocked {
		return nil, locked
	}
	password, code := cutCode(c.Password)
	if code == "" {
		return &identity.CodedLogin{Credentials: c}, nil
	}
	right, err := x.options.Desk.matching(ctx, l.User.Subject, code)
	if err != nil {
		return nil, err
	}
	split := &identity.CodedLogin{Credentials: c, Right: right != nil && locked == nil}
	split.Credentials.Password, split.Credentials.Equivalent = password, equivalents(c.Equivalent, code)
	split.Use = func(ctx context.Context) error {
		e := identity.Event{System: c.System, ClientID: c.Client, RequestID: c.RequestID}
		if c.RemoteAddr.IsValid() {
			e.RemoteAddr = c.RemoteAddr.Unmap().String()
		}
		return x.options.Desk.options.Storage.UseEnrolment(ctx, right, e)
	}
	return split, nil
}

// cutCode takes six digits from the end; "" where there are none.
func cutCode(typed string) (password, code string) {
	at := len(typed) - digits
	if at < 1 || strings.Trim(typed[at:], "0123456789") != "" {
		return typed, ""
	}
	return typed[:at], typed[at:]
}

// equivalents takes the code from other readings of what was typed; what does not
// end in it is none.
func equivalents(readings []string, code string) []string {
	var all []string
	for _, r := range readings {
		if password, found := strings.CutSuffix(r, code); found {
			all = append(all, password)
		}
	}
	return all
}
