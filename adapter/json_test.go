package adapter

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestJSONIsWrittenAsEachSystemDoes(t *testing.T) {
	php := JSONStyle{EscapeSlash: true, ASCII: true}
	js := JSONStyle{RawLineSeparators: true}
	for _, c := range []struct {
		name  string
		style JSONStyle
		value any
		want  string
	}{
		{"PHP escapes slashes and what is not ASCII, and leaves quotes and markup", php, `a/ë'<&>`, `"a\/\u00eb'<&>"`},
		{"beyond the basic plane stand two surrogates", php, "😀", `"\ud83d\ude00"`},
		{"JavaScript leaves slashes and UTF-8", js, "a/ë\u2028", "\"a/ë\u2028\""},
		{"line separators are escaped unless the style says otherwise", JSONStyle{}, "\u2028\u2029", `"\u2028\u2029"`},
		{"control characters have their short forms", js, "\b\f\n\r\t\x01\x1f\x7f\"\\", `"\b\f\n\r\t\u0001\u001f` + "\x7f" + `\"\\"`},
		{"what is not UTF-8 is replaced", js, "a\xff\xc3", "\"a\uFFFD\uFFFD\""},
		{"numbers keep how they were written", php, json.Number("1.50e3"), `1.50e3`},
		{"what only claims to be a number is a string", php, json.Number("1x"), `"1x"`},
		{"a JSON literal is no number", php, json.Number("true"), `"true"`},
		{"no number is null", php, math.NaN(), `null`},
		{"integers, booleans and null", php, []any{1, int64(2), uint64(3), 4.5, true, nil}, `[1,2,3,4.5,true,null]`},
		{"members are sorted", php, map[string]any{"b": "/", "a": []string{"x"}}, `{"a":["x"],"b":"\/"}`},
		{"empty ones have no lines", JSONStyle{Style: "pretty"}, []any{[]any{}, map[string]any{}}, "[\n    [],\n    {}\n]"},
		{"pretty indents as told", JSONStyle{Style: "pretty", Indent: 2}, map[string]any{"a": []any{1}}, "{\n  \"a\": [\n    1\n  ]\n}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newJSONWriter(c.style).text(c.value)
			require.Equal(t, c.want, got)
			require.True(t, json.Valid([]byte(got)))
		})
	}
}

func TestJSONNestedTooDeeplyIsCutOff(t *testing.T) {
	var v any = "x"
	for range 3 * maxJSONDepth {
		v = []any{v}
	}
	require.True(t, json.Valid([]byte((&jsonWriter{}).text(v))))
}

func FuzzJSONWriter(f *testing.F) {
	f.Add(`{"a":[1,"/ë😀\u2028",null,true,1e3]}`, true, true, false)
	f.Add(`"\ud800"`, false, true, true)
	f.Fuzz(func(t *testing.T, src string, slash, ascii, pretty bool) {
		v, ok := parseJSON([]byte(`{"v":` + src + `}`))
		if !ok {
			v = map[string]any{"v": src}
		}
		style := JSONStyle{EscapeSlash: slash, ASCII: ascii}
		if pretty {
			style.Style = "pretty"
		}
		w := newJSONWriter(style)
		again, ok := parseJSON([]byte(w.text(v)))
		require.True(t, ok, w.text(v))
		if utf8.ValidString(src) {
			require.Empty(t, cmp.Diff(v, again))
		}
		require.True(t, json.Valid([]byte(`"`+w.content(src)+`"`)))
	})
}
