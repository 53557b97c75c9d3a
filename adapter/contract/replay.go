package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"

	"keyway/adapter"
)

// Report is what came of replaying one system's folder.
type Report struct {
	Systems  map[string]*adapter.System // by profile
	Examples int
	Problems adapter.Problems
}

// Replay loads every profile in the folder dir and
// replays every example in dir/examples on a [Stage].
func Replay(ctx context.Context, fsys fs.FS, dir string) Report {
	r := Report{Systems: map[string]*adapter.System{}}
	files, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		r.add(dir, "there is no system.yaml in the folder")
		return r
	}
	for _, file := range files {
		if adapter.IsProfile(file) {
			r.load(fsys, dir, path.Base(file))
		}
	}
	examples, err := Load(fsys, path.Join(dir, "examples"))
	if err != nil {
		r.add("", "%s", err)
	}
	r.Examples = len(examples)
	for i := range examples {
		r.replay(ctx, &examples[i])
	}
	return r
}

func (r *Report) add(file, format string, args ...any) {
	r.Problems = append(r.Problems, adapter.Problem{File: file, Reason: fmt.Sprintf(format, args...)})
}

func (r *Report) load(fsys fs.FS, dir, file string) {
	s, err := adapter.Load(fsys, dir, file)
	var problems adapter.Problems
	switch {
	case errors.As(err, &problems):
		r.Problems = append(r.Problems, problems...)
	case err != nil:
		r.add(path.Join(dir, file), "%s", err)
	case r.Systems[s.Profile] != nil:
		r.add(path.Join(dir, file), "the folder has the profile %q twice", s.Profile)
	default:
		r.Systems[s.Profile] = s
	}
}

func (r *Report) replay(ctx context.Context, e *Example) {
	s := r.Systems[e.Given.Profile]
	if s == nil {
		r.add(e.File, "the folder has no profile %q that loads", e.Given.Profile)
		return
	}
	send, err := OnStage(s, e.Given) //nolint:bodyclose // it returns a function; Run closes what that returns
	if err != nil {
		r.add(e.File, "%s", err)
		return
	}
	for _, m := range Run(ctx, *e, send) {
		r.add(m.File, "exchange %d: %s: %s", m.Exchange, m.Part, m.Reason)
	}
}

// OnStage mounts a system over a fresh [Stage] and returns how to send
// requests to it.
func OnStage(s *adapter.System, g Given) (func(*http.Request) (*http.Response, error), error) {
	stage, err := NewStage(g)
	if err != nil {
		return nil, err
	}
	a, err := adapter.New(adapter.Options{
		Granter: stage, Gate: stage, Now: stage.Now,
		Instances: []adapter.Instance{{
			Name: s.System, System: s, BasePath: g.BasePath, SiteURL: g.SiteURL, Settings: g.Settings,
			Client: "legacy-" + s.System, UniformErrors: g.UniformErrors,
		}},
	})
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) (*http.Response, error) {
		stage.Advance(Wait(r))
		w := &recorder{header: http.Header{}}
		a.ServeHTTP(w, r)
		return w.response(r), nil
	}, nil
}

// recorder keeps a response in memory.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*recorder)(nil)

// Header implements [http.ResponseWriter].
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *recorder) response(r *http.Request) *http.Response {
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}
}
