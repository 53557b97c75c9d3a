package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// key is what the struct tags say of one configuration key.
type key struct {
	name     string
	doc      string
	standard string // the default, in its own notation
	enum     []string
	min, max string
	required bool
	field    int
	typ      reflect.Type
}

// keysOf returns the keys of a section in the order of their declaration.
func keysOf(t reflect.Type) []key {
	keys := make([]key, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		keys = append(keys, key{
			name: f.Tag.Get("yaml"), doc: f.Tag.Get("doc"), standard: f.Tag.Get("default"),
			enum: strings.Fields(f.Tag.Get("enum")), min: f.Tag.Get("min"), max: f.Tag.Get("max"),
			required: f.Tag.Get("required") == "true", field: i, typ: f.Type,
		})
	}
	return keys
}

// section reports whether values of t are written as keys below a key.
func section(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[DSN](), reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Prefix]():
		return false
	}
	return t.Kind() == reflect.Struct
}

// setDefaults fills a section with what its tags say. A default that does not
// parse is left out; a test holds that there is none.
func setDefaults(v reflect.Value) {
	for _, k := range keysOf(v.Type()) {
		f := v.Field(k.field)
		switch {
		case section(k.typ):
			setDefaults(f)
		case k.standard == "":
		case k.typ.Kind() == reflect.Slice:
			for _, s := range strings.Fields(k.standard) {
				item := reflect.New(k.typ.Elem()).Elem()
				_ = setText(item, s)
				f.Set(reflect.Append(f, item))
			}
		default:
			_ = setText(f, k.standard)
		}
	}
}

// setText sets v, which is no section, list or map, from its notation.
// The error is what an operator is told.
func setText(v reflect.Value, s string) error {
	switch target := v.Addr().Interface().(type) {
	case *DSN:
		*target = NewDSN(s)
		return nil
	case *time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("must be a duration; write it like 90s, 15m or 720h")
		}
		*target = d
		return nil
	case *time.Time:
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return fmt.Errorf("must be a date; write it like 2027-12-31")
		}
		*target = t
		return nil
	case *netip.Prefix:
		return setPrefix(target, s)
	}
	return setKind(v, s)
}

func setPrefix(target *netip.Prefix, s string) error {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		*target = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("must be a network; write it like 10.0.0.0/8, 2001:db8::/32 or one address")
	}
	if p != p.Masked() {
		return fmt.Errorf("has bits beyond its length; write %s", p.Masked())
	}
	*target = p
	return nil
}

func setKind(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("must be true or false")
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(s, 10, 0)
		if err != nil {
			return fmt.Errorf("must be a whole number that is not huge")
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("cannot be set here")
	}
	return nil
}

// outside says which bound of k the value breaks, "" when none.
func (k key) outside(v reflect.Value) string {
	if k.min == "" && k.max == "" {
		return ""
	}
	bound := reflect.New(k.typ).Elem()
	if k.min != "" && setText(bound, k.min) == nil && v.Int() < bound.Int() {
		return "must be at least " + k.min
	}
	if k.max != "" && setText(bound, k.max) == nil && v.Int() > bound.Int() {
		return "must be at most " + k.max
	}
	return ""
}
