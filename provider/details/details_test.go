package details_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/details"
)

var allowed = []string{"payment", "account"}

const payment = `[{"type":"payment","instructedAmount":{"currency":"EUR","amount":"123.50"},"actions":["initiate","status"],"creditors":[{"name":"Merchant"},{"name":"Other"}],"max":3,"note":null}]`

func TestParse(t *testing.T) {
	t.Run("objects of the client's types are kept, each in one form", func(t *testing.T) {
		list, err := details.Parse(` [ {"type":"payment", "b":1.50, "a":"x"}, {"a":"y","type":"account"} ] `, allowed)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, `{"a":"x","b":1.50,"type":"payment"}`, string(list[0]))
	})
	t.Run("nothing is nothing", func(t *testing.T) {
		list, err := details.Parse("", nil)
		require.NoError(t, err)
		require.Empty(t, list)
	})
	for name, text := range map[string]string{
		"text":                     `x`,
		"an object":                `{"type":"payment"}`,
		"an empty list":            `[]`,
		"null":                     `null`,
		"a list of texts":          `["payment"]`,
		"a list with null":         `[null]`,
		"more behind the list":     `[{"type":"payment"}] x`,
		"no type":                  `[{"actions":["read"]}]`,
		"a type that is no text":   `[{"type":1}]`,
		"an empty type":            `[{"type":""}]`,
		"a type of others":         `[{"type":"payment"},{"type":"medical"}]`,
		"a type in another case":   `[{"type":"Payment"}]`,
		"actions that are no list": `[{"type":"payment","actions":"read"}]`,
		"locations of numbers":     `[{"type":"payment","locations":[1]}]`,
		"an identifier of numbers": `[{"type":"payment","identifier":1}]`,
		"too many":                 `[` + strings.TrimSuffix(strings.Repeat(`{"type":"payment"},`, 21), ",") + `]`,
		"too deep":                 `[{"type":"payment","a":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}]`,
		"too long":                 `[{"type":"payment","a":"` + strings.Repeat("x", details.MaxSize) + `"}]`,
	} {
		t.Run(name+" is invalid", func(t *testing.T) {
			_, err := details.Parse(text, allowed)
			require.ErrorIs(t, err, details.ErrInvalid)
		})
	}
}

func TestNarrow(t *testing.T) {
	parse := func(text string) details.List {
		list, err := details.Parse(text, allowed)
		require.NoError(t, err)
		return list
	}
	granted := parse(`[{"type":"payment","amount":5},{"type":"account","actions":["read"]}]`)
	t.Run("one of two, its members in another order, is less", func(t *testing.T) {
		got, ok := granted.Narrow(parse(`[{"actions":["read"],"type":"account"}]`))
		require.True(t, ok)
		require.Len(t, got, 1)
	})
	for name, asked := range map[string]string{
		"another amount":  `[{"type":"payment","amount":50}]`,
		"one member less": `[{"type":"payment"}]`,
		"one too many":    `[{"type":"payment","amount":5},{"type":"account"}]`,
	} {
		t.Run(name+" is not less", func(t *testing.T) {
			_, ok := granted.Narrow(parse(asked))
			require.False(t, ok)
		})
	}
}

func TestItems(t *testing.T) {
	list, err := details.Parse(payment, allowed)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]details.Item{{Type: "payment", Lines: []details.Line{
		{Name: "actions", Value: "initiate, status"},
		{Name: "creditors 1 · name", Value: "Merchant"},
		{Name: "creditors 2 · name", Value: "Other"},
		{Name: "instructed amount · amount", Value: "123.50"},
		{Name: "instructed amount · currency", Value: "EUR"},
		{Name: "max", Value: "3"},
		{Name: "note", Value: ""},
	}}}, list.Items()))
	t.Run("what is not seen is left out, so that nobody reads 100 as 001", func(t *testing.T) {
		list, err := details.Parse(`[{"type":"payment","amo\u202eunt":"\u202e1\u000000"}]`, allowed)
		require.NoError(t, err)
		require.Equal(t, []details.Line{{Name: "amount", Value: "100"}}, list.Items()[0].Lines)
	})
}

func FuzzParse(f *testing.F) {
	f.Add(payment)
	f.Add(`[{"type":"account","a":[[[{}]]]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := details.Parse(text, allowed)
		if err != nil {
			require.ErrorIs(t, err, details.ErrInvalid)
			return
		}
		require.Len(t, list.Items(), len(list))
		_, ok := list.Narrow(list)
		require.True(t, ok)
		for _, raw := range list {
			again, err := details.Parse("["+string(raw)+"]", allowed)
			if len(raw)+2 > details.MaxSize {
				continue // escapes may make it longer than it came
			}
			require.NoError(t, err)
			require.Equal(t, string(raw), string(again[0]))
		}
	})
}
