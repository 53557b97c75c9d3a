package adapter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// templates parses the templates of one system.
type templates struct {
	style JSONStyle
	open  func(name string) ([]byte, error)
	files map[string]*prepTemplate
}

// prepTemplate is a parsed template whose every action ends in an encoder.
type prepTemplate struct {
	name     string
	encoding encoding
	root     *template.Template
	constant string // the whole output, when nothing in it is an action
	isConst  bool
}

// file parses a file of the folder, once.
func (ts *templates) file(name string) (*prepTemplate, error) {
	if t, ok := ts.files[name]; ok {
		return t, nil
	}
	enc, ok := encodingOf(name)
	if !ok {
		return nil, fmt.Errorf("%q does not end in .json.tmpl, .xml.tmpl, .html.tmpl or .txt.tmpl", name)
	}
	src, err := ts.open(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	t, err := ts.parse(name, fileText(src), enc)
	if err != nil {
		return nil, err
	}
	ts.files[name] = t
	return t, nil
}

// parse prepares one template and those it includes.
func (ts *templates) parse(name, src string, enc encoding) (*prepTemplate, error) {
	root := template.New(name).Option("missingkey=error").Funcs(funcs()).Funcs(encoders(ts.style))
	if _, err := root.Parse(src); err != nil {
		return nil, err
	}
	t := &prepTemplate{name: name, encoding: enc, root: root}
	done, includes := map[string]bool{}, map[string][]string{}
	for todo := []string{name}; len(todo) > 0; todo = todo[1:] {
		part := todo[0]
		if done[part] {
			continue
		}
		done[part] = true
		if part != name {
			if err := ts.include(root, part, enc); err != nil {
				return nil, err
			}
		}
		tree := root.Lookup(part).Tree
		w := rewriter{tree: tree, encoding: enc}
		if err := w.rewrite(); err != nil {
			return nil, err
		}
		includes[part] = w.includes
		todo = append(todo, w.includes...)
	}
	if circular(includes, name, nil) {
		return nil, fmt.Errorf("template: %s: it includes itself", name)
	}
	if len(root.Templates()) > len(done) {
		return nil, errDefine(name)
	}
	t.constant, t.isConst = constantText(root.Tree)
	return t, nil
}

// circular reports whether following the includes from name comes back to a
// file that is being followed.
func circular(includes map[string][]string, name string, above []string) bool {
	if slices.Contains(above, name) {
		return true
	}
	for _, next := range includes[name] {
		if circular(includes, next, append(above, name)) {
			return true
		}
	}
	return false
}

func errDefine(name string) error {
	return fmt.Errorf("template: %s: define and block are not used here; put the part into a file of its own", name)
}

func (ts *templates) include(root *template.Template, name string, enc encoding) error {
	if root.Lookup(name) != nil {
		return errDefine(root.Name())
	}
	if got, ok := encodingOf(name); !ok || got != enc {
		return fmt.Errorf("template: %s: it includes %q, which is not of its own kind", root.Name(), name)
	}
	src, err := ts.open(name)
	if err != nil {
		return fmt.Errorf("template: %s: it includes %q: %w", root.Name(), name, err)
	}
	_, err = root.New(name).Parse(fileText(src))
	return err
}

// fileText is a file without the newline that ends its last line: a body has
// none unless the file ends in an empty line.
func fileText(src []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(src), "\n"), "\r")
}

// constantText is the output of a template without actions.
func constantText(tree *parse.Tree) (string, bool) {
	text := ""
	for _, n := range tree.Root.Nodes {
		t, ok := n.(*parse.TextNode)
		if !ok {
			return "", false
		}
		text += string(t.Text)
	}
	return text, true
}

// maxReply is how large a rendered reply may be, in bytes.
const maxReply = 4 << 20

// render executes t over data, which is a *View but for directories.
func (t *prepTemplate) render(data any) (string, error) {
	if t.isConst {
		return t.constant, nil
	}
	var b cappedBuffer
	if err := t.root.Execute(&b, data); err != nil {
		return "", err
	}
	return b.String(), nil
}

// cappedBuffer refuses to grow beyond [maxReply].
type cappedBuffer struct{ bytes.Buffer }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxReply {
		return 0, fmt.Errorf("the output is larger than %d bytes", maxReply)
	}
	return b.Buffer.Write(p)
}
