package exchange

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// statement is what a trusted issuer says, or a client of itself.
type statement struct {
	issuer   *TrustedIssuer // nil: the client itself
	name     string         // the login name or subject of a user
	id       string         // the jti, "" for none
	authTime time.Time      // auth_time, or else iat, or else now
	expires  time.Time
	scopes   []string
	act      *Actor
	mayAct   map[string]any
}

// members are the members of a JSON object, by their exact names: what reads
// structs would take Iss for iss.
type members map[string]any

func parseMembers(b []byte) (members, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m members
	if d.Decode(&m) != nil || m == nil || d.More() {
		return nil, errors.New("the token is malformed")
	}
	return m, nil
}

// header is the JOSE header of a JWS in compact form.
func header(token string) (members, error) { return segment(token, 0) }

// unverified are the claims of a token, of which nothing is verified.
func unverified(token string) (members, error) { return segment(token, 1) }

func segment(token string, n int) (members, error) {
	parts := strings.SplitN(token, ".", 4)
	if len(token) > maxToken || len(parts) != 3 {
		return nil, errors.New("the token is malformed")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		return nil, errors.New("the token is malformed")
	}
	return parseMembers(b)
}

func (m members) text(name string) string { s, _ := m[name].(string); return s }

// time reads a NumericDate (RFC 7519, section 2), which may have a fraction.
func (m members) time(name string) (time.Time, bool) {
	n, ok := m[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	whole, _ := math.Modf(seconds)
	return time.Unix(int64(whole), 0).UTC(), true
}

// list reads a string or a list of strings.
func (m members) list(name string) []string {
	switch v := m[name].(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// judge judges claims that the issuer has signed.
func (x *TrustedIssuer) judge(said members, d demands, now time.Time) (*statement, error) {
	st := &statement{issuer: x, name: said.text(x.Claim), id: said.text("jti"), scopes: x.Scopes}
	if err := x.judgeTimes(st, said, d, now); err != nil {
		return nil, err
	}
	_, single := said["aud"].(string)
	may, _ := said["may_act"].(map[string]any)
	switch {
	case said.text("iss") != x.Issuer:
		return nil, errors.New("the token is of another issuer")
	case !slices.ContainsFunc(said.list("aud"), func(a string) bool { return slices.Contains(x.Audience, a) }):
		return nil, errors.New("the token is for another audience")
	case d.one && !single:
		return nil, errors.New("aud must be one string")
	case said["jti"] != nil && !sane(st.id), d.id && st.id == "":
		return nil, errors.New("the token needs a jti, of at most 255 bytes")
	case !sane(st.name):
		return nil, errors.New("the token names no user")
	case x.Claim == emailClaim && said[verifiedClaim] != true:
		return nil, errors.New("the issuer has not verified the e-mail address")
	case said["may_act"] != nil && may == nil:
		return nil, errors.New("the claim may_act is malformed")
	}
	st.mayAct = may
	if _, there := said["scope"]; there {
		st.scopes = both(strings.Fields(said.text("scope")), x.Scopes)
	}
	var err error
	st.act, err = parseActor(said["act"], x.Issuer)
	return st, err
}

// judgeTimes has no leeway for the end: what is exchanged ends with the token.
func (x *TrustedIssuer) judgeTimes(st *statement, said members, d demands, now time.Time) error {
	var ends bool
	st.expires, ends = said.time("exp")
	issued, begins := said.time("iat")
	switch {
	case !ends || !now.Before(st.expires):
		return errors.New("the token has expired, or has no exp")
	case d.life > 0 && st.expires.After(now.Add(d.life+leeway)):
		return errors.New("the token lives too long")
	case !begins && (d.life == 0 || said["iat"] != nil): // a bounded life bounds the age
		return errors.New("the token has no iat, or a malformed one")
	case begins && now.Sub(issued) > x.MaxAge+leeway:
		return errors.New("the token is too old")
	case begins && issued.After(now.Add(leeway)):
		return errors.New("the token was issued in the future")
	}
	if t, ok := said.time("nbf"); said["nbf"] != nil && (!ok || t.After(now.Add(leeway))) {
		return errors.New("the token is not valid yet")
	}
	st.authTime = now
	for _, name := range []string{"iat", "auth_time"} {
		if t, ok := said.time(name); ok && t.Before(st.authTime) {
			st.authTime = t
		}
	}
	return nil
}

// sane bounds what goes to storage as a name.
func sane(s string) bool { return s != "" && len(s) <= 255 && strings.IndexByte(s, 0) < 0 }
