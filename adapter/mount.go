package adapter

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options are what an [Adapter] needs. Granter, Gate and Now are required.
type Options struct {
	Granter   Granter
	Gate      Gate
	Instances []Instance
	Now       func() time.Time
	Log       *slog.Logger // default: discarded
	// ClientAddr is the address that limits and networks are counted by;
	// default: the connection's.
	ClientAddr func(*http.Request) netip.Addr
	// RequestID names a request in the log; default: random.
	RequestID func(*http.Request) string
}

// Instance is one legacy system as it is mounted.
type Instance struct {
	Name          string  // unique; in the log and in the credentials
	System        *System // from [Load]
	Host          string  // the host name that it answers, without a port; "" for any
	BasePath      string  // such as "/faveo-2.0"; "" for none
	SiteURL       string  // where the outside sees it, base path included
	Settings      map[string]any
	Client        string        // the id of its internal client
	Accounts      string        // the namespace of accounts, instead of the system's own
	Directory     string        // instead of the system's own, unless a credential variant names one
	Lifetime      time.Duration // of access tokens, instead of the setting's; 0 for none
	UniformErrors bool          // an unknown, unverified, disabled or locked user is answered as a wrong password
}

// instance is a mounted system.
type instance struct {
	name      string
	system    *System
	settings  map[string]any
	site      Site
	client    string
	accounts  string
	directory string
	secret    []byte // of legacy JWTs
	lifetime  time.Duration
	uniform   bool
	rate      *rateLimit // nil for no limit
}

// Adapter answers the requests of legacy systems.
type Adapter struct {
	granter    Granter
	gate       Gate
	now        func() time.Time
	log        *slog.Logger
	clientAddr func(*http.Request) netip.Addr
	requestID  func(*http.Request) string
	hosts      map[string]*table // by host name; "" for any
}

// New mounts the instances. Every mistake is reported at once: the error then
// is [Problems], with the instance's name in Field.
func New(o Options) (*Adapter, error) {
	if o.Granter == nil || o.Gate == nil || o.Now == nil {
		return nil, errors.New("adapter: Options need Granter, Gate and Now")
	}
	a := &Adapter{
		granter: o.Granter, gate: o.Gate, now: o.Now, log: o.Log, clientAddr: o.ClientAddr, requestID: o.RequestID,
		hosts: map[string]*table{},
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.clientAddr == nil {
		a.clientAddr = connectionAddr
	}
	if a.requestID == nil {
		a.requestID = func(*http.Request) string { return newRequestID() }
	}
	if err := a.mountAll(o.Instances); err != nil {
		return nil, err
	}
	return a, nil
}

// Check reports what [New] would find wrong with the instances.
func Check(instances []Instance) error {
	a := &Adapter{hosts: map[string]*table{}}
	return a.mountAll(instances)
}

func (a *Adapter) mountAll(instances []Instance) error {
	var problems Problems
	names := map[string]bool{}
	for _, in := range instances {
		if names[in.Name] {
			problems = append(problems, Problem{Field: in.Name, Reason: "two instances have this name"})
		}
		names[in.Name] = true
		problems = append(problems, a.mount(in)...)
	}
	return problems.err()
}

func (a *Adapter) mount(in Instance) Problems {
	var problems Problems
	problem := func(format string, args ...any) {
		problems = append(problems, Problem{Field: in.Name, Reason: fmt.Sprintf(format, args...)})
	}
	if in.Name == "" || in.Client == "" {
		problem("an instance needs a name and a client")
	}
	if in.System == nil || in.System.prepared == nil {
		problem("the system was not loaded")
		return problems
	}
	if u, err := url.Parse(in.SiteURL); err != nil || u.Host == "" {
		problem("site_url must be a URL such as http://legacy.example/")
	}
	if in.BasePath != "" && (!strings.HasPrefix(in.BasePath, "/") || strings.HasSuffix(in.BasePath, "/")) {
		problem("base_path %q must begin with / and not end with it", in.BasePath)
	}
	settings, wrong := in.System.settings(in.Settings)
	for _, w := range wrong {
		problem("%s", w)
	}
	m := newInstance(in, settings)
	host := strings.ToLower(in.Host)
	if a.hosts[host] == nil {
		a.hosts[host] = newTable()
	}
	for _, r := range in.System.prepared.routes {
		for _, other := range a.hosts[host].addRoute(m, in.BasePath, r) {
			problem("route %s: %s is answered by route %s of %s already", r.name, other.path, other.route.name, other.name)
		}
	}
	return problems
}

func newInstance(in Instance, settings map[string]any) *instance {
	s := in.System
	m := &instance{
		name: in.Name, system: s, settings: settings, client: in.Client,
		accounts: in.Accounts, directory: in.Directory,
		site:   Site{URL: strings.TrimSuffix(in.SiteURL, "/") + "/"},
		secret: []byte(toText(settings[s.Token.Secret])), lifetime: in.Lifetime, uniform: in.UniformErrors,
	}
	if m.accounts == "" {
		m.accounts = s.Accounts
	}
	if s.Rate != nil {
		if limit, _ := settings[s.Rate.Setting].(int64); limit > 0 {
			m.rate = newRateLimit(int(limit), s.Rate.Per)
		}
	}
	return m
}

// addRoute mounts a route at all its paths and returns those that are taken.
func (t *table) addRoute(m *instance, base string, r *preparedRoute) []*mounted {
	var taken []*mounted
	add := func(path string, redirect bool) {
		if other := t.add(&mounted{instance: m, route: r, path: base + path, base: base, redirect: redirect}); other != nil {
			taken = append(taken, other)
		}
	}
	for _, path := range append([]string{r.Path}, r.Also...) {
		add(path, false)
		if strings.HasSuffix(path, "*") || path == "/" {
			continue
		}
		switch r.TrailingSlash {
		case "accept":
			add(path+"/", false)
		case "redirect":
			add(path+"/", true)
		}
	}
	return taken
}
