package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fence is a snippet of docs/connect.md with the words above it, which link to
// the file that it is from.
var (
	fence      = regexp.MustCompile("(?s)(.*?)```[a-z]+\n(.*?)```\n")
	exampleRef = regexp.MustCompile(`\]\((examples/[^)]+\.[a-z]+)\)`)
)

func TestEverySnippetOfAnExampleIsInItsFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "connect.md"))
	require.NoError(t, err)
	of := map[string]int{}
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		file := ""
		for _, f := range fence.FindAllStringSubmatch(section, -1) {
			if refs := exampleRef.FindAllStringSubmatch(f[1], -1); refs != nil {
				file = refs[len(refs)-1][1]
			}
			if file == "" { // a section without an example says that it was not tried
				require.Contains(t, section, "Not tried here")
				continue
			}
			whole, err := os.ReadFile(filepath.Join("..", "..", "docs", filepath.FromSlash(file)))
			require.NoError(t, err)
			require.Contains(t, string(whole), f[2], file)
			of[file]++
		}
	}
	require.Len(t, of, 6, "the files that snippets are from")
}
