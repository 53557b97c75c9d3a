package adapter

import (
	"crypto/md5" //nolint:gosec // some clients send digests of the password in its place
	"crypto/sha256"
	"encoding/hex"
	"slices"
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
			if passphrase := toText(settings[strings.TrimPrefix(n, unsaltPrefix)]); passphrase != "" {
				text, _ = opensslUnsalt(passphrase, text)
			}
		}
	}
	return text
}

// equivalentSqueeze is what LoginPolicy.Equivalent may say.
const equivalentSqueeze = "squeeze"

// squeeze makes one space of each run of them and cuts blanks off both ends.
func squeeze(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		if text[i] != ' ' || i == 0 || text[i-1] != ' ' {
			b.WriteByte(text[i])
		}
	}
	return strings.Trim(b.String(), " \t\v")
}

// readField puts one field's value into the view, and into x.exact byte for
// byte. The outcome is "" when all is well.
func (x *exchange) readField(f *preparedField) Outcome {
	v, ok := x.in.find(f.from)
	if v.notString && !v.null {
		return refusal(f.NotString)
	}
	ok = ok && !v.null
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
	switch {
	case text == "" && ok:
		return refusal(f.Blank)
	case text == "":
		return refusal(f.Missing)
	case f.pattern != nil && !f.pattern.MatchString(text):
		return f.Mismatch
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

// readFields reads all of a route's fields in their order, so that a refusal
// can say which are there. The outcome is that of the first that is refused.
func (x *exchange) readFields(fields []preparedField) (first Outcome) {
	for i := range fields {
		if o := x.readField(&fields[i]); first == "" {
			first = o
		}
	}
	return first
}

// given reports whether the request has a value that is not as good as absent
// for a field of the variant or the route.
func (x *exchange) given(v *preparedVariant, name string) bool {
	for _, fields := range [][]preparedField{v.fields, x.route.fields} {
		for i := range fields {
			if f := &fields[i]; f.name == name {
				found, ok := x.in.find(f.from)
				return ok && !found.null && (found.notString || f.blankCounts || normalise(found.text, f.Normalise, x.m.settings) != "")
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

// meets reports whether the request meets those of the route's conditions that
// it can tell without the body, or all of them.
func (r *preparedRoute) meets(in *input, settings map[string]any, all bool) bool {
	for _, c := range r.when {
		if !all && c.readsBody() {
			continue
		}
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

// needsBody reports whether one of the route's conditions is about the body.
func (r *preparedRoute) needsBody() bool { return slices.ContainsFunc(r.when, condition.readsBody) }

func (c condition) readsBody() bool { return c.kind == fromBody || c.kind == fromInput }
