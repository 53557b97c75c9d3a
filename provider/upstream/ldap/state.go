package ldap

import (
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// Attributes that say what has become of an account.
const (
	attrControl   = "userAccountControl" // Active Directory's, [MS-ADTS] section 2.2.16
	attrComputed  = "msDS-User-Account-Control-Computed"
	attrExpires   = "accountExpires"
	attrLockedAt  = "pwdAccountLockedTime" // of a password policy
	attrInactive  = "nsAccountLock"        // 389 Directory Server
	attrForbidden = "loginDisabled"        // eDirectory
	attrShadow    = "shadowExpire"         // RFC 2307
)

func (o *Options) stateAttributes() []string {
	if o.Preset == presetAD {
		return []string{attrControl, attrComputed, attrExpires}
	}
	return []string{attrControl, attrExpires, attrLockedAt, attrInactive, attrForbidden, attrShadow}
}

const (
	controlDisabled = 0x2  // of userAccountControl
	computedLocked  = 0x10 // of what is computed of it

	neverExpires    = 0x7FFFFFFFFFFFFFFF
	lockedForGood   = "000001010000Z" // by an administrator
	ticksPerSecond  = 10_000_000
	epochOfWindows  = -11_644_473_600 // 1601-01-01, in seconds of Unix
	secondsInOneDay = 24 * 60 * 60
)

// disabled returns why the account cannot be used, whatever the password is.
func disabled(e *goldap.Entry, now time.Time) error {
	switch {
	case bits(e, attrControl)&controlDisabled != 0 || truth(e, attrInactive) || truth(e, attrForbidden):
		return upstream.Fail(upstream.Disabled, "the account is disabled")
	case e.GetEqualFoldAttributeValue(attrLockedAt) == lockedForGood:
		return upstream.Fail(upstream.Disabled, "an administrator locked the account")
	case expired(e, now):
		return upstream.Fail(upstream.Disabled, "the account has expired")
	}
	return nil
}

// locked reports whether guessing has locked the account, for a while.
func locked(e *goldap.Entry) bool {
	at := e.GetEqualFoldAttributeValue(attrLockedAt)
	return at != "" && at != lockedForGood || bits(e, attrComputed)&computedLocked != 0
}

func expired(e *goldap.Entry, now time.Time) bool {
	ticks, err := strconv.ParseInt(e.GetEqualFoldAttributeValue(attrExpires), 10, 64)
	if err == nil && ticks > 0 && ticks != neverExpires && now.Unix() >= ticks/ticksPerSecond+epochOfWindows {
		return true
	}
	days, err := strconv.ParseInt(e.GetEqualFoldAttributeValue(attrShadow), 10, 64)
	return err == nil && days > 0 && now.Unix()/secondsInOneDay >= days
}

func bits(e *goldap.Entry, name string) int64 {
	n, _ := strconv.ParseInt(e.GetEqualFoldAttributeValue(name), 10, 64)
	return n
}

func truth(e *goldap.Entry, name string) bool {
	return strings.EqualFold(e.GetEqualFoldAttributeValue(name), "true")
}
