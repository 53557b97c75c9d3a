package provider

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

// maxBody is the largest body that is read, in bytes.
const maxBody = 64 << 10

// maxParameters bounds how many parameters a form may have.
const maxParameters = 100

// form is the one parser of every endpoint that takes a form. It leaves the
// result in the request, so that nobody behind it parses again.
func form(c *gin.Context) (url.Values, error) {
	r := c.Request
	if r.Method != http.MethodPost {
		return nil, methodNotAllowed(http.MethodPost)
	}
	body, err := readForm(c)
	if err != nil {
		return nil, err
	}
	values, err := parseForm(body)
	if err != nil {
		return nil, err
	}
	r.PostForm, r.Form = values, values
	return values, nil
}

func methodNotAllowed(allow string) *wireError {
	return &wireError{Status: http.StatusMethodNotAllowed, Code: "invalid_request", Description: "The method is not allowed here.", Allow: allow}
}

func readForm(c *gin.Context) (string, error) {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return "", badRequest("The body must be application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", &wireError{
			Status: http.StatusRequestEntityTooLarge, Code: "invalid_request",
			Description: "The body is too large.", Cause: err,
		}
	case err != nil:
		return "", &wireError{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The body could not be read.", Cause: err}
	}
	return string(body), nil
}

// parseForm refuses what two parsers could read differently: repeated
// parameters (RFC 6749, section 3.2), NUL and invalid UTF-8.
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, badRequest("There are too many parameters.")
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, badRequest("The body is not a well-formed form.")
	}
	for name, all := range values {
		if len(all) > 1 && name != "resource" && name != "audience" { // RFC 8707, section 2; RFC 8693, section 2.1
			return nil, badRequest("A parameter is repeated.")
		}
		for _, s := range append([]string{name}, all...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				return nil, badRequest("A parameter is not valid text.")
			}
		}
	}
	return values, nil
}
