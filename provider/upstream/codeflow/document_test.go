package codeflow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream/codeflow"
)

func TestADocumentIsReadAsItStands(t *testing.T) {
	claims, err := codeflow.Claims([]byte(`{"sub":"u1","id":9007199254740993,"teams":[{"name":"a"},null],"ok":true}`))
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"sub": "u1", "id": json.Number("9007199254740993"), "teams": []any{map[string]any{"name": "a"}, nil}, "ok": true,
	}, claims)
}

func TestADocumentThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	for name, document := range map[string]string{
		"a member that stands twice": `{"sub":"u1","sub":"u2"}`, "one that stands twice within another": `{"a":[{"b":1,"b":2}]}`,
		"two documents": `{} {}`, "half a document": `{"sub":"u1"`, "a list": `[]`, "nothing": ``, "a page": `<html>`,
		"one that is too deep": strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "rubbish after it": `{}x`,
	} {
		_, err := codeflow.Claims([]byte(document))
		require.Error(t, err, name)
	}
}

func TestAClaimIsSpelledInOneWay(t *testing.T) {
	require.NoError(t, codeflow.Spelled(map[string]any{"sub": "a", "subject": "b"}, "sub", "iss"))
	for _, name := range []string{"Sub", "SUB", "iSS", "\u017fub"} {
		require.Error(t, codeflow.Spelled(map[string]any{"sub": "a", name: "b"}, "sub", "iss"), name)
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"sub":"u1","sub":"u2"}`))
	f.Add([]byte(`{"a":{"b":[1,2]}}`))
	f.Add([]byte(`[1`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		claims, err := codeflow.Claims(payload)
		if err != nil {
			return
		}
		var plain map[string]json.RawMessage
		if d := json.Unmarshal(payload, &plain); d != nil || len(plain) != len(claims) {
			t.Fatalf("%d claims of %d, %v", len(claims), len(plain), d)
		}
	})
}
