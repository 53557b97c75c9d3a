package contract

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// endMark ends a body whose last character is a line feed.
const endMark = "<<end>>"

// splitMessage parts the head of a message from its body. The line feed that
// ends the file is not the body's.
func splitMessage(text string) (head []string, body string) {
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	top, body, _ := strings.Cut(text, "\n\n")
	return strings.Split(strings.TrimSuffix(top, "\n"), "\n"), strings.TrimSuffix(body, endMark)
}

type waitKey struct{}

// Wait is how much time must pass before the request is sent; a [Stage] moves
// its clock by it.
func Wait(r *http.Request) time.Duration {
	d, _ := r.Context().Value(waitKey{}).(time.Duration)
	return d
}

// request builds a request that a client can send. Captured values stand where
// their names do.
func (x *Exchange) request(ctx context.Context, site string, captured map[string]string) (*http.Request, error) {
	text := x.Request
	for name, value := range captured {
		text = strings.ReplaceAll(text, "<<"+name+">>", value)
	}
	head, body := splitMessage(text)
	if multipartHead(head) {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	base, err := url.Parse(site)
	if err != nil {
		return nil, err
	}
	if !hasHeader(head, "Host") {
		head = append(head, "Host: "+base.Host)
	}
	if !hasHeader(head, "Content-Length") && body != "" {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	raw := strings.Join(head, "\r\n") + "\r\n\r\n" + body
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return nil, fmt.Errorf("the request is not HTTP: %w", err)
	}
	defer func() { _ = r.Body.Close() }()
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("the request's body is not as long as its Content-Length: %w", err)
	}
	r.RequestURI, r.RemoteAddr = "", "192.0.2.1:1234"
	r.URL.Scheme, r.URL.Host = base.Scheme, r.Host
	r.Body, r.ContentLength = http.NoBody, int64(len(sent))
	if len(sent) > 0 {
		r.Body = io.NopCloser(strings.NewReader(string(sent)))
	}
	return r.WithContext(context.WithValue(ctx, waitKey{}, x.Wait)), nil
}

func hasHeader(head []string, name string) bool {
	for _, line := range head[1:] {
		if key, _, _ := strings.Cut(line, ":"); strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

func multipartHead(head []string) bool {
	for _, line := range head {
		if line = strings.ToLower(line); strings.HasPrefix(line, "content-type:") && strings.Contains(line, "multipart/") {
			return true
		}
	}
	return false
}

// expected is a response as an example writes it.
type expected struct {
	status string
	lines  []headerLine
	body   string
}

type headerLine struct {
	name, value string
	absent      bool // "!Name": it must not be there
}

func parseResponse(text string) (*expected, error) {
	head, body := splitMessage(text)
	fields := strings.Fields(head[0])
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/") {
		return nil, errors.New(`a response begins with a line such as "HTTP/1.1 200 OK"`)
	}
	e := &expected{status: fields[1], body: body}
	for _, line := range head[1:] {
		if name, ok := strings.CutPrefix(line, "!"); ok {
			e.lines = append(e.lines, headerLine{name: http.CanonicalHeaderKey(strings.TrimSuffix(name, ":")), absent: true})
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no header line", line)
		}
		e.lines = append(e.lines, headerLine{name: http.CanonicalHeaderKey(name), value: strings.TrimSpace(value)})
	}
	return e, nil
}
