package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the generated files and the expectations of testdata/bad anew")

// A secret of the right size, as the tests' environment has it.
const testSecret = "Zk3vB1pXq8Lr5TnWc0yHs7JdMa2Ue9Gf4RiOxQbVtN6K"

func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"SECRET": testSecret, "SHORT": "0123456789abcdef", "EMPTY": "", "GUESSABLE": strings.Repeat("keyway", 6),
		"DATABASE":     "postgres://keyway:hunter2@db.example/keyway",
		"OLD_DATABASE": "mysql://keyway:hunter2@old.example/faveo?sslmode=verify-full",
	}[name]
	return value, ok
}

// mark begins the lines at the top of a bad file that say what is wrong with
// it: each problem in one line, without the file's name.
const mark = "# "

// TestBadFiles has a file for each rule.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".yaml"), "_", " "), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if *update {
				text = expect(t, file, text)
			}
			require.NotEmpty(t, expected(text), "the file says on top what is wrong with it")
			if diff := cmp.Diff(expected(text), problemsOf(t, file, text)); diff != "" {
				t.Errorf("other problems than the file says (-want +got):\n%s", diff)
			}
		})
	}
}

// expected returns the comment on top of a bad file, a line each.
func expected(text []byte) []string {
	var want []string
	for _, line := range strings.Split(string(text), "\n") {
		problem, ok := strings.CutPrefix(line, mark)
		if !ok {
			break
		}
		want = append(want, problem)
	}
	return want
}

func problemsOf(t *testing.T, file string, text []byte) []string {
	t.Helper()
	c, warnings, err := Parse(file, text, testEnv)
	var problems Problems
	require.True(t, errors.As(err, &problems), "an error of another type: %T", err)
	require.Nil(t, c)
	require.Empty(t, warnings)
	require.NotContains(t, err.Error(), "hunter2", "a secret in the message")
	require.NotContains(t, err.Error(), testSecret, "a secret in the message")
	var got []string
	for _, p := range problems {
		require.Equal(t, file, p.File)
		p.File = ""
		line := p.String()
		if p.Line > 0 {
			line = strings.TrimPrefix(line, ":")
		}
		got = append(got, line)
	}
	return got
}

// expect writes what is wrong with a file on top of it.
func expect(t *testing.T, file string, text []byte) []byte {
	t.Helper()
	body := text
	for bytes.HasPrefix(body, []byte(mark)) {
		_, body, _ = bytes.Cut(body, []byte("\n"))
	}
	// Each line on top moves the lines below it.
	lines := len(problemsOf(t, file, body))
	got := problemsOf(t, file, append(bytes.Repeat([]byte(mark+"\n"), lines), body...))
	text = append([]byte(mark+strings.Join(got, "\n"+mark)+"\n"), body...)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	return text
}
