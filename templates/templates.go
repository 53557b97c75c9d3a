package templates

import (
	"embed"
	"io/fs"
)

//go:embed */*.yaml */*.tmpl */examples/*.txtar
var systems embed.FS

// Systems returns the folders of all legacy systems, read-only.
func Systems() fs.FS { return systems }
