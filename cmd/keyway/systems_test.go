package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/config"
)

func TestASecretOfASystemIsGivenByReference(t *testing.T) {
	for _, c := range []struct {
		name   string
		secret any
		good   bool
	}{
		{"a reference", config.NewSecret("from-elsewhere-0123456789"), true},
		{"text in the file itself", "canary-literal-secret", false},
		{"a number in the file itself", int64(12345), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t, t.TempDir())
			cfg.Systems = []config.System{{
				Name: "helpdesk", Template: "faveo",
				Settings: map[string]any{"jwt_secret": c.secret, "api_key": "", "rate_limit": int64(5)},
			}}
			_, err := loadSystems(cfg)
			if c.good {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "system helpdesk: settings.jwt_secret: this is a secret; write env:NAME or file:PATH")
		})
	}
}
