package config

import (
	"crypto/subtle"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// hidden is what every way of printing a secret gives.
const hidden = "***"

// Secret is a value that never prints: each verb of package fmt, slog, JSON
// and YAML give "***". It is held behind a pointer, so that it stays hidden
// also where reflection reaches it in somebody's unexported field.
// The zero value is no secret.
type Secret struct{ value *string }

// NewSecret returns value as a secret.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the secret itself, "" when there is none.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal reports in constant time whether both are the same secret.
func (s Secret) Equal(other Secret) bool {
	return s.IsZero() == other.IsZero() && subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "***".
func (Secret) String() string { return hidden }

// GoString returns "***".
func (Secret) GoString() string { return hidden }

// Format writes "***" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns "***".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "***".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "***" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML returns "***" as a YAML string.
func (Secret) MarshalYAML() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

var (
	_ fmt.Formatter          = Secret{}
	_ fmt.GoStringer         = Secret{}
	_ slog.LogValuer         = Secret{}
	_ json.Marshaler         = Secret{}
	_ encoding.TextMarshaler = Secret{}
)
