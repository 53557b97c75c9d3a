package adapter

import (
	"maps"
	"slices"
)

// Directories are where the logins of an instance look names up, each once.
// What is made of a request's fields in them is a template yet.
func (in *Instance) Directories() []string {
	own := in.Directory
	if own == "" {
		own = in.System.Login.Directory
	}
	all := []string{own}
	add := func(d string) {
		if d != "" && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.System.Routes)) {
		for _, v := range in.System.Routes[name].Credentials {
			add(v.Directory)
		}
	}
	return all
}
