package identity

import (
	"fmt"
	"slices"
	"time"
)

// Status is the state of a user.
type Status string

// The states of a user.
const (
	StatusActive     Status = "active"
	StatusUnverified Status = "unverified"
	StatusDisabled   Status = "disabled"
	StatusDeleted    Status = "deleted"
)

// User is one person. Subject is random and never changes; it is the OIDC
// subject identifier (OpenID Connect Core 1.0, section 2) and never an e-mail
// address.
type User struct {
	Subject           string
	Status            Status
	Email             string
	EmailVerified     bool
	Claims            map[string]any // further standard claims (OpenID Connect Core 1.0, section 5.1); numbers are json.Number
	LoginNames        []LoginName    // filled by FindUser and FindLogin
	CredentialVersion int64          // grows with every change of a credential
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// LoginName is a name under which a user signs in, unique in its directory
// (compared by [FoldName]).
type LoginName struct {
	Directory string
	Name      string // as it was given
	Slot      string // which of the user's credentials it goes with; "" is [SlotPassword]
}

// Username returns the user's first login name in directory that is not an
// e-mail address, else the first one there, else "".
func (u *User) Username(directory string) string {
	first := ""
	for _, n := range u.LoginNames {
		if n.Directory != directory || n.Slot != "" && n.Slot != SlotPassword {
			continue
		}
		if first == "" {
			first = n.Name
		}
		if !LooksLikeEmail(n.Name) {
			return n.Name
		}
	}
	return first
}

// Account is a user's account in one legacy system.
type Account struct {
	System     string // the account namespace, usually the template's name: "faveo"
	Subject    string
	ID         string         // the legacy system's own id; unique in System
	Attributes map[string]any // what reply templates read; numbers are json.Number
}

// Meets reports whether each attribute that is named has its value, or is a list
// that contains it.
func (a *Account) Meets(match map[string]string) bool {
	for attribute, want := range match {
		if !matches(a.Attributes[attribute], want) {
			return false
		}
	}
	return true
}

func matches(v any, want string) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v == want
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return matches(e, want) })
	default:
		return fmt.Sprint(v) == want
	}
}

// The credential slots that Keyway itself names. A system may use others.
const (
	SlotPassword = "password"
)

// Credential is one secret of a user, stored as a hash. Printed, logged or
// encoded as JSON it hides hash and salt.
type Credential struct {
	Subject string
	Slot    string // SlotPassword, or a name of the system's own such as "pass_code"
	Hash    string `json:"-"`
	Scheme  string // "" when the hash names itself
	Salt    string `json:"-"` // only where the scheme keeps it apart from the hash
}

// String hides the hash and its salt.
func (c Credential) String() string { return "credential " + c.Slot + " of " + c.Subject }

// GoString hides what String hides.
func (c Credential) GoString() string { return c.String() }

// Login is what a login name leads to.
type Login struct {
	User       User
	Name       LoginName
	Credential *Credential // nil when the user has none in the name's slot
}
