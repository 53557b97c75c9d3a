package keys

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Answer is an answer that is a JWT.
type Answer struct {
	Alg    string // "" for RS256
	Type   string // the header typ
	Media  string
	Claims map[string]any
}

// Answer signs and writes a.
func (k *Ring) Answer(c *gin.Context, a Answer) error {
	if a.Alg == "" {
		a.Alg = RS256
	}
	signed, err := k.Sign(a.Alg, a.Type, a.Claims)
	if err == nil {
		c.Data(http.StatusOK, a.Media, []byte(signed))
	}
	return err
}
