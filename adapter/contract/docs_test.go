package contract_test

import (
	"os"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
)

// named is a file that the page shows: its name, then its text in a fence.
var named = regexp.MustCompile("(?s)\n`(depot/[^`]+)`:\n\n```[a-z]*\n(.*?)\n```\n")

func TestTheWorkedExampleOfTheDocumentationWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/systems.md")
	require.NoError(t, err)
	fsys := fstest.MapFS{}
	for _, m := range named.FindAllSubmatch(page, -1) {
		fsys[string(m[1])] = &fstest.MapFile{Data: append(m[2], '\n')}
	}
	require.Len(t, fsys, 3)
	report := contract.Replay(t.Context(), fsys, "depot")
	require.Empty(t, report.Problems)
	require.Equal(t, 1, report.Examples)
}
