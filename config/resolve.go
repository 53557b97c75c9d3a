package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// world is what lies outside the file: the environment and the disk.
type world struct {
	dir  string // of the file, for relative paths
	env  func(string) (string, bool)
	read func(path string, limit int64) ([]byte, error)
	stat func(path string) (fs.FileInfo, error)
}

// maxSecret is the largest secret file.
const maxSecret = 64 << 10

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reference reports whether s refers to a secret rather than being one.
func reference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

// resolve returns what env:NAME or file:PATH refers to.
// The error is what an operator is told and never holds a secret.
func (w world) resolve(ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		return w.fromEnv(name)
	}
	path, ok := strings.CutPrefix(ref, "file:")
	if !ok || path == "" {
		return "", fmt.Errorf("must refer to its value; write env:NAME or file:PATH")
	}
	return w.fromFile(path)
}

func (w world) fromEnv(name string) (string, error) {
	if !envName.MatchString(name) {
		return "", fmt.Errorf("does not name an environment variable; write env:NAME with letters, digits and underscores")
	}
	value, ok := w.env(name)
	if !ok {
		return "", fmt.Errorf("refers to the environment variable %s, which is not set", name)
	}
	if value == "" {
		return "", fmt.Errorf("refers to the environment variable %s, which is empty", name)
	}
	return value, nil
}

func (w world) fromFile(path string) (string, error) {
	path = w.below(path)
	text, err := w.read(path, maxSecret+1)
	switch {
	case err != nil:
		return "", fmt.Errorf("refers to the file %s, which %s", path, why(err))
	case len(text) > maxSecret:
		return "", fmt.Errorf("refers to the file %s, which is larger than 64 KiB", path)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("refers to the file %s, which is empty", path)
	}
	return value, nil
}

// below returns path, relative to the configuration's folder.
func (w world) below(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(w.dir, path)
}

// why says what is wrong with a file, after "which" or "the file".
func why(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by this user"
	case errors.Is(err, errNotRegular):
		return "is not a regular file"
	}
	return "cannot be read"
}

var errNotRegular = errors.New("not a regular file")

// readFile reads at most limit bytes of a regular file; a pipe or a device
// could block for ever.
func readFile(path string, limit int64) (_ []byte, err error) {
	info, err := os.Stat(path) //nolint:gosec // the operator names this file
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path) //nolint:gosec // the operator names this file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, limit))
}
