package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"

	"keyway/provider/identity"
)

const (
	maxExample   = 1 << 20 // bytes of one file
	maxExchanges = 200     // in one example
)

// Example is one file of examples: what is given, and exchanges in their
// order.
type Example struct {
	File      string
	Sentence  string // what it proves
	Given     Given
	Exchanges []Exchange
}

// Given is what an example starts from.
type Given struct {
	Profile       string          `yaml:"profile"`
	Settings      map[string]any  `yaml:"settings"`
	SiteURL       string          `yaml:"site_url"`  // default http://legacy.example/
	BasePath      string          `yaml:"base_path"` // the path of SiteURL below which the system is mounted
	UniformErrors bool            `yaml:"uniform_errors"`
	Now           string          `yaml:"now"`   // RFC 3339; default 2026-01-02T03:04:05Z
	Fail          identity.Reason `yaml:"fail"`  // every call of the provider fails like this
	Users         []any           `yaml:"users"` // in the import format, with plain passwords

	start   time.Time
	records []record
}

// Exchange is one request and the response it must get.
type Exchange struct {
	Number   int           // from 1
	Wait     time.Duration // how much later than the one before
	Request  string        // raw HTTP with line feeds
	Response string
}

// Staged reports whether the example needs the clock or the failures of a
// [Stage], so that no real server can be asked.
func (e *Example) Staged() bool {
	for _, x := range e.Exchanges {
		if x.Wait > 0 {
			return true
		}
	}
	return e.Given.Fail != ""
}

// Load reads every *.txtar file in dir, in the order of their names. All
// mistakes are in the one error.
func Load(fsys fs.FS, dir string) ([]Example, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var out []Example
	var wrong []error
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		e, err := Parse(name, src)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			continue
		}
		out = append(out, *e)
	}
	return out, errors.Join(wrong...)
}

// Parse reads one example.
func Parse(file string, src []byte) (*Example, error) {
	if len(src) > maxExample {
		return nil, fmt.Errorf("the example is larger than %d bytes", maxExample)
	}
	archive := txtar.Parse(src)
	e := &Example{File: file, Sentence: strings.Join(strings.Fields(string(archive.Comment)), " ")}
	if e.Sentence == "" {
		return nil, errors.New("an example begins with the sentence that it proves")
	}
	steps := map[int]*Exchange{}
	var wrong []error
	for _, f := range archive.Files {
		if err := e.section(steps, f.Name, string(f.Data)); err != nil {
			wrong = append(wrong, fmt.Errorf("section %q: %w", f.Name, err))
		}
	}
	for n := 1; n <= len(steps); n++ {
		step := steps[n]
		if step == nil || step.Request == "" || step.Response == "" {
			wrong = append(wrong, fmt.Errorf("exchange %d needs a request and a response", n))
			continue
		}
		e.Exchanges = append(e.Exchanges, *step)
	}
	if len(steps) == 0 {
		wrong = append(wrong, errors.New("there is no request"))
	}
	return e, errors.Join(append(wrong, e.Given.resolve())...)
}

// section takes in one file of the archive.
func (e *Example) section(steps map[int]*Exchange, name, text string) error {
	if name == "given.yaml" {
		if err := yaml.UnmarshalWithOptions([]byte(text), &e.Given, yaml.Strict()); err != nil {
			return fmt.Errorf("%s", yaml.FormatError(err, false, true))
		}
		return nil
	}
	n, kind := 1, name
	if number, rest, ok := strings.Cut(name, "."); ok {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < 1 || n > maxExchanges {
			return errors.New("an exchange has a number from 1 on")
		}
		kind = rest
	}
	if steps[n] == nil {
		steps[n] = &Exchange{Number: n}
	}
	switch kind {
	case "request":
		steps[n].Request = text
	case "response":
		steps[n].Response = text
	case "wait":
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d < 0 {
			return errors.New("it must be a duration such as 61s")
		}
		steps[n].Wait = d
	default:
		return errors.New("sections are given.yaml, request, response and wait")
	}
	return nil
}

// resolve fills the defaults and reads the users.
func (g *Given) resolve() error {
	if g.SiteURL == "" {
		g.SiteURL = "http://legacy.example/"
	}
	if g.Now == "" {
		g.Now = "2026-01-02T03:04:05Z"
	}
	var err error
	if g.start, err = time.Parse(time.RFC3339, g.Now); err != nil {
		return fmt.Errorf("given.yaml: now: %q is no time as RFC 3339 writes it", g.Now)
	}
	for i, u := range g.Users {
		b, err := json.Marshal(u)
		if err != nil {
			return fmt.Errorf("given.yaml: users[%d]: %w", i, err)
		}
		var r record
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil {
			return fmt.Errorf("given.yaml: users[%d]: %w", i, err)
		}
		g.records = append(g.records, r)
	}
	return nil
}
