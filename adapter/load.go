package adapter

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
)

const (
	maxSystemFile = 1 << 20 // bytes of one file of a system's folder
	maxExtends    = 8       // files in one chain of extends
)

// Load reads one profile of a legacy system, file in the folder dir, follows
// its `extends`, and prepares its templates. Every mistake is reported at
// once: the error then is [Problems].
func Load(fsys fs.FS, dir, file string) (*System, error) {
	l := loader{fsys: fsys, dir: dir}
	tree, problems := l.chain(file)
	if len(problems) > 0 && tree == nil {
		return nil, problems.err()
	}
	s := &System{}
	d := decoder{problems: problems}
	d.decode(tree, "", reflect.ValueOf(s).Elem())
	s.fillDefaults()
	p, found := compile(s, source{tree: tree, open: l.read, dir: dir})
	if all := append(d.problems, found...); len(all) > 0 {
		all.sort()
		return nil, all.err()
	}
	s.prepared = p
	return s, nil
}

type loader struct {
	fsys fs.FS
	dir  string
}

// read returns a file of the folder.
func (l *loader) read(name string) ([]byte, error) {
	if path.Base(name) != name || !fs.ValidPath(name) {
		return nil, errors.New("a file beside system.yaml is named without a folder")
	}
	b, err := fs.ReadFile(l.fsys, path.Join(l.dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file in the folder")
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case len(b) > maxSystemFile:
		return nil, fmt.Errorf("the file is larger than %d bytes", maxSystemFile)
	}
	return b, nil
}

// IsProfile reports whether a *.yaml file in a system's folder is a profile, and not
// one of those that say how the old system itself is asked about its people.
func IsProfile(file string) bool {
	name := path.Base(file)
	return name != "database.yaml" && name != "upstream.yaml"
}

// chain reads file and what it extends into one tree.
func (l *loader) chain(file string) (*node, Problems) {
	var trees []*node
	var problems Problems
	from, seen := Problem{File: path.Join(l.dir, file)}, map[string]bool{}
	for name := file; name != ""; {
		if seen[name] || len(seen) == maxExtends {
			from.Reason = fmt.Sprintf("%q extends itself, or the chain is longer than %d files", name, maxExtends)
			return nil, append(problems, from)
		}
		seen[name] = true
		src, err := l.read(name)
		if err != nil {
			from.Reason = fmt.Sprintf("%q: %s", name, err)
			return nil, append(problems, from)
		}
		tree, found := parseTree(path.Join(l.dir, name), src)
		problems = append(problems, found...)
		if tree == nil || !tree.isMap() {
			return nil, problems
		}
		trees = append(trees, tree)
		base := tree.at("extends")
		from = Problem{File: base.file, Line: base.line, Field: "extends"}
		name, _ = base.scalar.(string)
	}
	merged := trees[len(trees)-1]
	for i := len(trees) - 2; i >= 0; i-- {
		merged = mergeTrees(merged, trees[i])
	}
	return merged, problems
}

// fillDefaults sets what a file may leave out.
func (s *System) fillDefaults() {
	if s.Accounts == "" {
		s.Accounts = s.System
	}
	if s.Login.Directory == "" {
		s.Login.Directory = "default"
	}
	if s.Token.Format == "" {
		s.Token.Format = "opaque"
	}
	if s.Token.From == nil {
		s.Token.From = []string{"bearer"}
	}
	s.Input.fillDefaults()
	for name, r := range s.Routes {
		if r.Input == nil {
			in := s.Input
			r.Input = &in
		}
		r.Input.fillDefaults()
		if r.TokenFrom == nil {
			r.TokenFrom = s.Token.From
		}
		if r.Action == ActionStatic && r.Outcome == "" {
			r.Outcome = OutcomeSuccess
		}
		if r.Key == nil && !r.NoKey {
			r.Key = s.Key
		}
		s.Routes[name] = r
	}
}

func (in *Input) fillDefaults() {
	if in.Read == nil {
		in.Read = []string{"body", "query"}
	}
	if in.JSON == "" {
		in.JSON = "no"
	}
}
