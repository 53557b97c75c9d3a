package wire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// MaxBody is the largest body that is read, in bytes.
const MaxBody = 64 << 10

// maxParameters bounds how many parameters a form may have.
const maxParameters = 100

// Form is the one parser of every endpoint that takes a form. It leaves the
// result in the request, so that nobody behind it parses again.
func Form(c *gin.Context) (url.Values, error) {
	r := c.Request
	if r.Method != http.MethodPost {
		return nil, MethodNotAllowed(http.MethodPost)
	}
	body, err := ReadForm(c)
	if err != nil {
		return nil, err
	}
	values, err := ParseForm(body)
	if err != nil {
		return nil, err
	}
	r.PostForm, r.Form = values, values
	return values, nil
}

// MethodNotAllowed names the methods that are, as the header Allow does.
func MethodNotAllowed(allow string) *Error {
	return &Error{Status: http.StatusMethodNotAllowed, Code: "invalid_request", Description: "The method is not allowed here.", Allow: allow}
}

// ReadForm returns a form as it came, unparsed.
func ReadForm(c *gin.Context) (string, error) { return ReadFormOf(c, MaxBody) }

// ReadFormOf is [ReadForm] for a body of at most so many bytes.
func ReadFormOf(c *gin.Context, most int64) (string, error) {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return "", BadRequest("The body must be application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, most))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", &Error{
			Status: http.StatusRequestEntityTooLarge, Code: "invalid_request",
			Description: "The body is too large.", Cause: err,
		}
	case err != nil:
		return "", &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The body could not be read.", Cause: err}
	}
	return string(body), nil
}

// ParseForm refuses what two parsers could read differently: repeated
// parameters (RFC 6749, section 3.2), NUL and invalid UTF-8.
func ParseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, BadRequest("There are too many parameters.")
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, BadRequest("The body is not a well-formed form.")
	}
	for name, all := range values {
		if len(all) > 1 && name != "resource" && name != "audience" { // RFC 8707, section 2; RFC 8693, section 2.1
			return nil, BadRequest("A parameter is repeated.")
		}
		for _, s := range append([]string{name}, all...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				return nil, BadRequest("A parameter is not valid text.")
			}
		}
	}
	return values, nil
}
