package adapter

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// decoder fills structs from a tree, strictly, and goes on after a mistake.
type decoder struct{ problems Problems }

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) problem(n *node, field, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: n.file, Line: n.line, Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (d *decoder) decode(n *node, field string, into reflect.Value) {
	if n.isNull() {
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(n, field, into.Elem())
	case reflect.Struct:
		d.decodeStruct(n, field, into)
	case reflect.Map:
		d.decodeMap(n, field, into)
	case reflect.Slice:
		d.decodeList(n, field, into)
	case reflect.Interface:
		d.decodeAny(n, field, into)
	default:
		d.decodeScalar(n, field, into)
	}
}

func (d *decoder) decodeAny(n *node, field string, into reflect.Value) {
	if n.isMap() || n.isList {
		d.problem(n, field, "this must be one value, not %s", n.kind())
		return
	}
	into.Set(reflect.ValueOf(n.scalar))
}

func (d *decoder) decodeScalar(n *node, field string, into reflect.Value) {
	if n.isMap() || n.isList {
		d.problem(n, field, "this must be one value, not %s", n.kind())
		return
	}
	text := fmt.Sprint(n.scalar)
	switch {
	case into.Type() == durationType:
		v, err := time.ParseDuration(text)
		if err != nil {
			d.problem(n, field, "%q is no duration such as 60s or 4m", text)
		}
		into.SetInt(int64(v))
	case into.Kind() == reflect.String:
		into.SetString(text)
	case into.Kind() == reflect.Bool:
		v, ok := n.scalar.(bool)
		if !ok {
			d.problem(n, field, "this must be true or false, not %s", n.kind())
		}
		into.SetBool(v)
	case into.CanInt():
		v, err := toInt(n.scalar)
		if _, isText := n.scalar.(string); err != nil || isText {
			d.problem(n, field, "this must be a whole number, not %s", n.kind())
		}
		into.SetInt(v)
	}
}

func (d *decoder) decodeList(n *node, field string, into reflect.Value) {
	if !n.isList {
		d.problem(n, field, "this must be a list, not %s", n.kind())
		return
	}
	out := reflect.MakeSlice(into.Type(), len(n.list), len(n.list))
	for i, v := range n.list {
		d.decode(v, fmt.Sprintf("%s[%d]", field, i), out.Index(i))
	}
	into.Set(out)
}

func (d *decoder) decodeMap(n *node, field string, into reflect.Value) {
	if !n.isMap() {
		d.problem(n, field, "this must be a map, not %s", n.kind())
		return
	}
	out := reflect.MakeMapWithSize(into.Type(), len(n.keys))
	for _, key := range n.keys {
		value := reflect.New(into.Type().Elem()).Elem()
		d.decode(n.fields[key], join2(field, key), value)
		out.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), value)
	}
	into.Set(out)
}

func (d *decoder) decodeStruct(n *node, field string, into reflect.Value) {
	if !n.isMap() {
		d.problem(n, field, "this must be a map, not %s", n.kind())
		return
	}
	known := map[string]int{}
	var names []string
	for i := range into.NumField() {
		if name := into.Type().Field(i).Tag.Get("yaml"); name != "" {
			known[name] = i
			names = append(names, name)
		}
	}
	for _, key := range n.keys {
		i, ok := known[key]
		if !ok {
			d.problem(n.fields[key], join2(field, key), "unknown key%s", suggest(key, names))
			continue
		}
		d.decode(n.fields[key], join2(field, key), into.Field(i))
	}
}

func join2(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// suggest names the known word next to a misspelt one, if one is near.
func suggest(word string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		if d := distance(word, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if len(known) == 0 {
		return ""
	}
	if best == "" {
		return "; one of " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; is %q meant?", best)
}

// distance is how many letters must change to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
