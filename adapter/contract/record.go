package contract

import (
	"encoding/json"
	"fmt"

	"keyway/provider/identity"
)

// record is a user in the import format, with plain passwords.
type record struct {
	Subject       string                      `json:"subject"`
	Directory     string                      `json:"directory"`
	LoginNames    []loginName                 `json:"login_names"`
	Email         string                      `json:"email"`
	EmailVerified bool                        `json:"email_verified"`
	Status        identity.Status             `json:"status"`
	Password      string                      `json:"password"`
	Credentials   map[string]recordCredential `json:"credentials"`
	Claims        map[string]any              `json:"claims"`
	Accounts      map[string]recordAccount    `json:"accounts"`
}

type recordCredential struct {
	Password string `json:"password"`
}

type recordAccount struct {
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

// loginName is a text, or an object where it belongs to a directory or a
// credential of its own.
type loginName struct {
	Directory  string `json:"directory"`
	Name       string `json:"name"`
	Credential string `json:"credential"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *loginName) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.Name)
	}
	type plain loginName
	return json.Unmarshal(b, (*plain)(n))
}

// person is a user of a stage.
type person struct {
	user      identity.User
	passwords map[string]string // by slot
	accounts  map[string]*identity.Account
}

func (r *record) person(number int) (*person, error) {
	if len(r.LoginNames) == 0 {
		return nil, fmt.Errorf("users[%d]: a user needs a login name", number)
	}
	p := &person{passwords: map[string]string{identity.SlotPassword: r.Password}, accounts: map[string]*identity.Account{}}
	p.user = identity.User{
		Subject: r.Subject, Status: r.Status, Email: r.Email, EmailVerified: r.EmailVerified, Claims: r.Claims,
		CredentialVersion: 1,
	}
	if p.user.Subject == "" {
		p.user.Subject = fmt.Sprintf("subject-%d", number+1)
	}
	if p.user.Status == "" {
		p.user.Status = identity.StatusActive
	}
	for slot, c := range r.Credentials {
		p.passwords[slot] = c.Password
	}
	for _, n := range r.LoginNames {
		slot := n.Credential
		if slot == "" {
			slot = identity.SlotPassword
		}
		p.user.LoginNames = append(p.user.LoginNames, identity.LoginName{
			Directory: firstOf(n.Directory, r.Directory, "default"), Name: n.Name, Slot: slot,
		})
	}
	for system, a := range r.Accounts {
		p.accounts[system] = &identity.Account{System: system, Subject: p.user.Subject, ID: a.ID, Attributes: a.Attributes}
	}
	return p, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
