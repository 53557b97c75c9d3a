package config

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGeneratedFilesAreFresh fails when a key was changed and its documents
// were not written anew: go generate ./config.
func TestGeneratedFilesAreFresh(t *testing.T) {
	for file, write := range map[string]func(io.Writer) error{
		"../docs/configuration.md":   Reference,
		"../docs/keyway.schema.json": Schema,
	} {
		t.Run(file, func(t *testing.T) {
			var want bytes.Buffer
			require.NoError(t, write(&want))
			if *update {
				require.NoError(t, os.WriteFile(file, want.Bytes(), 0o644))
			}
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, want.String(), string(got), "run: go generate ./config")
		})
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Reference(&b))
	for _, k := range everyKey() {
		t.Run(k.path, func(t *testing.T) {
			require.Regexp(t, `^[a-z]+[0-9]*(_[a-z0-9]+)*$`, k.name)
			require.Contains(t, b.String(), "| `"+k.name+"` |")
			require.NotEmpty(t, k.doc)
			require.NotContains(t, k.doc, "\n")
			require.NotContains(t, k.doc, "|", "it would end the table's cell")
			require.True(t, strings.HasSuffix(k.doc, "."), "a sentence")
		})
	}
}

// TestDocumentedDefaultsHold reads the defaults as documents show them and
// compares them with what a section really begins with.
func TestDocumentedDefaultsHold(t *testing.T) {
	for name, v := range map[string]reflect.Value{
		"": reflect.ValueOf(Default()), "clients[]": element[Client](), "systems[]": element[System](),
	} {
		checkDefaults(t, name, v)
	}
}

func element[T any]() reflect.Value {
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	setDefaults(v)
	return v
}

func checkDefaults(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	for _, k := range keysOf(v.Type()) {
		full, got := join(path, k.name), v.Field(k.field)
		if section(k.typ) {
			checkDefaults(t, full, got)
			continue
		}
		t.Run(full, func(t *testing.T) {
			shown := strings.Trim(k.defaultText(), "`")
			if k.required || shown == "" {
				require.True(t, got.IsZero(), "a default that no document shows")
				return
			}
			want := reflect.New(k.typ).Elem()
			if k.typ.Kind() == reflect.Slice {
				want.Set(reflect.ValueOf(strings.Split(strings.Trim(shown, "[]"), ", ")))
			} else {
				require.NoError(t, setText(want, shown), "a default that does not parse")
			}
			require.Equal(t, want.Interface(), got.Interface())
			require.Empty(t, k.outside(got), "a default outside its own range")
		})
	}
}

func TestTheExampleOfTheReferenceIsAccepted(t *testing.T) {
	_, rest, _ := strings.Cut(preface, "A file for production:\n\n```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	w := world{
		env:  func(string) (string, bool) { return testSecret, true },
		read: func(string, int64) ([]byte, error) { return []byte(testSecret), nil },
	}
	_, warnings, err := parse("keyway.yaml", []byte(text), w)
	require.NoError(t, err)
	require.Empty(t, warnings)
}

func TestSchema(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Schema(&b))
	var s map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &s))
	at := func(path ...string) map[string]any {
		here := s
		for _, p := range path {
			here = here[p].(map[string]any)
		}
		return here
	}
	require.Equal(t, []any{"secret"}, s["required"])
	require.Equal(t, false, s["additionalProperties"])
	require.Equal(t, "15m", at("properties", "tokens", "properties", "access_lifetime")["default"])
	require.Equal(t, float64(64), at("properties", "passwords", "properties", "queue")["default"])
	require.Equal(t, false, at("properties", "insecure_http")["default"])
	require.Equal(t, []any{"client_id", "grant_types"}, at("properties", "clients", "items")["required"])
	require.Contains(t, at("properties", "clients", "items", "properties", "grant_types", "items")["enum"], "refresh_token")
	require.Equal(t, patternReference, at("properties", "secret")["pattern"])
}
