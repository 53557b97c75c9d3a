package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Options are what [New] needs. Files has no default.
type Options struct {
	Files    fs.FS  // the pages: *.html, messages/*.json, static/*
	Branding fs.FS  // the operator's: its files win over those of the same name, and may add languages; nil for none
	Base     string // the path of the issuer, "" for none; no slash at its end
	Product  string // the name at the head of each page; default "Keyway"
}

// Pages renders the pages. It is safe for concurrent use.
type Pages struct {
	templates map[string]func() (*template.Template, error) // by page, parsed when it is first shown
	catalogs  *catalogs
	assets    map[string]*asset // by name, without static/
	base      string
}

// asset is a static file.
type asset struct {
	body []byte
	mime string
	hash string // in its URL, so that it can be cached for good
}

// New reads all files. With branding it renders each page once in each
// language, so that a mistake in the operator's files is found at the start;
// the error names every one.
func New(o Options) (*Pages, error) {
	files, trees := o.Files, []fs.FS{o.Files}
	if o.Branding != nil {
		files, trees = overlay{o.Branding, o.Files}, append(trees, o.Branding)
	}
	p := &Pages{templates: map[string]func() (*template.Template, error){}, assets: map[string]*asset{}, base: o.Base}
	var err error
	if p.catalogs, err = loadCatalogs(trees...); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if err := p.loadAssets(files); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	var problems []error
	for _, page := range samplePages() {
		name := page.about().name
		if p.templates[name] == nil {
			p.templates[name] = sync.OnceValues(func() (*template.Template, error) {
				return template.New("layout.html").ParseFS(files, "layout.html", name+".html")
			})
		}
		if o.Branding != nil {
			problems = append(problems, p.try(page))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return p, nil
}

// try renders the page in every language.
func (p *Pages) try(page Page) error {
	for i := range p.catalogs.all {
		if err := p.execute(io.Discard, &view{pages: p, catalog: &p.catalogs.all[i], Page: page}); err != nil {
			return fmt.Errorf("in %s: %w", p.catalogs.all[i].tag, err)
		}
	}
	return nil
}

func (p *Pages) execute(w io.Writer, v *view) error {
	parsed := p.templates[v.Name()]
	if parsed == nil {
		return fmt.Errorf("there is no page %q", v.Name())
	}
	t, err := parsed()
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

func (p *Pages) loadAssets(files fs.FS) error {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return err
	}
	for _, e := range entries {
		kind := mime.TypeByExtension(path.Ext(e.Name()))
		if e.IsDir() || kind == "" {
			continue
		}
		b, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		p.assets[e.Name()] = &asset{body: b, mime: kind, hash: hex.EncodeToString(sum[:6])}
	}
	return nil
}

// Mount adds the static files.
func (p *Pages) Mount(r gin.IRouter) {
	for name, a := range p.assets {
		r.GET(p.base+"/assets/"+name, a.serve)
		r.HEAD(p.base+"/assets/"+name, a.serve)
	}
}

func (a *asset) serve(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("ETag", `"`+a.hash+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // of an SVG that is opened as a page
	if c.Query("v") == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "public, max-age=300")
	}
	h.Set("Content-Type", a.mime)
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(a.body))
}

// Locales are the tags of the languages that pages are there in.
func (p *Pages) Locales() []string {
	tags := make([]string, 0, len(p.catalogs.all))
	for i := range p.catalogs.all {
		tags = append(tags, p.catalogs.all[i].tag.String())
	}
	return tags
}

// Render writes a page as the whole answer. Where it returns an error,
// nothing was written.
func (p *Pages) Render(c *gin.Context, status int, page Page) error {
	about := page.about()
	v := &view{pages: p, catalog: p.catalogs.pick(about.Locales, c.GetHeader("Accept-Language")), Page: page}
	var b bytes.Buffer
	if err := p.execute(&b, v); err != nil {
		return fmt.Errorf("page %s: %w", about.name, err)
	}
	protect(c.Writer.Header(), about)
	c.Header("Content-Language", v.Lang())
	c.Header("Vary", "Accept-Language, Cookie")
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// protect sets the headers that keep a page from being framed, cached, read
// by other sites, or made to do anything that it does not do itself.
func protect(h http.Header, about traits) {
	policy := "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	if !about.onward { // browsers apply it to the redirects behind a form, too
		policy += "; form-action 'self'" + formTarget(about.RedirectURI)
		for _, scheme := range about.targets {
			policy += formTarget(scheme + "://upstream")
		}
	}
	if about.scripts {
		policy += "; script-src 'self'"
	}
	h.Set("Content-Security-Policy", policy+frameSources(about.frames))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with that, browsers send "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

// formTarget is the source expression for where a form may lead beyond us.
// Chromium applies form-action to each redirect that follows a form, also to
// those that the client's callback makes to hosts we do not know; so it is
// the scheme of the redirect URI that is allowed, and no more than that.
func formTarget(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" || strings.ContainsAny(u.Scheme, "; ,") {
		return ""
	}
	return " " + strings.ToLower(u.Scheme) + ":"
}

// frameSources lets a page frame just these URLs. An expression has no query;
// what could end it is in no URL that is fit.
func frameSources(uris []string) string {
	sources := ""
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err == nil && u.Host != "" && !strings.ContainsAny(u.Host+u.EscapedPath(), ";, ") {
			sources += " " + u.Scheme + "://" + u.Host + u.EscapedPath()
		}
	}
	if sources == "" {
		return ""
	}
	return "; frame-src" + sources
}

// overlay is two trees of which the first wins, file by file.
type overlay [2]fs.FS

// Open implements [fs.FS].
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o[0].Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o[1].Open(name)
	}
	return f, err
}

// ReadDir implements [fs.ReadDirFS].
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	own, err := fs.ReadDir(o[0], name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all, err := fs.ReadDir(o[1], name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	seen := map[string]bool{}
	for _, e := range own {
		seen[e.Name()] = true
	}
	for _, e := range all {
		if !seen[e.Name()] {
			own = append(own, e)
		}
	}
	return own, nil
}
