package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// legacyJWT is what a legacy token says of itself.
type legacyJWT struct {
	subject string
	expires time.Time // zero when it never does
}

// readLegacyJWT checks a token's shape and signature (RFC 7515, HS256) and
// says what is wrong with it in the words of the legacy systems.
func readLegacyJWT(token string, secret []byte, now time.Time) (legacyJWT, Outcome) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return legacyJWT{}, OutcomeTokenMalformed
	}
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	signature, err3 := base64.RawURLEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || err3 != nil || !isHS256Header(header) {
		return legacyJWT{}, OutcomeInvalidToken
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if len(secret) == 0 || !hmac.Equal(mac.Sum(nil), signature) {
		return legacyJWT{}, OutcomeInvalidToken
	}
	claims, ok := parseJSON(payload)
	if !ok {
		return legacyJWT{}, OutcomeInvalidToken
	}
	t := legacyJWT{subject: toText(claims["sub"])}
	if exp, ok := claims["exp"]; ok {
		seconds, err := toInt(exp) // some systems write it as a string
		if err != nil {
			return legacyJWT{}, OutcomeInvalidToken
		}
		t.expires = time.Unix(seconds, 0)
		if !now.Before(t.expires) {
			return t, OutcomeExpiredToken
		}
	}
	return t, ""
}

func isHS256Header(b []byte) bool {
	var h struct {
		Alg string `json:"alg"`
	}
	return json.Unmarshal(b, &h) == nil && h.Alg == "HS256"
}
