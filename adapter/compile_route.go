package adapter

import (
	"regexp"
	"slices"
	"strings"
)

func (c *compiler) prepareRoute(name string, r Route) *preparedRoute {
	at := func(more ...string) []string { return append([]string{"routes", name}, more...) }
	p := &preparedRoute{Route: r, name: name, replies: map[Outcome]*preparedReply{}}
	c.checkRoute(r, at)
	for _, source := range sortedKeys(r.When) {
		where, err := parsePlace(source, c.settingsOrEmpty())
		if err != nil {
			c.problem(at("when"), "%s", err)
		}
		p.when = append(p.when, condition{place: where, value: r.When[source]})
	}
	p.token = c.places(r.TokenFrom, at("token_from"))
	if r.Key != c.s.Key {
		p.key = c.prepareKey(r.Key, at("key")...)
	}
	p.fields = c.prepareFields(r.Fields, at("fields"))
	for i := range r.Credentials {
		p.variants = append(p.variants, c.prepareVariant(p, r.Credentials[i], at("credentials")))
	}
	for _, f := range p.fields {
		p.names = append(p.names, f.name)
	}
	for _, v := range p.variants {
		for _, f := range v.fields {
			p.names = append(p.names, f.name)
		}
	}
	c.checkCredentials(p, at)
	c.prepareReplies(p, at)
	return p
}

// settingsOrEmpty is never nil, which tells [parsePlace] that a setting may stand here.
func (c *compiler) settingsOrEmpty() map[string]Setting {
	if c.s.Settings == nil {
		return map[string]Setting{}
	}
	return c.s.Settings
}

func (c *compiler) checkRoute(r Route, at func(...string) []string) {
	for _, path := range append([]string{r.Path}, r.Also...) {
		star := strings.Index(path, "*")
		if !strings.HasPrefix(path, "/") || star >= 0 && (star != len(path)-1 || path[star-1] != '/') {
			c.problem(at("path"), "%q: a path begins with / and may have * as its last segment only", path)
		}
	}
	c.methods(r.Methods, at("methods"))
	c.oneOf(r.TrailingSlash, []string{"refuse", "accept", "redirect"}, at("trailing_slash")...)
	actions := []string{"login", "whoami", "validate", "logout", "static"}
	if r.Action == "" {
		c.problem(at("action"), "a route needs an action: one of %s", strings.Join(actions, ", "))
	}
	c.oneOf(string(r.Action), actions, at("action")...)
	c.outcome(r.Outcome, at("outcome"))
	if r.Lifetime != "" {
		c.settingOf(r.Lifetime, at("lifetime"), SettingDuration)
	}
	if r.Outcome != "" && r.Action != ActionStatic {
		c.problem(at("outcome"), "only a static route has an outcome of its own")
	}
	if r.Lookup != nil && r.Action != ActionWhoAmI {
		c.problem(at("lookup"), "only whoami looks users up")
	}
	c.checkInput(r.Input, at("input")...)
}

func (c *compiler) places(sources, fieldPath []string) []place {
	var out []place
	for _, s := range sources {
		p, err := parsePlace(s, nil)
		if err != nil {
			c.problem(fieldPath, "%s", err)
		}
		out = append(out, p)
	}
	return out
}

func (c *compiler) prepareKey(k *Key, fieldPath ...string) *preparedKey {
	if k == nil {
		return nil
	}
	c.settingOf(k.Setting, append(fieldPath, "setting"), SettingSecret, SettingString)
	if k.Mandatory != "" {
		c.settingOf(k.Mandatory, append(fieldPath, "mandatory"), SettingBool)
	}
	c.outcome(k.Unset, append(fieldPath, "unset"))
	c.outcome(k.Missing, append(fieldPath, "missing"))
	c.checkNormalisers(k.Normalise, append(fieldPath, "normalise"))
	if len(k.From) == 0 {
		c.problem(append(fieldPath, "from"), "the key needs a source")
	}
	p := &preparedKey{Key: *k, from: c.places(k.From, append(fieldPath, "from"))}
	p.Unset = orOutcome(p.Unset, OutcomeInvalidClient)
	p.Missing = orOutcome(p.Missing, OutcomeInvalidClient)
	return p
}

