package adapter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSettingsHaveTheirTypes(t *testing.T) {
	s := &System{Settings: map[string]Setting{
		"s": {Type: SettingString, OneOf: []string{"a", "b"}}, "k": {Type: SettingSecret, Required: true},
		"b": {Type: SettingBool, Default: true}, "i": {Type: SettingInt, Default: uint64(5)},
		"d": {Type: SettingDuration, Default: "1h"}, "u": {Type: SettingURL},
	}}
	got, wrong := s.settings(map[string]any{"k": "x", "i": 7, "d": time.Minute, "u": "https://e.example/"})
	require.Empty(t, wrong)
	require.Equal(t, map[string]any{
		"s": "", "k": "x", "b": true, "i": int64(7), "d": time.Minute, "u": "https://e.example/",
	}, got)
	_, wrong = s.settings(map[string]any{"s": "c", "b": "yes", "i": "7", "d": "-1s", "u": "ftp://x", "z": 1})
	require.Len(t, wrong, 7)
	_, wrong = s.settings(map[string]any{"k": []any{"canary"}})
	require.NotContains(t, wrong[0], "canary")
}
