package adapter

import (
	"crypto/md5" //nolint:gosec // some clients send digests of the password in its place
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"keyway/provider/identity"
)

// The fields that are credentials unless a [CredentialVariant] says otherwise.
const (
	fieldUsername = "username"
	fieldPassword = "password"
)

const unsaltPrefix = "openssl_unsalt:"

// normalise applies normalisers in their order.
func normalise(text string, list []string, settings map[string]any) string {
	for _, n := range list {
		switch n {
		case "trim":
			text = strings.TrimSpace(text)
		case "trim_right":
			text = strings.TrimRight(text, " ")
		case "lower":
			text = strings.ToLower(text)
		case "ossn_input":
			text = identity.OSSNInput(text)
		case "sha256":
			sum := sha256.Sum256([]byte(text))
			text = hex.EncodeToString(sum[:])
		case "md5":
			sum := md5.Sum([]byte(text)) //nolint:gosec // see the import
			text = hex.EncodeToString(sum[:])
		default:
			text, _ = opensslUnsalt(toText(settings[strings.TrimPrefix(n, unsaltPrefix)]), text)
		}
	}
	return text
}

// readField puts one field's value into the view; secret keeps the bytes of
// the value as they are. The outcome is "" when all is well.
func (x *exchange) readField(f *preparedField) Outcome {
	v, ok := x.in.find(f.from)
	if ok && v.notString {
		return refusal(f.NotString)
	}
	req := &x.view.Request
	text := ""
	if ok {
		text = normalise(v.text, f.Normalise, x.m.settings)
	}
	if text == "" && f.initial != nil {
		text, _ = f.initial.render(&x.view) // tried when it was loaded
	}
	x.exact[f.name] = text
	req.Raw[f.name], req.Field[f.name] = cleanText(v.text), cleanText(text)
	if text == "" {
		return refusal(f.Missing)
	}
	return ""
}

// refusal is "" for what may be absent.
func refusal(o Outcome) Outcome {
	if o == optional {
		return ""
	}
	return o
}

// readFields reads a route's fields in their order, and stops at the first
// that is refused.
func (x *exchange) readFields(fields []preparedField) Outcome {
	for i := range fields {
		if o := x.readField(&fields[i]); o != "" {
			return o
		}
	}
	return ""
}

// given reports whether the request has a string that is not blank for a field
// of the variant or the route.
func (x *exchange) given(v *preparedVariant, name string) bool {
	for _, fields := range [][]preparedField{v.fields, x.route.fields} {
		for i := range fields {
			if f := &fields[i]; f.name == name {
				found, ok := x.in.find(f.from)
				return ok && (found.notString || normalise(found.text, f.Normalise, x.m.settings) != "")
			}
		}
	}
	return false
}

// variant chooses how the credentials are given; nil when the route knows
// several ways and the request shows none.
func (x *exchange) variant() *preparedVariant {
	for i := range x.route.variants {
		v, all := &x.route.variants[i], true
		for _, name := range v.Given {
			all = all && x.given(v, name)
		}
		if all {
			return v
		}
	}
	return nil
}

// meets reports whether the request meets the route's conditions.
func (r *preparedRoute) meets(in *input, settings map[string]any) bool {
	for _, c := range r.when {
		text := ""
		if c.kind == fromSetting {
			text = toText(settings[c.name])
		} else if v, ok := in.at(c.place); ok && !v.notString {
			text = v.text
		}
		if c.value == "*" && text != "" {
			continue
		}
		if text != c.value {
			return false
		}
	}
	return true
}
