package adapter

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// preparedReply is a reply with its templates parsed.
type preparedReply struct {
	status  *prepTemplate
	headers []preparedHeader
	body    *prepTemplate // nil is an empty body
	express bool          // ETag
	allow   bool          // no header Allow is named, so the methods go there
	at      []string      // where it stands, for messages
}

type preparedHeader struct {
	name  string // as the file writes it
	value *prepTemplate
}

// prepareReplies gives the route its own replies and the system's.
func (c *compiler) prepareReplies(p *preparedRoute, at func(...string) []string) {
	for _, o := range sortedKeys(c.s.Replies) {
		if _, own := p.Replies[o]; !own {
			p.replies[o] = c.prepareReply(p.Route, c.s.Replies[o], []string{"replies", string(o)})
		}
		c.outcome(o, []string{"replies", string(o)})
	}
	for _, o := range sortedKeys(p.Replies) {
		c.outcome(o, at("replies", string(o)))
		p.replies[o] = c.prepareReply(p.Route, p.Replies[o], at("replies", string(o)))
	}
	if p.Action != ActionStatic && p.replies[OutcomeSuccess] == nil {
		c.problem(at("replies"), "the outcome %q needs a reply", OutcomeSuccess)
	}
	if p.Action == ActionStatic && p.Outcome == OutcomeSuccess && p.replies[OutcomeSuccess] == nil {
		c.problem(at("replies"), "the outcome %q needs a reply", OutcomeSuccess)
	}
}

func (c *compiler) prepareReply(r Route, reply Reply, at []string) *preparedReply {
	status := reply.Status
	if status == "" {
		status = "200"
	}
	p := &preparedReply{at: at, express: reply.ETag == "express"}
	c.oneOf(reply.ETag, []string{"express"}, append(at, "etag")...)
	if code, err := strconv.Atoi(status); err == nil && !goodStatus(code) {
		c.problem(append(at, "status"), "%d is no HTTP status from 200 to 599", code)
	}
	p.status = c.inline(encodeHeader, status, append(at, "status")...)
	p.body = c.prepareBody(reply, at)
	layers := []map[string]string{c.s.Headers, r.Headers, reply.Headers}
	p.headers = c.prepareHeaders(p.body, at, layers...)
	p.allow = true
	for _, layer := range layers {
		for name := range layer {
			p.allow = p.allow && !strings.EqualFold(name, "Allow")
		}
	}
	return p
}

func goodStatus(code int) bool { return code >= 200 && code <= 599 }

func (c *compiler) prepareBody(reply Reply, at []string) *prepTemplate {
	type inline struct {
		key, text string
		enc       encoding
	}
	var found []inline
	for _, one := range []inline{
		{"body", reply.Body, ""},
		{"json", reply.JSON, encodeJSON},
		{"xml", reply.XML, encodeXML},
		{"html", reply.HTML, encodeHTML},
		{"text", reply.Text, encodeText},
	} {
		if one.text != "" {
			found = append(found, one)
		}
	}
	switch {
	case len(found) == 0:
		return nil
	case len(found) > 1:
		c.problem(at, "%s and %s: a reply has one body", found[0].key, found[1].key)
	}
	if found[0].key == "body" {
		return c.file(reply.Body, append(at, "body")...)
	}
	return c.inline(found[0].enc, found[0].text, append(at, found[0].key)...)
}

// ownHeaders are set by the server alone.
var ownHeaders = []string{"Content-Length", "Transfer-Encoding", "Connection", "Date", "Trailer"}

// prepareHeaders lays the later maps over the earlier ones.
func (c *compiler) prepareHeaders(body *prepTemplate, at []string, layers ...map[string]string) []preparedHeader {
	type header struct{ name, value string }
	merged := map[string]header{}
	if body != nil {
		merged["Content-Type"] = header{"Content-Type", body.encoding.mediaType()}
	}
	for _, layer := range layers {
		for _, name := range sortedKeys(layer) {
			value := layer[name]
			key := textproto.CanonicalMIMEHeaderKey(name)
			if !goodHeaderName(name) || slices.Contains(ownHeaders, key) {
				c.problem(append(at, "headers", name), "this header cannot be set")
			}
			if key == "Content-Type" {
				name = key
			}
			merged[key] = header{name, value}
		}
	}
	var out []preparedHeader
	for _, key := range sortedKeys(merged) {
		if h := merged[key]; h.value != "" {
			out = append(out, preparedHeader{name: h.name, value: c.inline(encodeHeader, h.value, append(at, "headers", h.name)...)})
		}
	}
	return out
}

func goodHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func (c *compiler) file(name string, at ...string) *prepTemplate {
	t, err := c.files.file(name)
	if err != nil {
		c.templateProblem(err, at)
	}
	return t
}

func (c *compiler) inline(enc encoding, text string, at ...string) *prepTemplate {
	t, err := c.files.parse(strings.Join(at, "."), text, enc)
	if err != nil {
		c.templateProblem(err, at)
	}
	return t
}
