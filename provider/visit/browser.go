package visit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"keyway/provider/secret"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// The cookies. The first tells browsers apart, so that what one of them began
// can only be finished there; the second is the session.
const (
	BrowserCookie = "keyway_browser"
	SessionCookie = "keyway_session"
)

// maxCookie is the longest value that is read, in bytes.
const maxCookie = 128

// name adds the prefix by which browsers refuse a cookie that another host or a
// plain connection planted. Without https they would drop it.
func (v *Visits) name(name string) string {
	name += strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, v.base)
	if v.secure {
		return "__Host-" + name
	}
	return name
}

// SetCookie sets a cookie for as long as the browser runs; "" deletes it.
func (v *Visits) SetCookie(c *gin.Context, name, value string) {
	cookie := &http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: v.name(name), Value: value, Path: "/", HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.Writer, cookie)
}

// Cookie returns "" where there is none. Two of one name are none: one of them
// is somebody else's.
func (v *Visits) Cookie(c *gin.Context, name string) string {
	if all := c.Request.CookiesNamed(v.name(name)); len(all) == 1 && len(all[0].Value) <= maxCookie {
		return all[0].Value
	}
	return ""
}

// Browser returns what tells this browser from others, and sees to it that there
// is something.
func (v *Visits) Browser(c *gin.Context) string {
	value := v.Cookie(c, BrowserCookie)
	if value == "" {
		value = c.GetString(BrowserCookie) // made for this very request before
	}
	if value == "" {
		value = secret.ID() + secret.ID()
		c.Set(BrowserCookie, value)
		v.SetCookie(c, BrowserCookie, value)
	}
	return value
}

// FormToken is what the forms of a page carry against being posted from
// elsewhere. It is bound to the browser, the page, and the session, nil where
// nobody is signed in.
func (v *Visits) FormToken(c *gin.Context, page string, s *storage.BrowserSession) string {
	mac := hmac.New(sha256.New, v.options.Key)
	mac.Write([]byte(page + "\x00" + v.Browser(c) + "\x00"))
	if s != nil {
		mac.Write(s.Hash[:])
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckForm refuses a form that was not made for this browser, this page and
// this session: an error of 403.
func (v *Visits) CheckForm(c *gin.Context, page, token string, s *storage.BrowserSession) error {
	if !hmac.Equal([]byte(token), []byte(v.FormToken(c, page, s))) {
		return &wire.Error{Status: http.StatusForbidden, Code: "csrf", Cause: errors.New("the form was not made for this browser")}
	}
	return nil
}
