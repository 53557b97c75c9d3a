package claims

import (
	"maps"
	"slices"

	"keyway/provider/identity"
)

// The scopes of OpenID Connect Core 1.0, sections 3.1.2.1, 5.4 and 11.
const (
	OpenID  = "openid"
	Profile = "profile"
	Email   = "email"
	Address = "address"
	Phone   = "phone"
	Offline = "offline_access"
)

// PersonalScopes are the scopes that open claims.
func PersonalScopes() []string { return []string{Profile, Email, Address, Phone} }

// StoredUnder lists the claims that a scope opens (OpenID Connect Core 1.0,
// section 5.4) and that are stored as they are told.
func StoredUnder(scope string) []string {
	switch scope {
	case Profile:
		return []string{
			"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
			"picture", "website", "gender", "birthdate", "zoneinfo", "locale",
		}
	case Address:
		return []string{"address"}
	case Phone:
		return []string{"phone_number", "phone_number_verified"}
	}
	return nil
}

// ScopeOf is the scope that opens a claim, "" where none does.
func ScopeOf(claim string) string {
	switch claim {
	case "email", "email_verified":
		return Email
	case "updated_at":
		return Profile
	}
	for _, s := range PersonalScopes() {
		if slices.Contains(StoredUnder(s), claim) {
			return s
		}
	}
	return ""
}

// Reserved reports whether a claim is the provider's own to say: of a token, or of
// how somebody signed in. Nothing that is mapped or imported may take its place.
func Reserved(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "scp", "active", "token_type",
		"auth_time", "acr", "amr", "azp", "authorization_details", "nonce", "at_hash", "c_hash", "s_hash", "cnf", "act", "sid", "username",
		"events", "token_introspection":
		return true
	}
	return false
}

// OfUser are what the scopes let a client know of u.
func OfUser(u *identity.User, scopes []string) map[string]any {
	told := map[string]any{"sub": u.Subject}
	for _, s := range scopes {
		for _, name := range StoredUnder(s) {
			if v, ok := u.Claims[name]; ok {
				told[name] = v
			}
		}
		switch s {
		case Profile:
			if _, ok := told["preferred_username"]; !ok && len(u.LoginNames) > 0 {
				told["preferred_username"] = u.Username(u.LoginNames[0].Directory)
			}
			if !u.UpdatedAt.IsZero() {
				told["updated_at"] = u.UpdatedAt.Unix()
			}
		case Email:
			if u.Email != "" {
				told["email"], told["email_verified"] = u.Email, u.EmailVerified
			}
		}
	}
	return told
}

// Named are those of the names that there is something to say of.
func Named(u *identity.User, names []string) map[string]any {
	if len(names) == 0 {
		return nil
	}
	told := OfUser(u, PersonalScopes())
	maps.DeleteFunc(told, func(name string, _ any) bool { return !slices.Contains(names, name) })
	return told
}
