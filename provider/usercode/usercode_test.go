package usercode_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/usercode"
)

var shown = regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)

func TestCodesHaveTheirShapeAndAreReadBack(t *testing.T) {
	seen := map[usercode.Code]bool{}
	for range 200 {
		c := usercode.New()
		require.Regexp(t, shown, c.String())
		back, ok := usercode.Parse(c.String())
		require.True(t, ok)
		require.Equal(t, c, back)
		require.False(t, seen[c], "one run in a million may see 200 codes repeat")
		seen[c] = true
	}
	require.GreaterOrEqual(t, 8*math.Log2(20), 34.0)
}

func TestEveryLetterIsAboutAsLikely(t *testing.T) {
	const codes = 5000
	counts := map[rune]int{}
	for range codes {
		for _, r := range string(usercode.New()) {
			counts[r]++
		}
	}
	require.Len(t, counts, 20)
	const mean = codes * 8 / 20 // its standard deviation is about 44
	for r, n := range counts {
		require.InDelta(t, mean, n, 400, "%c", r)
	}
}

func TestWhatPeopleTypeIsUnderstood(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT":                  "WDJB-MJHT",
		"wdjbmjht":                   "WDJB-MJHT",
		" wdjb mjht ":                "WDJB-MJHT",
		"W D J B - M J H T":          "WDJB-MJHT",
		"wdjb–mjht":                  "WDJB-MJHT", // a phone's dash
		"wdjb—mjht":                  "WDJB-MJHT",
		"wdjb\u2011mjht":             "WDJB-MJHT",
		"\u200bwdjb\u00admjht\ufeff": "WDJB-MJHT", // what copying adds
		"WDJB\u00a0MJHT\r\n":         "WDJB-MJHT",
		"WDJB_MJHT":                  "WDJB-MJHT",
		"WDJB.MJHT":                  "WDJB-MJHT",
		"ＷＤＪＢ－ＭＪＨＴ":                  "WDJB-MJHT", // full-width
		"WDJ8-MJHT":                  "WDJB-MJHT",
		"5ZG2-LL11":                  "SZGZ-LLLL",
		"0oQq-6uVv":                  "QQQQ-GVVV",
		"ВСНК-МРТХ":                  "BCHK-MPTX", // a Cyrillic keyboard
		"wdjb" + strings.Repeat(" ", 50) + "mjht": "WDJB-MJHT",
	} {
		code, ok := usercode.Parse(typed)
		require.True(t, ok, "%q", typed)
		require.Equal(t, want, code.String(), "%q", typed)
	}
}

func TestWhatIsNoCodeIsRefused(t *testing.T) {
	for _, typed := range []string{
		"", " ", "-", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHT-BCDF", "WDJB-MJH!", "WDJB-MJHA", "WDJB-MJHE", "WDJB-MJHY", "WDJB-MJH4", "WDJB-MJH\x00",
		"WDJB-MJH\xff", "WDJB-MJHß", "WDJB-MJH好", "' OR 1=1 --", "<script>", "WDJB%2DMJHT", strings.Repeat("B", 1<<20),
		"WDJB" + strings.Repeat(" ", 200) + "MJHT",
	} {
		code, ok := usercode.Parse(typed)
		require.False(t, ok, "%q", typed)
		require.Empty(t, code, "%q", typed)
	}
	require.Empty(t, usercode.Code("").String())
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"WDJB-MJHT", "ｗdjb\u200b mjht", "0O1I|5826", "\xff\xfe", "İıſK"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := usercode.Parse(typed)
		if !ok {
			require.Empty(t, code)
			return
		}
		require.Regexp(t, shown, code.String())
		again, ok := usercode.Parse(strings.ToLower(code.String()))
		require.True(t, ok)
		require.Equal(t, code, again)
	})
}
