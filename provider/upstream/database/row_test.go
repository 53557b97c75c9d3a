package database

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestValuesAsClaimsHaveThem(t *testing.T) {
	for name, tt := range map[string]struct{ value, want any }{
		"NULL":            {nil, nil},
		"a truth":         {true, true},
		"a whole number":  {int64(-7), json.Number("-7")},
		"a large one":     {uint64(1<<64 - 1), json.Number("18446744073709551615")},
		"a fraction":      {1.25, json.Number("1.25")},
		"a short one":     {float32(0.1), json.Number("0.1")},
		"a text in bytes": {[]byte("zoë"), "zoë"},
		"a time":          {time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"},
	} {
		got, ok := plain(tt.value)
		require.True(t, ok, name)
		require.Equal(t, tt.want, got, name)
	}
	for name, value := range map[string]any{"bytes": []byte{0xff}, "a list": []any{1}, "a channel": make(chan int)} {
		_, ok := plain(value)
		require.False(t, ok, name)
	}
}

func FuzzRow(f *testing.F) {
	f.Add("7", []byte("$2y$10$x"), int64(1), 1.5)
	f.Add("", []byte("\xff\x00"), int64(-1), 1e308)
	f.Fuzz(func(t *testing.T, subject string, bytes []byte, number int64, fraction float64) {
		r, err := newRow([]string{"subject", "hash", "a", "b", "c"}, []any{subject, bytes, bytes, number, fraction})
		if err != nil {
			return
		}
		if r.subject == "" || len(r.subject) > maxName || !utf8.ValidString(r.subject) || len(r.credential.Hash) > maxValue {
			t.Fatalf("%q became %q", subject, r.subject)
		}
		if _, there := r.claims["hash"]; there {
			t.Fatal("the hash is a claim")
		}
		if _, err := json.Marshal(r.claims); err != nil {
			t.Fatal(err)
		}
		_ = fmt.Sprint(environment(r))
	})
}
