package outbound

import (
	"io"
	"net/http"
)

// HTTP is the client for libraries that make their calls themselves. What it
// calls is judged and bounded just as by [Client.Get]; an answer that is larger
// than [Options.MaxBytes] breaks off with an error, and redirects are not
// followed.
func (c *Client) HTTP() *http.Client {
	return &http.Client{
		Transport: guard{client: c}, Timeout: c.options.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type guard struct{ client *Client }

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.client.Check(r.URL.String()); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", g.client.options.UserAgent)
	res, err := g.client.http.Transport.RoundTrip(r)
	if err != nil {
		return nil, classify(r.URL.Host, err)
	}
	res.Body = &capped{ReadCloser: res.Body, left: g.client.options.MaxBytes, host: r.URL.Host}
	return res, nil
}

// capped fails rather than end where a body is too large, so that nobody takes
// the part for the whole.
type capped struct {
	io.ReadCloser
	left int64
	host string
}

// Read implements [io.Reader].
func (b *capped) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &Error{Reason: TooLarge, Host: b.host}
	}
	return n, err
}
