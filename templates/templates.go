package templates

import (
	"embed"
	"io/fs"
)

//go:embed */*.yaml */*.tmpl */examples/*.txtar
var systems embed.FS

//go:embed web
var web embed.FS

// Systems returns the folders of all legacy systems, read-only. The folder
// web is no system and not among them.
func Systems() fs.FS { return systems }

// Web returns the pages for people, read-only: *.html, messages/*.json and
// static/*.
func Web() (fs.FS, error) { return fs.Sub(web, "web") }
