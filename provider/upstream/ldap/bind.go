package ldap

import (
	"context"
	"fmt"
	"regexp"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// bind tries a password. Its errors quote nothing that the server wrote, which
// might be what it was sent.
func (c *conn) bind(ctx context.Context, name, password string) error {
	var said *goldap.SimpleBindResult
	answer, err := c.ask(ctx, func(l *goldap.Conn) (err error) {
		said, err = l.SimpleBind(goldap.NewSimpleBindRequest(name, password, []goldap.Control{goldap.NewControlBeheraPasswordPolicy()}))
		return err
	})
	if err != nil {
		return err
	}
	policy := policyError(said)
	switch {
	case answer == nil && policy == goldap.BeheraChangeAfterReset:
		return upstream.Fail(upstream.Expired, "the password has to be changed first")
	case answer == nil:
		return nil
	}
	kind, detail := judgeBind(answer, policy)
	return &upstream.Error{Kind: kind, Err: fmt.Errorf("bind: result %d%s", answer.ResultCode, detail)}
}

const noPolicy = -1

// policyError is what the password policy control says (draft-behera-ldap-password-policy,
// section 6.2).
func policyError(said *goldap.SimpleBindResult) int8 {
	if said == nil {
		return noPolicy
	}
	if c, ok := goldap.FindControl(said.Controls, goldap.ControlTypeBeheraPasswordPolicy).(*goldap.ControlBeheraPasswordPolicy); ok {
		return c.Error
	}
	return noPolicy
}

// judgeBind says what a refused bind means.
func judgeBind(answer *goldap.Error, policy int8) (kind upstream.Kind, detail string) {
	switch policy {
	case goldap.BeheraAccountLocked:
		return upstream.Locked, ", password policy: locked"
	case goldap.BeheraPasswordExpired, goldap.BeheraChangeAfterReset:
		return upstream.Expired, ", password policy: expired"
	}
	switch answer.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		return judgeAD(answer.Err.Error())
	case goldap.LDAPResultInappropriateAuthentication: // the entry has no password
		return upstream.Wrong, ""
	case goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax:
		return upstream.Unknown, ""
	case goldap.LDAPResultConstraintViolation: // 389 Directory Server, after too many guesses
		return upstream.Locked, ""
	case goldap.LDAPResultUnwillingToPerform: // the same, for who is inactive
		return upstream.Refused, ""
	case goldap.LDAPResultReferral:
		return upstream.Untrusted, ", it names another server"
	}
	return upstream.Unavailable, ""
}

// subCode is in the text by which Active Directory refuses a bind, in
// hexadecimal: "80090308: LdapErr: DSID-0C09..., comment: AcceptSecurityContext error, data 52e, v1db1".
var subCode = regexp.MustCompile(`AcceptSecurityContext error, data ([0-9a-fA-F]{1,8}),`)

// maxDiagnostic is how much of such a text is read, in bytes.
const maxDiagnostic = 512

// judgeAD tells apart why Active Directory refused a bind; every other directory
// refused the password.
func judgeAD(text string) (kind upstream.Kind, detail string) {
	found := subCode.FindStringSubmatch(text[:min(len(text), maxDiagnostic)])
	if found == nil {
		return upstream.Wrong, ""
	}
	detail = ", data " + found[1]
	switch found[1] {
	case "525": // no such user
		return upstream.Unknown, detail
	case "530", "531", "534": // not at this time, from here, in this way
		return upstream.Refused, detail
	case "532", "773": // the password has expired, or has to be changed first
		return upstream.Expired, detail
	case "533", "701": // the account is disabled, or has expired
		return upstream.Disabled, detail
	case "775":
		return upstream.Locked, detail
	}
	return upstream.Wrong, detail // 52e, and what is not known
}
