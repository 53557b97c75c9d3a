package adapter

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the messages of the bad systems anew")

const wanted = "# want: "

// Each bad file says in comments what the loader must report, all of it.
func TestLoadReportsEveryMistake(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			var want, rest []string
			for line := range strings.Lines(string(src)) {
				if message, ok := strings.CutPrefix(line, wanted); ok {
					want = append(want, strings.TrimSpace(message))
				} else {
					rest = append(rest, line)
				}
			}
			_, err = Load(os.DirFS("testdata"), "bad", name)
			if name == "base.yaml" {
				require.NoError(t, err)
				return
			}
			var problems Problems
			require.ErrorAs(t, err, &problems)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if *update {
				text := strings.Join(rest, "") + wanted + strings.Join(got, "\n"+wanted) + "\n"
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProblemsAreOneError(t *testing.T) {
	p := Problems{{File: "a.yaml", Line: 3, Field: "x", Reason: "no"}, {Reason: "and no"}}
	require.Equal(t, "a.yaml:3: x: no\nand no", p.Error())
	require.NoError(t, Problems(nil).err())
	require.True(t, errors.As(error(p), new(Problems)))
}
