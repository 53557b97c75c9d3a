package config

import (
	_ "embed"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// keyDoc is one key of the whole configuration, as documents show it.
type keyDoc struct {
	path string // dots between sections, [] behind a list: clients[].client_id
	key
}

// everyKey returns every key in the order of declaration, a section before
// what it holds.
func everyKey() []keyDoc { return keysBelow("", reflect.TypeFor[Config]()) }

func keysBelow(prefix string, t reflect.Type) []keyDoc {
	var all []keyDoc
	for _, k := range keysOf(t) {
		path := join(prefix, k.name)
		all = append(all, keyDoc{path, k})
		switch {
		case section(k.typ):
			all = append(all, keysBelow(path, k.typ)...)
		case k.typ.Kind() == reflect.Slice && section(k.typ.Elem()):
			all = append(all, keysBelow(path+"[]", k.typ.Elem())...)
		}
	}
	return all
}

// kind names the type of a key's values.
func kind(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[DSN]():
		return "file or URL"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[time.Time]():
		return "date"
	}
	switch {
	case section(t):
		return "section"
	case t.Kind() == reflect.Struct:
		return "network"
	case t.Kind() == reflect.Slice:
		return listKind(kind(t.Elem()))
	case t.Kind() == reflect.Map:
		return "settings"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "number"
	}
	return "text"
}

func listKind(of string) string {
	if of == "text" {
		return "list of texts"
	}
	return "list of " + of + "s"
}

//go:embed reference.md
var preface string

// Reference writes docs/configuration.md: every key with its default.
func Reference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(preface)
	table(&b, "Top level", "", reflect.TypeFor[Config]())
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes one section and then those inside it.
func table(b *strings.Builder, title, prefix string, t reflect.Type) {
	fmt.Fprintf(b, "\n## %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", title)
	keys := keysOf(t)
	for _, k := range keys {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s%s |\n", k.name, kind(k.typ), k.defaultText(), k.doc, k.rangeText())
	}
	for _, k := range keys {
		path := join(prefix, k.name)
		switch {
		case section(k.typ):
			table(b, "`"+path+"`", path, k.typ)
		case k.typ.Kind() == reflect.Slice && section(k.typ.Elem()):
			table(b, "each of `"+path+"`", path+"[]", k.typ.Elem())
		}
	}
}

func (k key) defaultText() string {
	switch {
	case k.required:
		return "*required*"
	case k.standard == "":
		return ""
	case k.typ.Kind() == reflect.Slice:
		return "`[" + strings.Join(strings.Fields(k.standard), ", ") + "]`"
	}
	return "`" + k.standard + "`"
}

func (k key) rangeText() string {
	switch {
	case len(k.enum) > 0:
		return " One of `" + strings.Join(k.enum, "`, `") + "`."
	case k.min != "" && k.max != "":
		return fmt.Sprintf(" From %s to %s.", k.min, k.max)
	case k.min != "" && k.min != "0s":
		return fmt.Sprintf(" At least %s.", k.min)
	}
	return ""
}
