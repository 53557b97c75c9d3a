package adapter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
)

func TestATokenMadeInTheNextSecondHasNoMoreThanItsLifetime(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 990e6, time.UTC)
	issued := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	x := &exchange{view: View{Now: begun}}
	x.know(&provider.Grant{IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)})
	require.Equal(t, int64(3600), x.view.Token.Remaining)
	x.know(&provider.Grant{IssuedAt: issued.Add(-700 * time.Second), ExpiresAt: issued.Add(-700*time.Second + time.Hour)})
	require.Equal(t, int64(2901), x.view.Token.Remaining)
}
