package legacy

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"keyway/provider/upstream"
)

// Limits of a description.
const (
	maxExpression = 4 << 10 // bytes
	maxNodes      = 300
	maxMemory     = 50_000 // elements that one evaluation may make
	maxParts      = 50     // fields, parameters of the query, headers: each
)

// Description says how one kind of server is asked. Its texts but for method, path,
// body and root are expressions of expr-lang.org. Those of the request see
//
//	username, password, system   as they were given
//	settings                     what the operator says of this server, texts by their names
//
// and those of the answer
//
//	status                       of HTTP
//	headers, cookies             texts by their names; names of headers in lower case
//	body, json                   the body as text, and as JSON: nil where it is none
//	username, settings           as above
//
// An expression that fails is an answer that is not understood.
type Description struct {
	Request  Request  `yaml:"request"`
	Settings []string `yaml:"settings"` // the names of those that it reads

	Success string `yaml:"success"` // true for a right password
	Subject string `yaml:"subject"` // the server's own id of the person, which stays: a text or a whole number
	Claims  string `yaml:"claims"`  // further facts: an object; "" for none

	// True for who is refused for that reason. They are asked in this order, and
	// before Success.
	Unknown    string `yaml:"unknown"`
	Disabled   string `yaml:"disabled"`
	Unverified string `yaml:"unverified"`
	Locked     string `yaml:"locked"`
	Expired    string `yaml:"expired"`
	Wrong      string `yaml:"wrong"`
}

// Request is the login call.
type Request struct {
	Method  string            `yaml:"method"` // default POST
	Path    string            `yaml:"path"`   // below the server's URL, as it stands
	Query   map[string]string `yaml:"query"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"` // form (default), json or xml
	Root    string            `yaml:"root"` // the name of the document element of xml
	// Fields are what is in the body. Where the expression gives nil, the field is left
	// out; in json it may give objects and lists.
	Fields map[string]string `yaml:"fields"`
}

// The kinds of bodies.
const (
	bodyForm = "form"
	bodyJSON = "json"
	bodyXML  = "xml"
)

var (
	plainPath  = regexp.MustCompile(`^(/[A-Za-z0-9._~%-]+)+/?$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	xmlName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]{0,63}$`)
)

// verdicts are the refusals, in the order in which they are asked.
func (d *Description) verdicts() []verdict {
	return []verdict{
		{"unknown", d.Unknown, upstream.Unknown},
		{"disabled", d.Disabled, upstream.Disabled},
		{"unverified", d.Unverified, upstream.Unverified},
		{"locked", d.Locked, upstream.Locked},
		{"expired", d.Expired, upstream.Expired},
		{"wrong", d.Wrong, upstream.Wrong},
	}
}

type verdict struct {
	name string
	text string
	kind upstream.Kind
}

// compiled is a description whose expressions are.
type compiled struct {
	Description
	programs map[string]*vm.Program
}

// compile reports everything that is wrong with d.
func compile(d Description) (*compiled, error) {
	if d.Request.Method == "" {
		d.Request.Method = http.MethodPost
	}
	if d.Request.Body == "" {
		d.Request.Body = bodyForm
	}
	c := &compiled{Description: d, programs: map[string]*vm.Program{}}
	all := d.Request.check()
	asked, answered := ask{}.environment(), said{}
	add := func(field, text string, env any) {
		if err := c.add(field, text, env); err != nil {
			all = append(all, err)
		}
	}
	for section, fields := range d.Request.sections() {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			add("request."+section+"."+name, fields[name], asked)
		}
	}
	for _, v := range d.verdicts() {
		if v.text != "" {
			add(v.name, v.text, answered)
		}
	}
	add("success", d.Success, answered)
	add("subject", d.Subject, answered)
	if d.Claims != "" {
		add("claims", d.Claims, answered)
	}
	if d.Wrong == "" {
		all = append(all, errors.New("wrong: an expression is needed, or every wrong password would be an outage"))
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(all...)
}

func (r *Request) sections() map[string]map[string]string {
	return map[string]map[string]string{"query": r.Query, "headers": r.Headers, "fields": r.Fields}
}

func (r *Request) check() []error {
	var all []error
	bad := func(wrong bool, why string) {
		if wrong {
			all = append(all, errors.New("request."+why))
		}
	}
	bad(!slices.Contains([]string{http.MethodPost, http.MethodGet, http.MethodPut}, r.Method), "method: must be POST, GET or PUT")
	bad(!plainPath.MatchString(r.Path) || strings.Contains(r.Path, ".."), "path: must be a path without query, such as /api/login")
	bad(!slices.Contains([]string{bodyForm, bodyJSON, bodyXML}, r.Body), "body: must be form, json or xml")
	bad(r.Body == bodyXML && !xmlName.MatchString(r.Root), "root: must be the name of an element")
	bad(r.Method == http.MethodGet && len(r.Fields) > 0, "fields: a GET has no body; write query")
	for section, fields := range r.sections() {
		bad(len(fields) > maxParts, section+": too many")
		for name := range fields {
			bad(section == "headers" && !headerName.MatchString(name), section+": a name is not one of HTTP's")
			bad(section == "fields" && r.Body == bodyXML && !xmlName.MatchString(name), section+": a name is not an element's")
		}
	}
	return all
}

func (c *compiled) add(field, text string, env any) error {
	if text == "" || len(text) > maxExpression {
		return fmt.Errorf("%s: an expression of 1 to %d bytes is needed", field, maxExpression)
	}
	program, err := expr.Compile(text, expr.Env(env), expr.MaxNodes(maxNodes))
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	c.programs[field] = program
	return nil
}

// value evaluates the expression of a field; errors quote nothing, for there are
// passwords in env.
func (c *compiled) value(field string, env any) (any, error) {
	machine := vm.VM{MemoryBudget: maxMemory}
	v, err := machine.Run(c.programs[field], env)
	if err != nil {
		return nil, fmt.Errorf("%s: the expression failed", field)
	}
	return v, nil
}

// truth is false for an expression that is not there.
func (c *compiled) truth(field string, env said) (bool, error) {
	if c.programs[field] == nil {
		return false, nil
	}
	v, err := c.value(field, env)
	if err != nil {
		return false, err
	}
	yes, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s: neither true nor false", field)
	}
	return yes, nil
}
