package config

import (
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Notations as regular expressions, for editors.
const (
	patternReference = `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$`
	patternDuration  = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	patternDate      = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
)

// Schema writes docs/keyway.schema.json, a JSON Schema (2020-12) for editors.
// It knows types, enumerations and numbers' ranges; [Load] knows the rest.
func Schema(w io.Writer) error {
	s := schemaOf(key{typ: reflect.TypeFor[Config]()})
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Keyway configuration"
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(s)
}

func schemaOf(k key) map[string]any {
	s := map[string]any{}
	if k.doc != "" {
		s["description"] = k.doc
	}
	switch kind(k.typ) {
	case "section":
		sectionSchema(s, k)
	case "settings":
		s["type"] = "object"
		s["additionalProperties"] = map[string]any{"type": []string{"string", "number", "boolean"}}
	case "secret":
		s["type"], s["pattern"] = "string", patternReference
	case "duration":
		s["type"], s["pattern"] = "string", patternDuration
	case "date":
		s["type"], s["pattern"] = "string", patternDate
	case "number":
		numberSchema(s, k)
	case "true or false":
		s["type"] = "boolean"
	default:
		if k.typ.Kind() == reflect.Slice {
			s["type"], s["items"] = "array", schemaOf(key{typ: k.typ.Elem(), enum: k.enum})
			break
		}
		s["type"] = "string"
		if len(k.enum) > 0 {
			s["enum"] = k.enum
		}
	}
	if k.standard != "" {
		s["default"] = defaultOf(k)
	}
	return s
}

func sectionSchema(s map[string]any, k key) {
	properties := map[string]any{}
	var required []string
	for _, below := range keysOf(k.typ) {
		properties[below.name] = schemaOf(below)
		if below.required {
			required = append(required, below.name)
		}
	}
	s["type"], s["properties"], s["additionalProperties"] = "object", properties, false
	if len(required) > 0 {
		s["required"] = required
	}
}

func numberSchema(s map[string]any, k key) {
	s["type"] = "integer"
	if n, err := strconv.Atoi(k.min); err == nil {
		s["minimum"] = n
	}
	if n, err := strconv.Atoi(k.max); err == nil {
		s["maximum"] = n
	}
}

// defaultOf is the default as a JSON value.
func defaultOf(k key) any {
	switch k.typ.Kind() {
	case reflect.Bool:
		return k.standard == "true"
	case reflect.Int:
		if n, err := strconv.Atoi(k.standard); err == nil {
			return n
		}
		return nil
	case reflect.Slice:
		return strings.Fields(k.standard)
	default:
		return k.standard
	}
}
