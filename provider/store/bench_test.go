package store_test

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// databases are the two kinds that each benchmark runs on.
func databases() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres}
}

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// grantIssue is what a legacy login writes: a grant, its access token, an event.
func grantIssue(n int64) *provider.Issue {
	id := fmt.Sprint("grant-", n)
	return &provider.Issue{
		GrantID: id,
		NewGrant: &provider.GrantRecord{
			ID: id, ClientID: "faveo", Subject: fmt.Sprint("subject-", n%1000), Origin: "password", System: "faveo",
			Scopes: []string{"openid"}, Session: []byte(`{"v":1,"sub":"x","amr":["pwd"]}`), CreatedAt: noon(), ExpiresAt: noon().Add(time.Hour),
		},
		Tokens: []provider.TokenRecord{{
			Hash: sha256.Sum256([]byte(id)), GrantID: id, Kind: provider.KindAccess, IssuedAt: noon(), ExpiresAt: noon().Add(time.Hour),
		}},
		Events: []identity.Event{{At: noon(), Kind: "login", Subject: "x", ClientID: "faveo", GrantID: id, RemoteAddr: "192.0.2.1"}},
	}
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkIssue shows what group commit is worth: sixteen callers share commits,
// one has a commit of its own each time.
func BenchmarkIssue(b *testing.B) {
	for name, dsn := range databases() {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				s := storetest.Open(b, store.Options{DSN: dsn(b)})
				saveUsers(b, s, 1000)
				var n atomic.Int64
				b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				before := cpu()
				if callers == 1 {
					for b.Loop() {
						require.NoError(b, s.Issue(b.Context(), grantIssue(n.Add(1))))
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := s.Issue(b.Context(), grantIssue(n.Add(1))); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				reportCPU(b, before)
			})
		}
	}
}

func BenchmarkFindToken(b *testing.B) {
	for name, dsn := range databases() {
		b.Run(name, func(b *testing.B) {
			s := storetest.Open(b, store.Options{DSN: dsn(b)})
			for i := range int64(1000) {
				require.NoError(b, s.Issue(b.Context(), grantIssue(i)))
			}
			b.SetParallelism(8)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := s.FindToken(b.Context(), sha256.Sum256([]byte(fmt.Sprint("grant-", i%1000)))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			reportCPU(b, before)
		})
	}
}

// BenchmarkSaveRecords imports 100,000 users twice.
func BenchmarkSaveRecords(b *testing.B) {
	for name, dsn := range databases() {
		b.Run(name, func(b *testing.B) {
			s := storetest.Open(b, store.Options{DSN: dsn(b)})
			for b.Loop() {
				for range 2 {
					saveUsers(b, s, 100_000)
				}
			}
		})
	}
}

func saveUsers(b *testing.B, s *store.Store, n int) {
	b.Helper()
	for start := 0; start < n; start += 1000 {
		records := make([]identity.Record, 1000)
		for i := range records {
			name := fmt.Sprint("user", start+i)
			records[i] = identity.Record{
				User: identity.User{
					Subject: fmt.Sprint("subject-", start+i), Status: identity.StatusActive, Email: name + "@example.com", Claims: map[string]any{"given_name": name, "locale": "en"},
					LoginNames: []identity.LoginName{{Directory: "default", Name: name}},
				},
				Credentials: []identity.RecordCredential{{Credential: identity.Credential{
					Hash: "$2y$10$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvwxyz0123456",
				}, Source: name}},
				Accounts: []identity.Account{{System: "ossn", ID: fmt.Sprint(start + i), Attributes: map[string]any{"icon_time": "1795280635"}}},
			}
		}
		results, err := s.SaveRecords(b.Context(), records)
		require.NoError(b, err)
		for _, r := range results {
			require.NoError(b, r.Err)
		}
	}
}
