package legacy

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// Limits of an answer.
const (
	maxBody    = 128 << 10 // bytes
	maxSubject = 255       // bytes
)

// answer is what a server said.
type answer struct {
	status   int
	header   http.Header
	cookies  []*http.Cookie
	body     []byte
	username string
	settings map[string]string
}

// said is an answer as expressions see it.
type said struct {
	Status   int               `expr:"status"`
	Headers  map[string]string `expr:"headers"`
	Cookies  map[string]string `expr:"cookies"`
	Body     string            `expr:"body"`
	JSON     any               `expr:"json"`
	Username string            `expr:"username"`
	Settings map[string]string `expr:"settings"`
}

func (a answer) environment() said {
	headers, cookies := map[string]string{}, map[string]string{}
	for name, values := range a.header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	for _, c := range a.cookies {
		cookies[c.Name] = c.Value
	}
	document, _ := codeflow.Parse(a.body) // nil where it is no JSON, or more than one reading of it
	return said{
		Status: a.status, Headers: headers, Cookies: cookies, Body: string(a.body), JSON: plain(document),
		Username: a.username, Settings: a.settings,
	}
}

// judge says who it is, or why not. An answer that has two meanings has the one that
// lets nobody in.
func (c *compiled) judge(a answer, issuer string) (*upstream.Person, error) {
	if a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests || a.status >= 300 && a.status < 400 {
		return nil, upstream.Fail(upstream.Unavailable, "the server answered with status "+strconv.Itoa(a.status))
	}
	env := a.environment()
	for _, v := range c.verdicts() {
		switch yes, err := c.truth(v.name, env); {
		case err != nil:
			return nil, notUnderstood(err)
		case yes:
			return nil, upstream.Fail(v.kind, "the answer is the one for "+v.name)
		}
	}
	yes, err := c.truth("success", env)
	if err != nil {
		return nil, notUnderstood(err)
	}
	if !yes {
		return nil, upstream.Fail(upstream.Unavailable, "the answer is none that the description knows; its status is "+strconv.Itoa(a.status))
	}
	p := &upstream.Person{Issuer: issuer}
	if p.Subject, err = c.subject(env); err != nil {
		return nil, &upstream.Error{Kind: upstream.Untrusted, Err: err}
	}
	if p.Claims, err = c.claims(env); err != nil {
		return nil, &upstream.Error{Kind: upstream.Untrusted, Err: err}
	}
	return p, nil
}

func notUnderstood(err error) error { return &upstream.Error{Kind: upstream.Unavailable, Err: err} }

func (c *compiled) subject(env said) (string, error) {
	v, err := c.value("subject", env)
	if err != nil {
		return "", err
	}
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case int:
		text = strconv.Itoa(v)
	}
	if text == "" || len(text) > maxSubject || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", errors.New("subject: neither a text of at most 255 bytes nor a whole number")
	}
	return text, nil
}

func (c *compiled) claims(env said) (map[string]any, error) {
	if c.programs["claims"] == nil {
		return map[string]any{}, nil
	}
	v, err := c.value("claims", env)
	if err != nil {
		return nil, err
	}
	claims, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("claims: not an object")
	}
	return claims, nil
}

// plain makes numbers comparable with those in expressions. One that is no whole
// number of 64 bits is a fraction, and never somebody's id.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			v[name] = plain(one)
		}
	case []any:
		for i, one := range v {
			v[i] = plain(one)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		if f, err := v.Float64(); err == nil && !math.IsInf(f, 0) {
			return f
		}
		return nil
	}
	return v
}
