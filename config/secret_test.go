package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// printed returns v in every way there is to print it.
func printed(t *testing.T, v any) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%X", "%d", "%t", "%U", "%b", "%o", "%e", "%p", "%10v", "%-5s", "%z"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"] = fmt.Sprint(v)
	out["error"] = fmt.Errorf("cannot use %v", v).Error()
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("loaded", slog.Any("value", v))
		out[name] = b.String()
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal, "XML": xml.Marshal} {
		text, err := marshal(v)
		if err == nil || name != "XML" { // XML has no maps
			require.NoError(t, err)
			out[name] = string(text)
		}
	}
	return out
}

func TestSecretNeverPrints(t *testing.T) {
	secret := NewSecret("hunter2")
	type unexported struct{ s Secret }
	for name, v := range map[string]any{
		"alone": secret, "behind a pointer": &secret, "in a list": []Secret{secret}, "in a map": map[string]any{"a": secret},
		"in a field": struct{ S Secret }{secret}, "in an unexported field": unexported{secret},
		"in an unexported field behind a pointer": &unexported{secret},
		"in a configuration":                      Config{Secret: secret, Systems: []System{{Settings: map[string]any{"s": secret}}}},
		"in a client behind a pointer":            &Client{Secret: secret},
	} {
		t.Run(name, func(t *testing.T) {
			for how, text := range printed(t, v) {
				require.NotContains(t, text, "hunter2", how)
				require.NotContains(t, text, fmt.Sprintf("%x", "hunter2"), how)
				require.NotContains(t, text, fmt.Sprintf("%X", "hunter2"), how)
				require.NotContains(t, text, "104 117 110", how)
			}
		})
	}
	t.Run("a secret alone prints as three stars", func(t *testing.T) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%d"} {
			require.Equal(t, "***", fmt.Sprintf(verb, secret), verb)
		}
		require.Equal(t, "***", secret.String())
		require.Equal(t, "***", secret.GoString())
		text, err := json.Marshal(secret)
		require.NoError(t, err)
		require.Equal(t, `"***"`, string(text))
	})
	t.Run("its code reads it", func(t *testing.T) {
		require.Equal(t, "hunter2", secret.Reveal())
		require.True(t, secret.Equal(NewSecret("hunter2")))
		require.False(t, secret.Equal(NewSecret("hunter3")))
		require.False(t, NewSecret("").Equal(Secret{}))
		require.True(t, Secret{}.IsZero())
		require.Empty(t, Secret{}.Reveal())
	})
}

func TestDSNHidesItsPassword(t *testing.T) {
	for dsn, want := range map[string]string{
		"keyway.db": "keyway.db",
		"postgres://keyway:hunter2@db.example:5432/kw":       "postgres://keyway:***@db.example:5432/kw",
		"postgresql://keyway@db.example/kw?password=hunter2": "postgresql://keyway@db.example/kw",
		"postgres://db.example/kw":                           "postgres://db.example/kw",
		"POSTGRES://a:hunter2@h/kw":                          "postgres://a:***@h/kw",
		"postgres://a:hunter2%zz@h/kw":                       "postgres://***",
		"postgres://a:hunter2@h:port/kw":                     "postgres://***",
	} {
		t.Run(want, func(t *testing.T) {
			require.Equal(t, want, NewDSN(dsn).String())
			for how, text := range printed(t, Config{Database: NewDSN(dsn)}) {
				require.NotContains(t, text, "hunter2", how)
			}
			require.Equal(t, dsn, NewDSN(dsn).Reveal())
		})
	}
}
