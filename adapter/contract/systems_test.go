package contract_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
)

func TestMadeUpSystemsAnswerTheirExamples(t *testing.T) {
	for _, dir := range []string{"library", "clinic"} {
		t.Run(dir, func(t *testing.T) {
			report := contract.Replay(t.Context(), os.DirFS("../testdata/systems"), dir)
			for _, p := range report.Problems {
				t.Error(p)
			}
			require.NotZero(t, report.Examples)
		})
	}
}
