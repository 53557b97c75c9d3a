package saml

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	crewjamsaml "github.com/crewjam/saml"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

const (
	maxSubject = 256                                     // bytes (SAML Core, section 8.3.7)
	remembered = 10 * time.Minute                        // longer than any assertion is taken
	freshness  = 5 * time.Minute                         // that a sign-in may take
	bearer     = "urn:oasis:names:tc:SAML:2.0:cm:bearer" //nolint:gosec // a name
)

// judge is what the library leaves to its caller, or sees less strictly. The assertion
// is read from what was signed.
func (c *Connector) judge(ctx context.Context, a *upstream.Attempt, said *crewjamsaml.Assertion) (*upstream.Person, error) {
	now := c.options.Now()
	if err := c.checkTimes(said, requestID(a), now); err != nil {
		return nil, untrusted(err)
	}
	p := &upstream.Person{Issuer: c.options.Issuer, Claims: c.claims(said)}
	if err := c.checkStatement(said, p, now); err != nil {
		return nil, untrusted(err)
	}
	if a.Fresh && now.Sub(p.AuthTime) > c.options.Skew+freshness {
		return nil, upstream.Fail(upstream.Untrusted, "the person did not prove themselves anew")
	}
	if len(c.options.RequireACR) > 0 && !slices.Contains(c.options.RequireACR, p.ACR) {
		return nil, upstream.Fail(upstream.Refused, "the authentication context is not one that is required")
	}
	var err error
	if p.Subject, err = c.subject(said, p.Claims); err != nil {
		return nil, untrusted(err)
	}
	return p, c.once(ctx, said.ID, now)
}

// once takes an assertion one time only (ASVS 6.8.3). An outage of the memory is
// none of the upstream's.
func (c *Connector) once(ctx context.Context, id string, now time.Time) error {
	if id == "" {
		return upstream.Fail(upstream.Untrusted, "the assertion has no id")
	}
	err := c.options.Remember(ctx, "saml assertion\x00"+c.options.Issuer, id, now.Add(remembered))
	if errors.Is(err, identity.ErrConflict) {
		return upstream.Fail(upstream.Untrusted, "the assertion was used before")
	}
	return err
}

// checkTimes judges the assertion's times by our own idea of how far clocks may be
// apart; the library's is wider.
func (c *Connector) checkTimes(said *crewjamsaml.Assertion, request string, now time.Time) error {
	early, late := now.Add(c.options.Skew), now.Add(-c.options.Skew)
	conditions := said.Conditions
	switch {
	case said.IssueInstant.After(early), conditions.NotBefore.After(early):
		return errors.New("the assertion is not yet valid")
	case !conditions.NotOnOrAfter.IsZero() && !late.Before(conditions.NotOnOrAfter):
		return errors.New("the assertion has expired")
	}
	for _, s := range said.Subject.SubjectConfirmations {
		d := s.SubjectConfirmationData
		if s.Method == bearer && d != nil && d.Recipient == c.options.ACS && d.InResponseTo == request &&
			late.Before(d.NotOnOrAfter) && !d.NotBefore.After(early) {
			return nil
		}
	}
	return errors.New("nothing confirms the subject to us, in answer to this request, and now")
}

// checkStatement reads how and when the person signed in.
func (c *Connector) checkStatement(said *crewjamsaml.Assertion, p *upstream.Person, now time.Time) error {
	if n := len(said.AuthnStatements); n != 1 {
		return fmt.Errorf("the assertion says %d times how somebody signed in", n)
	}
	s := said.AuthnStatements[0]
	switch {
	case s.AuthnInstant.IsZero() || s.AuthnInstant.After(now.Add(c.options.Skew)):
		return errors.New("nobody signs in in the future, or at no time")
	case s.SessionNotOnOrAfter != nil && !now.Add(-c.options.Skew).Before(*s.SessionNotOnOrAfter):
		return errors.New("the session there is over")
	}
	p.AuthTime, p.SID = s.AuthnInstant.UTC(), s.SessionIndex
	if class := s.AuthnContext.AuthnContextClassRef; class != nil {
		p.ACR = strings.TrimSpace(class.Value)
	}
	return nil
}

// subject is who somebody is: a name that stays theirs, or an attribute that the
// operator says is one.
func (c *Connector) subject(said *crewjamsaml.Assertion, claims map[string]any) (string, error) {
	var subject string
	if c.options.SubjectAttribute != "" {
		var ok bool
		if subject, ok = single(claims[c.options.SubjectAttribute]); !ok {
			return "", errors.New("the attribute for the subject is missing, or has several values")
		}
	} else {
		name := said.Subject.NameID
		if name == nil {
			return "", errors.New("the assertion has no NameID")
		}
		if err := c.checkName(name); err != nil {
			return "", err
		}
		subject = strings.TrimSpace(name.Value)
	}
	if subject == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' }) {
		return "", errors.New("the subject is empty, too long, or not plain text")
	}
	return subject, nil
}

// checkName refuses a name that means nobody in particular, or means somebody to
// others only. A transient one is another at the next sign-in.
func (c *Connector) checkName(n *crewjamsaml.NameID) error {
	const unspecified = string(crewjamsaml.UnspecifiedNameIDFormat)
	want, got := string(c.options.nameFormat()), n.Format
	if got == "" {
		got = unspecified
	}
	switch {
	case got != want:
		return fmt.Errorf("the NameID is not of the format %s; a subject_attribute may be the way", want)
	case n.SPNameQualifier != "" && n.SPNameQualifier != c.options.EntityID:
		return errors.New("the NameID is for somebody else")
	case n.NameQualifier != "" && n.NameQualifier != c.options.Issuer:
		return errors.New("the NameID is somebody else's")
	}
	return nil
}

// claims are the attributes by their names: a text, or a list where there are several
// values, or where the operator wants one.
func (c *Connector) claims(said *crewjamsaml.Assertion) map[string]any {
	all := map[string][]any{}
	for _, s := range said.AttributeStatements {
		for _, a := range s.Attributes {
			for _, v := range a.Values {
				text := v.Value
				if v.NameID != nil {
					text = v.NameID.Value
				}
				if !v.Nil {
					all[a.Name] = append(all[a.Name], strings.TrimSpace(text))
				}
			}
		}
	}
	claims := make(map[string]any, len(all))
	for name, values := range all {
		if len(values) == 1 && !slices.Contains(c.options.Lists, name) {
			claims[name] = values[0]
			continue
		}
		claims[name] = values
	}
	return claims
}

// single is the one text of a claim.
func single(claim any) (string, bool) {
	if list, ok := claim.([]any); ok && len(list) == 1 {
		claim = list[0]
	}
	s, ok := claim.(string)
	return s, ok
}
