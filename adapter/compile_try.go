package adapter

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyway/provider/identity"
)

// inTemplate is how text/template begins its messages.
var inTemplate = regexp.MustCompile(`^template: ([^:\s]+)(?::(\d+))?(?::\d+)?: (?:executing "[^"]*" at )?`)

// templateProblem reports a template's mistake, at the line of its own file
// where it has one.
func (c *compiler) templateProblem(err error, at []string) {
	text := err.Error()
	m := inTemplate.FindStringSubmatch(text)
	if m != nil {
		text = text[len(m[0]):]
	}
	p := Problem{Field: strings.Join(at, "."), Reason: text}
	if _, isFile := encodingOf(p.Field); m != nil && !isFile && strings.HasSuffix(m[1], ".tmpl") {
		p.File = path.Join(c.src.dir, m[1])
		p.Line, _ = strconv.Atoi(m[2])
	} else {
		n := c.src.tree.at(at...)
		p.File, p.Line = n.file, n.line
	}
	if !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// tryAll executes every template over sample views, so that a field that does
// not exist, or is not there in an outcome, is found before anybody asks.
func (c *compiler) tryAll(p *prepared) {
	for _, r := range p.routes {
		fields := map[string]string{}
		for _, name := range r.names {
			fields[name] = "sample"
		}
		for _, v := range c.samples(fields) {
			c.tryRoute(p, r, v)
		}
	}
}

func (c *compiler) tryRoute(p *prepared, r *preparedRoute, v View) {
	for _, o := range sortedKeys(r.replies) {
		if o == OutcomeSuccess && r.Action == ActionStatic && r.Outcome != OutcomeSuccess {
			continue
		}
		view := v
		view.Outcome = o
		if o != OutcomeSuccess || r.Action == ActionStatic {
			view.User, view.Account, view.Token = nil, nil, nil
		}
		if r.Lookup != nil {
			view.Token = nil
		}
		c.tryReply(r.replies[o], &view)
	}
	if r.Action != ActionLogin {
		return
	}
	if p.claims != nil {
		c.tryJSON(p.claims, &v, "token", "claims")
	}
	for _, variant := range r.variants {
		c.try(variant.directory, &v, "routes", r.name, "credentials")
		c.tryFields(variant.fields, &v)
	}
	if len(r.variants) == 0 {
		c.try(p.directory, &v, "login", "directory")
	}
	c.tryFields(r.fields, &v)
}

func (c *compiler) tryFields(fields []preparedField, v *View) {
	for _, f := range fields {
		if f.initial != nil {
			c.try(f.initial, v, f.name, "default")
		}
	}
}

func (c *compiler) tryReply(r *preparedReply, v *View) {
	status := c.try(r.status, v, append(r.at, "status")...)
	if code, err := strconv.Atoi(strings.TrimSpace(status)); err != nil || !goodStatus(code) {
		c.templateProblem(fmt.Errorf("it gives %q, which is no HTTP status from 200 to 599", status), append(r.at, "status"))
	}
	for _, h := range r.headers {
		c.try(h.value, v, append(r.at, "headers", h.name)...)
	}
	switch {
	case r.body == nil:
	case r.body.encoding == encodeJSON:
		c.tryJSON(r.body, v, append(r.at, "body")...)
	default:
		c.try(r.body, v, append(r.at, "body")...)
	}
}

func (c *compiler) try(t *prepTemplate, v *View, at ...string) string {
	text, err := t.render(v)
	if err != nil {
		c.templateProblem(err, at)
	}
	return text
}

func (c *compiler) tryJSON(t *prepTemplate, v *View, at ...string) {
	text, err := t.render(v)
	if err == nil && !json.Valid([]byte(text)) {
		err = fmt.Errorf("template: %s: what it writes is not JSON", t.name)
	}
	if err != nil {
		c.templateProblem(err, at)
	}
}

// samples are views between which every declared thing is there and is not.
func (c *compiler) samples(fields map[string]string) []View {
	full := View{
		Now:      time.Unix(1700000000, 0).UTC(),
		Site:     Site{URL: "http://legacy.example/"},
		Settings: c.sampleSettings(true),
		Request: RequestView{
			ID: "0123456789abcdef", URL: "http://legacy.example/login", Method: "POST", Path: "/login", RemoteAddr: "192.0.2.1",
			Field: fields, Raw: fields, JSON: map[string]any{"id": json.Number("1")},
		},
		User: &identity.User{
			Subject: "sample", Status: identity.StatusActive, Email: "a@example.com", EmailVerified: true,
			Claims:     map[string]any{"given_name": "A", "family_name": "B"},
			LoginNames: []identity.LoginName{{Directory: "default", Name: "a"}},
		},
		Account: &identity.Account{System: c.s.Accounts, Subject: "sample", ID: "7", Attributes: map[string]any{}},
		Token: &TokenView{
			Value: "token", ID: "0123456789abcdef", IssuedAt: time.Unix(1700000000, 0), ExpiresAt: time.Unix(1700003600, 0),
			Remaining: 3600,
		},
		Rate: RateView{Limit: 60, Remaining: 59},
	}
	bare := full
	bare.Settings = c.sampleSettings(false)
	bare.User = &identity.User{Subject: "sample", Status: identity.StatusActive}
	bare.Request.JSON = nil
	bare.Request.Field = map[string]string{}
	bare.Request.Raw = map[string]string{}
	for name := range fields {
		bare.Request.Field[name], bare.Request.Raw[name] = "", ""
	}
	if !c.s.Login.NeedAccount {
		bare.Account = nil
	}
	full.Field, bare.Field = full.Request.Field, bare.Request.Field
	return []View{full, bare}
}
