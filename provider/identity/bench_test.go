package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// BenchmarkSignIn measures everything but the hash, which costs nearly nothing
// here.
func BenchmarkSignIn(b *testing.B) {
	h := newHouse(b)
	h.user(b, identity.StatusActive, plain("right"), "alice", "alice@example.com")
	verified, err := identity.NewVerified(identity.VerifiedOptions{TTL: time.Hour, Now: h.Now})
	require.NoError(b, err)
	for name, v := range map[string]*identity.Verified{"hashed": nil, "verified": verified} {
		s := h.signIn(b, h.local(b, func(o *identity.LocalOptions) { o.Verified = v }), nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(b.Context(), as("alice", "right")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseRecords(b *testing.B) {
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, `{"login_names":["user%d","user%d@example.com"],"email":"user%d@example.com","password_hash":`+
			`"$2b$04$IJkPUBnRWgkbKMwr5W5Cau6HynP2Zlz.7KDh1gDeov5ZSH0rRyChW","claims":{"given_name":"User"}}`+"\n", i, i, i)
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		problems, err := identity.ParseRecords(strings.NewReader(in.String()), func(int, identity.Record) error { return nil })
		if err != nil || len(problems) > 0 {
			b.Fatal(err, problems)
		}
	}
}
