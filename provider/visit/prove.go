package visit

import (
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/secret"
	"keyway/provider/storage"
)

// Prove starts the session of the browser anew, as one in which the person proved a
// second factor, too: under a new random id, for it may do more than the old one. When they
// signed in stays as it was, and so does what i, which may be nil, says of that.
func (v *Visits) Prove(c *gin.Context, s *storage.BrowserSession, i *storage.Interaction, amr []string) error {
	now, value := v.options.Now(), secret.ID()+secret.ID()
	next := *s
	next.Hash, next.FactorAt, next.SeenAt, next.AMR = storage.HashOf(value), now, now, slices.Clone(s.AMR)
	for _, method := range amr {
		if !slices.Contains(next.AMR, method) {
			next.AMR = append(next.AMR, method)
		}
	}
	err := v.options.Storage.StartSession(c.Request.Context(), &storage.SessionStart{
		Session: next, Replaces: s.Hash, Interaction: i, Event: v.Event(c, "second_factor", s.Subject),
	})
	if err != nil {
		return GoneOrOutage(err)
	}
	v.SetCookie(c, SessionCookie, value)
	return nil
}
