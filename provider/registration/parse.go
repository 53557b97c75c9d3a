package registration

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"keyway/provider/keyset"
)

// Limits of what a client may say of itself.
const (
	// MaxBody is the largest body that is read, in bytes.
	MaxBody   = 64 << 10
	maxList   = 32   // values of a list
	maxValue  = 2048 // bytes of a text
	maxMember = 200  // members of the document
)

// encryption are members that ask for what is not done here. To register the
// client without would leave it with less than it believes it has.
var encryption = []string{
	"id_token_encrypted_response_alg", "id_token_encrypted_response_enc",
	"userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc",
	"request_object_encryption_alg", "request_object_encryption_enc",
	"authorization_encrypted_response_alg", "authorization_encrypted_response_enc",
	"introspection_encrypted_response_alg", "introspection_encrypted_response_enc",
}

// managed are the members of an answer that a client may not send back.
var managed = []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}

// Parse reads the body of a registration. Members that are not known are ignored
// (RFC 7591, section 2), and null is as good as nothing; a known one that is
// repeated, or has the wrong type, is a [*Refusal].
func Parse(body []byte) (*Request, error) {
	given, err := members(body)
	if err != nil {
		return nil, err
	}
	if _, ok := given["software_statement"]; ok {
		return nil, &Refusal{Code: unapproved, Description: "software_statement: statements are not accepted here."}
	}
	for _, name := range encryption {
		if _, ok := given[name]; ok {
			return nil, refuse(name, "encryption is not offered")
		}
	}
	r := &Request{}
	for _, name := range managed {
		if _, ok := given[name]; ok && r.Managed == "" {
			r.Managed = name
		}
	}
	for name, into := range map[string]*string{"client_id": &r.ClientID, "client_secret": &r.ClientSecret} {
		if raw, ok := given[name]; ok && json.Unmarshal(raw, into) != nil {
			return nil, refuse(name, "has the wrong type")
		}
	}
	return r, r.set(given)
}

// set sets the fields whose members are given.
func (m *Metadata) set(given map[string]json.RawMessage) error {
	v := reflect.ValueOf(m).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		name := memberName(f)
		raw, ok := given[name]
		if !ok || f.Anonymous {
			continue
		}
		into := v.FieldByIndex(f.Index)
		if json.Unmarshal(raw, into.Addr().Interface()) != nil {
			return refuse(name, "has the wrong type")
		}
		if why := measure(into.Interface()); why != "" {
			return refuse(name, why)
		}
	}
	return nil
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// members are those of the document that are not null, by their exact names:
// encoding/json would also take others that differ in case, and the last of
// several.
func members(body []byte) (map[string]json.RawMessage, error) {
	malformed := &Refusal{Code: invalidMetadata, Description: "The body must be one JSON object in UTF-8."}
	if len(body) > MaxBody {
		return nil, &Refusal{Code: invalidMetadata, Description: "The body is too large."}
	}
	if !utf8.Valid(body) {
		return nil, malformed
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, malformed
	}
	seen, given := map[string]bool{}, map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var raw json.RawMessage
		if err != nil || !ok || d.Decode(&raw) != nil {
			return nil, malformed
		}
		if seen[name] || len(seen) >= maxMember {
			return nil, &Refusal{Code: invalidMetadata, Description: "A member is repeated, or there are too many."}
		}
		if seen[name] = true; string(raw) != "null" {
			given[name] = raw
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed
	}
	return given, nil
}

// measure says what is wrong with the size of a value, or with its texts.
func measure(v any) string {
	switch v := v.(type) {
	case string:
		if v != "" { // an empty text is as good as none
			return measureTexts([]string{v})
		}
	case []string:
		return measureTexts(v)
	case json.RawMessage:
		if len(v) > keyset.MaxSize/4 {
			return "is too large"
		}
	case *int64:
		if *v < 0 || *v > 1<<31-1 {
			return "is out of range"
		}
	}
	return ""
}

func measureTexts(texts []string) string {
	if len(texts) > maxList {
		return "has too many values"
	}
	for _, s := range texts {
		switch {
		case s == "":
			return "must not be empty"
		case len(s) > maxValue:
			return "is too long"
		case strings.ContainsFunc(s, misleading):
			return "has a character that cannot be seen"
		}
	}
	return ""
}
