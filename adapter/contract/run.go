package contract

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// maxResponse is how much of a response is compared, in bytes.
const maxResponse = 8 << 20

// Mismatch is one difference between an example and what was answered.
type Mismatch struct {
	File     string
	Exchange int    // from 1
	Part     string // "request", "status", "header NAME" or "body"
	Reason   string
}

func (m Mismatch) String() string {
	return fmt.Sprintf("%s: exchange %d: %s: %s", m.File, m.Exchange, m.Part, m.Reason)
}

// Run sends the example's requests in their order and compares the responses.
// It stops at the first exchange that is not as it should be, for what follows
// builds on it.
func Run(ctx context.Context, e Example, send func(*http.Request) (*http.Response, error)) []Mismatch {
	captured := map[string]string{}
	for i := range e.Exchanges {
		if wrong := e.exchange(ctx, &e.Exchanges[i], captured, send); len(wrong) > 0 {
			return wrong
		}
	}
	return nil
}

func (e *Example) exchange(
	ctx context.Context, x *Exchange, captured map[string]string, send func(*http.Request) (*http.Response, error),
) []Mismatch {
	c := comparison{file: e.File, number: x.Number, captured: captured}
	r, err := x.request(ctx, e.Given.SiteURL, captured)
	if err != nil {
		c.add("request", "%s", err)
		return c.found
	}
	want, err := parseResponse(x.Response)
	if err != nil {
		c.add("status", "%s", err)
		return c.found
	}
	resp, err := send(r)
	if err != nil {
		c.add("request", "%s", err)
		return c.found
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		c.add("body", "%s", err)
	}
	if got := strconv.Itoa(resp.StatusCode); got != want.status {
		c.add("status", "want %s, got %s", want.status, got)
	}
	c.headers(want.lines, resp.Header)
	c.text("body", want.body, string(body))
	return c.found
}

// comparison gathers what is wrong with one response.
type comparison struct {
	file     string
	number   int
	captured map[string]string
	found    []Mismatch
}

func (c *comparison) add(part, format string, args ...any) {
	c.found = append(c.found, Mismatch{File: c.file, Exchange: c.number, Part: part, Reason: fmt.Sprintf(format, args...)})
}

func (c *comparison) text(part, want, got string) {
	if atWant, atGot, ok := match(want, got, c.captured); !ok {
		c.add(part, "%s", difference(want, got, atWant, atGot))
	}
}

// mustBeListed are headers that an example may not pass over.
var mustBeListed = []string{"Content-Type", "Set-Cookie"}

func (c *comparison) headers(want []headerLine, sent http.Header) {
	got := http.Header{}
	for name, values := range sent {
		got[http.CanonicalHeaderKey(name)] = append(got[http.CanonicalHeaderKey(name)], values...)
	}
	rest := maps.Clone(got)
	for _, line := range want {
		values := rest[line.name]
		switch {
		case line.absent && len(values) > 0:
			c.add("header "+line.name, "want none, got %q", strings.Join(values, ", "))
		case line.absent:
		case len(values) == 0:
			c.add("header "+line.name, "want %q, got none", line.value)
		default:
			c.text("header "+line.name, line.value, values[0])
			rest[line.name] = values[1:]
		}
	}
	for _, name := range mustBeListed {
		if left := rest[name]; len(left) > 0 {
			c.add("header "+name, "got %q, which the example does not list", left[0])
		}
	}
}
