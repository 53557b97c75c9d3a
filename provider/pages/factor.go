package pages

import "time"

// FactorPage asks for a second factor. A code or a recovery code is posted as
// "code"; what a passkey answers as "passkey", with "challenge".
type FactorPage struct {
	Visit
	Form
	User      User
	TOTP      bool   // the person has an authenticator app
	Passkey   string // what a passkey is asked (PublicKeyCredentialRequestOptionsJSON); "" where there is none
	Challenge string
	Other     string // where somebody else signs in
	Error     string // why the last try failed: "invalid", "passkey", "expired", "locked", "disabled", "unverified", "unavailable"; "" where there was none
}

// EnrolPage lets a person set up a second factor. For an app, "challenge", "name" and "code"
// are posted; for a passkey "challenge", "name" and "passkey".
type EnrolPage struct {
	Visit
	Form
	User      User
	Must      bool   // there is no going on without
	Image     []byte // a PNG: the key as a QR code
	Key       string // for who cannot scan
	Challenge string
	Name      string // what was entered
	Error     string // why the last try failed: "code", "name", "expired", "too_many", "passkey"; "" where there was none

	Passkey          string // what a new passkey is asked (PublicKeyCredentialCreationOptionsJSON); "" where there can be none
	PasskeyChallenge string
}

// RecoveryPage shows recovery codes, once.
type RecoveryPage struct {
	Visit
	Codes    []string
	Continue string // where the person goes on
}

// FactorSection is about two-step sign-in on the account page.
type FactorSection struct {
	Offered  bool // people can have it; without, it is not shown
	Enrolled []Factor
	Recovery int    // codes that are left
	Fresh    bool   // the person signed in not long ago, and so may change it
	Refused  string // why nothing was changed: "stale"; "" where nobody tried
}

// Factor is something that a person proves themselves by.
type Factor struct {
	ID      string
	Kind    string // "totp" or "passkey"
	Name    string
	Created time.Time
	Used    time.Time
}

func (p *FactorPage) about() traits {
	return traits{name: "factor", Visit: p.Visit, scripts: p.Passkey != ""}
}

func (p *EnrolPage) about() traits {
	return traits{name: "enrol", Visit: p.Visit, scripts: p.Passkey != ""}
}

func (p *RecoveryPage) about() traits { return traits{name: "recovery", Visit: p.Visit} }

func sampleFactorPages(visit Visit, form Form, user User) []Page {
	return []Page{
		&FactorPage{Visit: visit, Form: form, User: user, TOTP: true, Passkey: "{}", Challenge: "1", Other: "/login", Error: "invalid"},
		&FactorPage{Form: form, User: user, Passkey: "{}"}, &FactorPage{Form: form, User: user},
		&EnrolPage{Visit: visit, Form: form, User: user, Must: true, Image: []byte{1}, Key: "ABCD", Challenge: "1", Error: "code"},
		&EnrolPage{Form: form, User: user, Image: []byte{1}, Key: "ABCD", Passkey: "{}"},
		&RecoveryPage{Visit: visit, Codes: []string{"aaaa-bbbb-cccc-dddd"}, Continue: "/account"},
		&AccountPage{User: user, Factors: FactorSection{Offered: true, Refused: "stale"}},
		&AccountPage{User: user, Factors: FactorSection{
			Offered: true, Fresh: true, Recovery: 9, Enrolled: []Factor{{ID: "1", Kind: "totp", Name: "Phone", Created: time.Unix(0, 0), Used: time.Unix(0, 0)}},
		}},
	}
}
