package federation_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/upstream"
	"keyway/provider/wire"
)

// described is an upstream that wants to know of us.
type described struct {
	upstream.Connector
	err error
}

func (d described) Describe() (mediaType string, document []byte, err error) {
	return "application/samlmetadata+xml", []byte("<us/>"), d.err
}

func TestWhatAnUpstreamWantsToKnowOfUs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*federation.Connector)
		method string
		status int
	}{
		"is there":                     {func(c *federation.Connector) { c.Upstream = described{} }, http.MethodGet, http.StatusOK},
		"is not there for others":      {func(*federation.Connector) {}, http.MethodGet, http.StatusNotFound},
		"is not to be changed":         {func(c *federation.Connector) { c.Upstream = described{} }, http.MethodPost, http.StatusMethodNotAllowed},
		"is not there for who is gone": {func(c *federation.Connector) { c.ID = "gone" }, http.MethodGet, http.StatusNotFound},
		"may fail":                     {func(c *federation.Connector) { c.Upstream = described{err: errors.New("odd")} }, http.MethodGet, http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, c.change)
			gin.SetMode(gin.TestMode)
			e := gin.New()
			e.Any(federation.PathDescription, func(g *gin.Context) {
				if err := j.ServeDescription(g); err != nil {
					g.Status(statusOf(err))
				}
			})
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(c.method, "/login/saml/corp/metadata", http.NoBody))
			require.Equal(t, c.status, w.Code)
			if c.status == http.StatusOK {
				require.Equal(t, "<us/>", w.Body.String())
				require.Equal(t, "application/samlmetadata+xml", w.Header().Get("Content-Type"))
				require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
				require.Equal(t, `attachment; filename="corp.xml"`, w.Header().Get("Content-Disposition"))
			}
		})
	}
}

func statusOf(err error) int {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
