package federation

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/wire"
)

// maxPosted is the longest form that brings an answer, in bytes: a signed document is in
// it, with everything that the upstream says of somebody.
const maxPosted = 256 << 10

// again marks a form that one of our own pages posts.
const again = "keyway_again"

// Answer is what a browser brings back.
type Answer struct {
	Values url.Values
	Again  bool // one of our own pages posted it
}

// ReadAnswer reads what came to the path of a connector that takes posted answers.
func ReadAnswer(c *gin.Context) (*Answer, error) {
	if c.Request.Method != http.MethodPost {
		return nil, wire.MethodNotAllowed(http.MethodPost)
	}
	body, err := wire.ReadFormOf(c, maxPosted)
	if err != nil {
		return nil, err
	}
	values, err := wire.ParseForm(body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Values: values, Again: values.Has(again)}
	values.Del(again)
	return a, nil
}

// Repeat is a page of ours that posts an answer once more. A form of another site's
// comes without our cookies (SameSite=Lax), and what is in it is too long for a URL;
// posted from here it comes with them. So nothing of what anybody may post has to be
// stored, and the cookies stay as strict as they are.
func (a *Answer) Repeat(path string) *pages.FormPostPage {
	page := &pages.FormPostPage{Action: path, Onward: true}
	for name, values := range a.Values {
		for _, v := range values {
			page.Fields = append(page.Fields, pages.Field{Name: name, Value: v})
		}
	}
	page.Fields = append(page.Fields, pages.Field{Name: again, Value: "1"})
	return page
}

// QueryOf reads an answer that came in the URL.
func QueryOf(c *gin.Context) (url.Values, error) {
	if len(c.Request.URL.RawQuery) > request.MaxQuery {
		return nil, wire.BadRequest("The answer is too long.")
	}
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, wire.BadRequest("The answer is not a well-formed query.")
	}
	return values, nil
}

// PathDescription is where the upstream of a connector finds what it has to know of
// us, below the issuer.
const PathDescription = "/login/saml/:" + connectorParam + "/metadata"

const connectorParam = "connector"

// describer is an [upstream.Connector] that can say it in a document.
type describer interface {
	Describe() (mediaType string, document []byte, err error)
}

// ServeDescription answers with what the upstream has to know of us.
func (f *Federation) ServeDescription(c *gin.Context) error {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return wire.MethodNotAllowed("GET, HEAD")
	}
	to := f.Find(c.Param(connectorParam))
	if to == nil {
		return noDescription()
	}
	d, ok := to.Upstream.(describer)
	if !ok {
		return noDescription()
	}
	mediaType, document, err := d.Describe()
	if err != nil {
		return wire.Of("server_error", err)
	}
	h := c.Writer.Header()
	h.Set("Content-Disposition", `attachment; filename="`+to.ID+`.xml"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, mediaType, document)
	return nil
}

func noDescription() error {
	return &wire.Error{Status: http.StatusNotFound, Code: "invalid_request", Cause: errors.New("there is no such connector, or nothing to say")}
}
