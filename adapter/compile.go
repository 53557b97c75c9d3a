package adapter

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// source is where a system came from, for the messages.
type source struct {
	tree *node
	open func(name string) ([]byte, error)
	dir  string
}

// prepared is a system ready to answer.
type prepared struct {
	key       *preparedKey
	directory *prepTemplate
	claims    *prepTemplate // nil unless tokens are legacy JWTs
	routes    []*preparedRoute
}

// preparedRoute is a route with everything parsed that a request needs.
type preparedRoute struct {
	Route
	name     string
	key      *preparedKey
	fields   []preparedField
	variants []preparedVariant
	when     []condition
	token    []place
	replies  map[Outcome]*preparedReply
	names    []string // of every field, those of the variants too
}

type preparedKey struct {
	Key
	from []place
}

type preparedField struct {
	Field
	name        string
	from        []place
	initial     *prepTemplate  // Field.Default
	pattern     *regexp.Regexp // Field.Pattern
	blankCounts bool           // the empty string is not as good as absent
}

type preparedVariant struct {
	CredentialVariant
	fields    []preparedField
	directory *prepTemplate
}

// condition is one entry of Route.When.
type condition struct {
	place
	value string
}

// compiler checks one system and prepares it; it goes on after a mistake.
type compiler struct {
	s        *System
	src      source
	files    templates
	problems Problems
}

func compile(s *System, src source) (*prepared, Problems) {
	c := &compiler{s: s, src: src, files: templates{style: s.JSON, open: src.open, files: map[string]*prepTemplate{}}}
	p := &prepared{}
	c.checkTop()
	c.checkSettings()
	c.checkToken()
	c.checkRate()
	c.checkInput(&s.Input, "input")
	p.directory = c.inline(encodePath, s.Login.Directory, "login", "directory")
	p.key = c.prepareKey(s.Key, "key")
	p.claims = c.prepareClaims()
	for _, name := range sortedKeys(s.Routes) {
		r := c.prepareRoute(name, s.Routes[name])
		if r.Key == s.Key {
			r.key = p.key
		}
		p.routes = append(p.routes, r)
	}
	p.fieldNames()
	if len(c.problems) == 0 {
		c.tryAll(p)
	}
	return p, c.problems
}

// fieldNames gives every route the names of all fields, so that a reply for
// the whole system may speak of any of them.
func (p *prepared) fieldNames() {
	all := map[string]bool{}
	for _, r := range p.routes {
		for _, name := range r.names {
			all[name] = true
		}
	}
	names := sortedKeys(all)
	for _, r := range p.routes {
		r.names = names
	}
}

// prepareClaims parses the claims of legacy JWTs, in their own JSON style.
func (c *compiler) prepareClaims() *prepTemplate {
	if c.s.Token.Claims == "" {
		return nil
	}
	if c.s.Token.JSON == nil {
		return c.file(c.s.Token.Claims, "token", "claims")
	}
	c.oneOf(c.s.Token.JSON.Style, []string{"compact", "pretty"}, "token", "json", "style")
	own := templates{style: *c.s.Token.JSON, open: c.src.open, files: map[string]*prepTemplate{}}
	t, err := own.file(c.s.Token.Claims)
	if err != nil {
		c.templateProblem(err, []string{"token", "claims"})
	}
	return t
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// problem reports a mistake at the field that the path names.
func (c *compiler) problem(fieldPath []string, format string, args ...any) {
	at := c.src.tree.at(fieldPath...)
	c.problems = append(c.problems, Problem{
		File: at.file, Line: at.line, Field: strings.Join(fieldPath, "."), Reason: fmt.Sprintf(format, args...),
	})
}

func (c *compiler) oneOf(value string, allowed []string, fieldPath ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.problem(fieldPath, "unknown value %q%s", value, suggest(value, allowed))
	}
}

// outcome checks that o is one; "-" is allowed where more says so.
func (c *compiler) outcome(o Outcome, fieldPath []string, more ...Outcome) {
	if o == "" || slices.Contains(more, o) || o == OutcomeSuccess || o == OutcomeInternal {
		return
	}
	if _, ok := fallback[o]; ok {
		return
	}
	c.problem(fieldPath, "unknown outcome %q%s", o, suggest(string(o), outcomeNames()))
}