func orOutcome(o, def Outcome) Outcome {
	if o == "" {
		return def
	}
	return o
}

// optional is what Field.Missing says of a field that may be absent.
const optional Outcome = "-"

// normalisers that take no argument.
var normalisers = []string{"trim", "trim_right", "lower", "ossn_input", "sha256", "md5"}

// prepareFields puts username and password in front of the others.
func (c *compiler) prepareFields(fields map[string]Field, at []string) []preparedField {
	names := sortedKeys(fields)
	slices.SortStableFunc(names, func(a, b string) int { return fieldRank(a) - fieldRank(b) })
	out := make([]preparedField, 0, len(names))
	for _, name := range names {
		f, here := fields[name], append(slices.Clone(at), name)
		c.outcome(f.Missing, append(here, "missing"), optional)
		c.outcome(f.NotString, append(here, "not_string"), optional)
		c.outcome(f.Blank, append(here, "blank"), optional)
		c.outcome(f.Mismatch, append(here, "mismatch"))
		f.Missing = orOutcome(f.Missing, OutcomeInvalidRequest)
		f.NotString = orOutcome(f.NotString, f.Missing)
		f.Mismatch = orOutcome(f.Mismatch, OutcomeUnknownUser)
		blankCounts := f.Blank != ""
		f.Blank = orOutcome(f.Blank, f.Missing)
		if len(f.From) == 0 {
			c.problem(append(here, "from"), "a field needs a source")
		}
		p := preparedField{Field: f, name: name, from: c.places(f.From, append(here, "from")), blankCounts: blankCounts}
		p.pattern = c.pattern(f.Pattern, append(here, "pattern"))
		c.checkNormalisers(f.Normalise, append(here, "normalise"))
		if f.Default != "" {
			p.initial = c.inline(encodeText, f.Default, append(here, "default")...)
		}
		out = append(out, p)
	}
	return out
}

func (c *compiler) checkNormalisers(list, at []string) {
	for _, n := range list {
		if setting, ok := strings.CutPrefix(n, unsaltPrefix); ok {
			c.settingOf(setting, at, SettingSecret)
			continue
		}
		c.oneOf(n, normalisers, at...)
	}
}

// pattern makes an expression that matches whole values only.
func (c *compiler) pattern(text string, at []string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	p, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		c.problem(at, "%q is no regular expression (RE2)", text)
	}
	return p
}

func fieldRank(name string) int {
	switch name {
	case fieldUsername:
		return 0
	case fieldPassword:
		return 1
	default:
		return 2
	}
}

func (c *compiler) prepareVariant(p *preparedRoute, v CredentialVariant, at []string) preparedVariant {
	out := preparedVariant{CredentialVariant: v, fields: c.prepareFields(v.Fields, append(at, "fields"))}
	dir := v.Directory
	if dir == "" {
		dir = c.s.Login.Directory
	}
	out.directory = c.inline(encodePath, dir, append(at, "directory")...)
	for _, name := range append([]string{v.Username, v.Password}, v.Given...) {
		_, inRoute := p.Fields[name]
		if _, inVariant := v.Fields[name]; !inVariant && !inRoute {
			c.problem(at, "there is no field %q here", name)
		}
	}
	return out
}

func (c *compiler) checkCredentials(p *preparedRoute, at func(...string) []string) {
	if p.Action == ActionLogin && len(p.variants) == 0 {
		for _, name := range []string{fieldUsername, fieldPassword} {
			if _, ok := p.Fields[name]; !ok {
				c.problem(at("fields"), "a login needs the field %q, or credentials", name)
			}
		}
	}
	if p.Lookup == nil {
		return
	}
	if p.Key == nil || p.NoKey || p.Key.Mandatory != "" {
		c.problem(at("lookup"), "a lookup without a token needs the system's key, always")
	}
	for _, name := range append(slices.Clone(p.Lookup.AccountID), p.Lookup.LoginName...) {
		if _, ok := p.Fields[name]; !ok {
			c.problem(at("lookup"), "there is no field %q here", name)
		}
	}
	if len(p.Lookup.AccountID)+len(p.Lookup.LoginName) == 0 {
		c.problem(at("lookup"), "it needs account_id or login_name")
	}
}
