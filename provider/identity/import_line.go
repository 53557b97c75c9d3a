package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// recordLine is one line of an import.
type recordLine struct {
	secretLine
	Subject       string                 `json:"subject"`
	Directory     string                 `json:"directory"`
	LoginNames    []loginNameLine        `json:"login_names"`
	Email         string                 `json:"email"`
	EmailVerified bool                   `json:"email_verified"`
	Status        Status                 `json:"status"`
	Credentials   map[string]secretLine  `json:"credentials"`
	Claims        map[string]any         `json:"claims"`
	Accounts      map[string]accountLine `json:"accounts"`
}

// secretLine is a credential: plain, or hashed already.
type secretLine struct {
	Password string `json:"password"`
	Hash     string `json:"password_hash"`
	Scheme   string `json:"hash_scheme"`
	Salt     string `json:"hash_salt"`
}

type accountLine struct {
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

type loginNameLine struct {
	Directory  string `json:"directory"`
	Name       string `json:"name"`
	Credential string `json:"credential"`
}

// UnmarshalJSON reads a name alone, or an object.
func (l *loginNameLine) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &l.Name)
	}
	type plain loginNameLine
	return decodeStrict(b, (*plain)(l))
}

func parseRecord(line []byte) (Record, error) {
	if !utf8.Valid(line) {
		return Record{}, errors.New("not valid UTF-8")
	}
	var in recordLine
	if err := decodeStrict(line, &in); err != nil {
		return Record{}, describeJSON(err)
	}
	if key, err := repeatedKey(json.NewDecoder(bytes.NewReader(line))); err != nil {
		return Record{}, errors.New("not valid JSON")
	} else if key != "" {
		return Record{}, fmt.Errorf("key %q is given twice", key)
	}
	return in.record()
}

// decodeStrict refuses unknown keys and anything behind the value; b has no
// space around it.
func decodeStrict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.InputOffset() != int64(len(b)) {
		return errors.New("something stands behind the JSON value")
	}
	return nil
}

// describeJSON says what is wrong without the terms of the program.
func describeJSON(err error) error {
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return fmt.Errorf("%q has the wrong type", strings.TrimPrefix(mistyped.Field, "secretLine."))
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not valid JSON")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// repeatedKey returns a key that stands twice in one object, or "". The JSON
// must be known to be valid, which also bounds its depth.
func repeatedKey(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return "", nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			k, err := d.Token()
			if err != nil {
				return "", err
			}
			key, _ := k.(string)
			if seen[key] {
				return key, nil
			}
			seen[key] = true
		}
		if key, err := repeatedKey(d); err != nil || key != "" {
			return key, err
		}
	}
	_, err = d.Token()
	return "", err
}