func outcomeNames() []string {
	names := []string{string(OutcomeSuccess), string(OutcomeInternal)}
	for o := range fallback {
		names = append(names, string(o))
	}
	slices.Sort(names)
	return names
}

func (c *compiler) checkTop() {
	switch {
	case c.s.System == "":
		c.problem([]string{"system"}, "the system needs its name, which is its folder's")
	case path.Base(c.src.dir) != "." && path.Base(c.src.dir) != c.s.System:
		c.problem([]string{"system"}, "the folder is called %q", path.Base(c.src.dir))
	}
	if c.s.Profile == "" {
		c.problem([]string{"profile"}, "the profile needs its name, such as \"1.0\"")
	}
	if len(c.s.Routes) == 0 {
		c.problem([]string{"routes"}, "without a route there is nothing to answer")
	}
	if _, ok := c.s.Replies[OutcomeInternal]; !ok {
		c.problem([]string{"replies"}, "the outcome %q needs a reply: every other falls back to it", OutcomeInternal)
	}
	c.oneOf(c.s.JSON.Style, []string{"compact", "pretty"}, "json", "style")
	if c.s.JSON.Indent < 0 || c.s.JSON.Indent > 16 {
		c.problem([]string{"json", "indent"}, "an indent is 0 to 16 spaces")
	}
	c.oneOf(c.s.Login.Equivalent, []string{equivalentSqueeze}, "login", "equivalent")
	if name := c.s.Login.EmailSetting; name != "" {
		c.settingOf(name, []string{"login", "email_setting"}, SettingBool)
	}
}

// settingOf checks that a setting is declared with one of the types.
func (c *compiler) settingOf(name string, fieldPath []string, types ...SettingType) {
	declared, ok := c.s.Settings[name]
	switch {
	case !ok:
		c.problem(fieldPath, "there is no setting %q%s", name, suggest(name, sortedKeys(c.s.Settings)))
	case !slices.Contains(types, declared.Type):
		c.problem(fieldPath, "the setting %q is of type %s, not %s", name, declared.Type, types[0])
	}
}

func (c *compiler) checkRate() {
	if c.s.Rate == nil {
		return
	}
	c.settingOf(c.s.Rate.Setting, []string{"rate_limit", "setting"}, SettingInt)
	if c.s.Rate.Per <= 0 {
		c.problem([]string{"rate_limit", "per"}, "the window must be longer than nothing, such as 60s")
	}
}

func (c *compiler) checkToken() {
	t := c.s.Token
	c.oneOf(t.Format, []string{"opaque", "hex32", "jwt-hs256"}, "token", "format")
	if t.Lifetime != "" {
		c.settingOf(t.Lifetime, []string{"token", "lifetime"}, SettingDuration)
	}
	if t.Format != "jwt-hs256" {
		if t.Reuse || t.Claims != "" || t.Secret != "" || t.Header != "" {
			c.problem([]string{"token", "format"}, "reuse, claims, secret and header are for jwt-hs256 only")
		}
		return
	}
	if t.Secret == "" || t.Claims == "" || t.Header == "" {
		c.problem([]string{"token"}, "jwt-hs256 needs header, claims and secret")
		return
	}
	c.settingOf(t.Secret, []string{"token", "secret"}, SettingSecret)
	if enc, _ := encodingOf(t.Claims); enc != encodeJSON {
		c.problem([]string{"token", "claims"}, "claims are a *.json.tmpl")
	}
	if !isHS256Header([]byte(t.Header)) {
		c.problem([]string{"token", "header"}, `a JOSE header is a JSON object with "alg":"HS256"`)
	}
}

func (c *compiler) checkInput(in *Input, fieldPath ...string) {
	for _, r := range in.Read {
		c.oneOf(r, []string{"body", "query"}, append(fieldPath, "read")...)
	}
	c.oneOf(in.JSON, []string{"no", "exact", "contains", "any"}, append(fieldPath, "json")...)
	c.methods(in.BodyMethods, append(fieldPath, "body_methods"))
	c.outcome(in.Other, append(fieldPath, "other"))
	c.outcome(in.Malformed, append(fieldPath, "malformed"))
}

func (c *compiler) methods(methods []string, fieldPath []string) {
	for _, m := range methods {
		if m == "" || strings.ToUpper(m) != m || strings.ContainsAny(m, " ,") {
			c.problem(fieldPath, "%q is no method; they are written in capitals", m)
		}
	}
}
