package factor

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	period = 30 // seconds (RFC 6238, section 5.2)
	digits = 6
	skew   = 1 // steps that a clock may be off, either way

	// maxCode is the longest text that is read as a code, in bytes.
	maxCode = 64
	// imageSize is that of a QR code, in pixels.
	imageSize = 240
)

// Key is a new key for an authenticator app.
type Key struct {
	Secret string // in Base32, for who cannot scan
	Image  []byte // a PNG with the key in a QR code

	url string
}

// newKey makes one of 160 bits (RFC 4226, section 4, R6).
func newKey(issuer, account string) (*Key, error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Period: period, Digits: otp.DigitsSix})
	if err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	return drawn(k)
}

// drawn writes a key as a QR code.
func drawn(k *otp.Key) (*Key, error) {
	image, err := k.Image(imageSize, imageSize)
	if err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	return &Key{Secret: k.Secret(), Image: b.Bytes(), url: k.URL()}, nil
}

// asCode returns the digits of what can be a code, "" for what cannot: people type
// blanks as their app shows them.
func asCode(typed string) string {
	code := strings.ReplaceAll(strings.TrimSpace(typed), " ", "")
	if len(typed) > maxCode || len(code) != digits || strings.Trim(code, "0123456789") != "" {
		return ""
	}
	return code
}

// errNoStep says that a code is of no time near now.
var errNoStep = errors.New("the code is of no time near now")

// stepOf returns the time step of which code is. All steps are tried, whatever the
// first ones say.
func stepOf(secret []byte, code string, now time.Time) (int64, error) {
	step, right := int64(0), errNoStep
	for i := now.Unix()/period - skew; i <= now.Unix()/period+skew; i++ {
		want, err := hotp.GenerateCodeCustom(string(secret), uint64(max(i, 0)), hotp.ValidateOpts{Digits: otp.DigitsSix})
		if err != nil {
			return 0, fmt.Errorf("totp: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, right = i, nil
		}
	}
	return step, right
}
