package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBrandingIsShownAndChecked(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, filepath.Join(dir, "branding"), map[string]string{
		"messages/en.json": `{"product": "Example ID"}`, "static/brand.css": `:root { --keyway-page: #fff; }`,
	})
	text := "branding_dir: branding\n"
	t.Run("on every page of the running program", func(t *testing.T) {
		d := startServe(t, dir, text)
		status, header, body := d.do(t, http.MethodGet, "/oauth2/authorize?client_id=nobody", "")
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "text/html; charset=utf-8", header.Get("Content-Type"))
		require.Contains(t, string(body), "Example ID")
		require.Contains(t, string(body), "/assets/brand.css?v=")
		status, _, body = d.do(t, http.MethodGet, "/assets/brand.css", "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, ":root { --keyway-page: #fff; }", string(body))
	})
	t.Run("and by keyway check, which names what is wrong", func(t *testing.T) {
		file := writeConfig(t, dir, text)
		code, _, stderr := runKeyway(t, "check", "--config", file)
		require.Equal(t, exitDone, code, stderr)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "branding", "login.html"), []byte(`{{ define "main" }}{{ .T "no.such" }}{{ end }}`), 0o600))
		code, _, stderr = runKeyway(t, "check", "--config", file)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, "branding_dir")
		require.Contains(t, stderr, `no message "no.such"`)
	})
}
