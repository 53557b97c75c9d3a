package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// DefaultDirectory is the directory of login names that name none.
const DefaultDirectory = "default"

// record checks the line and makes a record of it.
func (in *recordLine) record() (Record, error) {
	rec := Record{User: User{
		Subject: in.Subject, Status: in.Status, Email: in.Email,
		EmailVerified: in.EmailVerified, Claims: in.Claims,
	}}
	steps := []func(*Record) error{in.checkUser, in.addLoginNames, in.addCredentials, in.checkSlots, in.addAccounts}
	for _, step := range steps {
		if err := step(&rec); err != nil {
			return Record{}, err
		}
	}
	setPreferredUsername(&rec.User)
	return rec, nil
}

func (in *recordLine) checkUser(rec *Record) error {
	switch rec.User.Status {
	case "", StatusActive, StatusUnverified, StatusDisabled, StatusDeleted:
	default:
		return errors.New(`"status" is none of active, unverified, disabled, deleted`)
	}
	if err := checkText(`"subject"`, in.Subject, 255); err != nil {
		return err
	}
	if !isASCII(in.Subject) {
		return errors.New(`"subject" is not ASCII`)
	}
	if err := checkText(`"email"`, in.Email, 320); err != nil {
		return err
	}
	for _, claim := range slices.Sorted(maps.Keys(in.Claims)) {
		if reservedClaim(claim) {
			return fmt.Errorf("claim %q is not the user's to have", claim)
		}
	}
	return nil
}

// reservedClaim reports whether the provider itself says this of a user or of
// a token.
func reservedClaim(name string) bool {
	switch name {
	case "sub", "iss", "aud", "exp", "iat", "nbf", "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid",
		"at_hash", "c_hash", "client_id", "scope", "cnf", "email", "email_verified", "updated_at":
		return true
	}
	return false
}

func (in *recordLine) addLoginNames(rec *Record) error {
	if len(in.LoginNames) == 0 {
		return errors.New(`"login_names" is missing or empty`)
	}
	for _, n := range in.LoginNames {
		l := LoginName{Directory: n.Directory, Name: n.Name, Slot: n.Credential}
		if l.Directory == "" {
			l.Directory = in.Directory
		}
		if l.Directory == "" {
			l.Directory = DefaultDirectory
		}
		if l.Slot == "" {
			l.Slot = SlotPassword
		}
		if FoldName(l.Name) == "" {
			return errors.New("a login name is empty")
		}
		if err := errors.Join(checkText("a login name", l.Name, maxName), checkText("a directory", l.Directory, maxName)); err != nil {
			return err
		}
		rec.User.LoginNames = append(rec.User.LoginNames, l)
	}
	return nil
}

func (in *recordLine) addCredentials(rec *Record) error {
	if in.secretLine != (secretLine{}) {
		if err := addCredential(rec, SlotPassword, in.secretLine); err != nil {
			return err
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(in.Credentials)) {
		if slot == SlotPassword && in.secretLine != (secretLine{}) {
			return errors.New(`the password is given twice, once in "credentials"`)
		}
		if err := addCredential(rec, slot, in.Credentials[slot]); err != nil {
			return fmt.Errorf("credential %q: %w", slot, err)
		}
	}
	return nil
}

func addCredential(rec *Record, slot string, in secretLine) error {
	c := RecordCredential{
		Credential: Credential{Subject: rec.User.Subject, Slot: slot, Hash: in.Hash, Scheme: in.Scheme, Salt: in.Salt},
		Password:   in.Password,
	}
	if strings.Trim(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || slot == "" || len(slot) > 64 {
		return errors.New("its name is not made of a-z, 0-9 and _")
	}
	switch {
	case (in.Password == "") == (in.Hash == ""):
		return errors.New(`either "password" or "password_hash" must be given`)
	case in.Password != "" && (in.Scheme != "" || in.Salt != ""):
		return errors.New(`"hash_scheme" and "hash_salt" go with "password_hash"`)
	case len(in.Password) > MaxPassword:
		return fmt.Errorf("password is longer than %d bytes", MaxPassword)
	}
	if in.Hash != "" {
		if strings.ContainsRune(in.Salt, 0) {
			return errors.New("salt holds a NUL")
		}
		if err := CheckHash(c.Credential); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(in.Scheme + "|" + in.Salt + "|" + in.Hash))
		c.Source = hex.EncodeToString(sum[:])
	}
	rec.Credentials = append(rec.Credentials, c)
	return nil
}

// checkSlots finds login names that go with a credential that is not there.
// A line without any leaves the stored ones as they are.
func (in *recordLine) checkSlots(rec *Record) error {
	if len(rec.Credentials) == 0 {
		return nil
	}
	for _, n := range rec.User.LoginNames {
		there := n.Slot == SlotPassword || slices.ContainsFunc(rec.Credentials, func(c RecordCredential) bool { return c.Slot == n.Slot })
		if !there {
			return fmt.Errorf("a login name goes with credential %q, which is missing", n.Slot)
		}
	}
	return nil
}

func (in *recordLine) addAccounts(rec *Record) error {
	for _, system := range slices.Sorted(maps.Keys(in.Accounts)) {
		a := in.Accounts[system]
		if system == "" || a.ID == "" {
			return errors.New("an account has no system or no id")
		}
		if err := errors.Join(checkText("an account's system", system, 64), checkText("an account's id", a.ID, 255)); err != nil {
			return err
		}
		rec.Accounts = append(rec.Accounts, Account{System: system, Subject: rec.User.Subject, ID: a.ID, Attributes: a.Attributes})
	}
	return nil
}

func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%s is longer than %d bytes", what, limit)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s holds a control character", what)
	}
	return nil
}

// setPreferredUsername fills the claim (OpenID Connect Core 1.0, section 5.1)
// with the first login name that is no e-mail address.
func setPreferredUsername(u *User) {
	if _, ok := u.Claims["preferred_username"]; ok {
		return
	}
	for _, n := range u.LoginNames {
		if n.Slot == SlotPassword && !LooksLikeEmail(n.Name) {
			claims := maps.Clone(u.Claims)
			if claims == nil {
				claims = map[string]any{}
			}
			claims["preferred_username"] = n.Name
			u.Claims = claims
			return
		}
	}
}
