package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// CacheTime is how long others may keep a [Document].
const CacheTime = 5 * time.Minute

// Document is a public answer that is prepared once.
type Document struct {
	body []byte
	etag string
}

// NewDocument returns a document of JSON.
func NewDocument(body []byte) Document {
	sum := sha256.Sum256(body)
	return Document{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// Serve answers GET and HEAD, for callers of any origin.
func (d Document) Serve(c *gin.Context) error {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return MethodNotAllowed("GET, HEAD")
	}
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(CacheTime.Seconds())))
	h.Set("ETag", d.etag)
	if matchesETag(c.GetHeader("If-None-Match"), d.etag) {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return nil
	}
	c.Data(http.StatusOK, "application/json", d.body)
	return nil
}

// matchesETag reads If-None-Match (RFC 9110, section 13.1.2).
func matchesETag(header, etag string) bool {
	for _, tag := range strings.Split(header, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
			return true
		}
	}
	return false
}
