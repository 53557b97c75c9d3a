package legacy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// Options describe one server. All but Issuer and Settings must be given.
type Options struct {
	URL         string // what stands before the description's path
	Issuer      string // whose people they are; default URL
	Description Description
	Settings    map[string]string
	// HTTP makes the calls, within its own limits of addresses, size and time. It must
	// not follow redirects: a password would go where they lead.
	HTTP *http.Client
}

// Verifier asks one server. It asks it once: whatever becomes of the call, the
// password may have been looked at.
type Verifier struct {
	options  Options
	compiled *compiled
}

var _ upstream.Verifier = (*Verifier)(nil)

// New returns a Verifier. It calls nobody.
func New(o Options) (*Verifier, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("url: must be an absolute URL without user, query and fragment")
	}
	if o.HTTP == nil {
		return nil, errors.New("an HTTP client is needed")
	}
	if o.Issuer == "" {
		o.Issuer = o.URL
	}
	c, err := prepare(o.Description, o.Settings)
	if err != nil {
		return nil, err
	}
	return &Verifier{options: o, compiled: c}, nil
}

// Check reports what is wrong with a description and the settings that it is
// given.
func Check(d Description, settings map[string]string) error {
	_, err := prepare(d, settings)
	return err
}

func prepare(d Description, settings map[string]string) (*compiled, error) {
	c, err := compile(d)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, name := range d.Settings {
		known[name] = true
	}
	for name := range settings {
		if !known[name] {
			return nil, fmt.Errorf("settings.%s: the description reads no such setting; it reads %v", name, d.Settings)
		}
	}
	return c, nil
}

// Verify implements [upstream.Verifier].
func (v *Verifier) Verify(ctx context.Context, l *upstream.Login) (*upstream.Person, error) {
	r, err := v.compiled.request(ctx, v.options.URL, ask{Login: *l, settings: v.options.Settings})
	if errors.Is(err, errUnsayable) {
		return nil, &upstream.Error{Kind: upstream.Wrong, Err: err}
	}
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	res, err := v.options.HTTP.Do(r)
	if err != nil {
		return nil, upstream.Fail(upstream.Unavailable, codeflow.Cause(err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return nil, upstream.Fail(upstream.Unavailable, "the answer broke off, or is too large")
	}
	return v.compiled.judge(answer{
		status: res.StatusCode, header: res.Header, cookies: res.Cookies(), body: body, username: l.Username, settings: v.options.Settings,
	}, v.options.Issuer)
}
