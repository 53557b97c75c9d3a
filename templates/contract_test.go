package templates_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
	"keyway/templates"
)

func TestEveryExampleIsAnsweredByteForByte(t *testing.T) {
	systems, err := fs.Glob(templates.Systems(), "*/system.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, systems)
	for _, file := range systems {
		dir := file[:len(file)-len("/system.yaml")]
		t.Run(dir, func(t *testing.T) {
			report := contract.Replay(t.Context(), templates.Systems(), dir)
			for _, p := range report.Problems {
				t.Error(p)
			}
			if report.Examples == 0 {
				t.Error("the system has no examples")
			}
		})
	}
}
