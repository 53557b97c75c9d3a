package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a page may take, in the worst case.
const patience = 45 * time.Second

// axe is axe-core, which finds what keeps people with impairments out.
//
//go:embed testdata/axe/axe.min.js
var axe string

// chromium is the browser's program. Without one the test is skipped, except
// where CI=true, where it fails.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "the browser tests need Chromium; install it, for instance with: sudo apt-get install chromium"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// startBrowser starts one Chromium, which ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() { _ = chromedp.Cancel(browser); stopBrowser(); stopAllocator() })
	require.NoError(t, chromedp.Do(browser))
	return browser
}

// person is somebody before a browser of their own, without cookies.
type person struct {
	*testing.T
	ctx context.Context
	url string // of the demo
}

func newPerson(browser context.Context, t *testing.T, url string) *person {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	p := &person{T: t, ctx: ctx, url: url}
	require.NoError(t, chromedp.Do(ctx))
	return p
}

// do takes steps, and shows the page where one of them fails.
func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		at, _ := chromedp.Run(p.ctx, chromedp.Location())
		page, _ := chromedp.Run(p.ctx, chromedp.OuterHTML(chromedp.CSS("body")))
		p.Fatalf("%v\nat %s\n%s", err, at, page)
	}
}

func (p *person) open(path string) { p.Helper(); p.do(chromedp.Navigate(p.url + path)) }

// sees waits for an element.
func (p *person) sees(id string) { p.Helper(); p.do(chromedp.WaitVisible(chromedp.ID(id))) }

// presses an element, and waits for one of the page that follows.
func (p *person) presses(id, next string) {
	p.Helper()
	p.do(chromedp.Click(chromedp.ID(id)), chromedp.WaitVisible(chromedp.ID(next)))
}

// enters a text instead of what a field has, key by key. The driver's own way
// (Clear, SendKeys) reads a field's attributes while it writes them.
func (p *person) enters(id, text string) {
	p.Helper()
	field := chromedp.ID(id)
	empty := chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).value = ""; undefined`, id))
	p.do(chromedp.WaitVisible(field), empty, chromedp.Focus(field), chromedp.KeyEvent(text))
}

// reads the visible text of an element.
func (p *person) reads(id string) string {
	p.Helper()
	p.sees(id)
	return answerOf(p, chromedp.Text(chromedp.ID(id)))
}

// answerOf runs one action that has a value.
func answerOf[T any](p *person, a chromedp.Action[T]) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	require.NoError(p, err)
	return v
}

func (p *person) at() string { p.Helper(); return answerOf(p, chromedp.Location()) }

// signsIn fills in the login page, which must be open.
func (p *person) signsIn(username, password, next string) {
	p.Helper()
	p.sees("login-form")
	p.enters("username", username)
	p.enters("password", password)
	p.presses("login-submit", next)
}

// speaks makes the browser ask for a language.
func (p *person) speaks(language string) {
	p.Helper()
	_, err := chromedp.Call(p.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
	require.NoError(p, err)
}

// prefers light or dark.
func (p *person) prefers(scheme string) {
	p.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(p, err)
}

// runsNoScripts switches JavaScript off.
func (p *person) runsNoScripts() {
	p.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(p, err)
}

// holds a screen of a width in CSS pixels.
func (p *person) holds(width int64) {
	p.Helper()
	p.do(chromedp.EmulateViewport(width, 740, chromedp.EmulateMobile))
}

// accessible asks axe about the page that is open.
func (p *person) accessible() {
	p.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](axe + ";undefined"))
	found := answerOf(p, chromedp.Evaluate[string](
		`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, at: v.nodes.map(n => n.html + " " + n.failureSummary)}))))`,
		chromedp.EvalAwaitPromise))
	var violations []struct {
		ID, Help string
		At       []string
	}
	require.NoError(p, json.Unmarshal([]byte(found), &violations))
	for _, v := range violations {
		p.Errorf("%s: %s: %s\n%s", p.at(), v.ID, v.Help, strings.Join(v.At, "\n"))
	}
}

// fits wants nothing wider than the screen.
func (p *person) fits() {
	p.Helper()
	wide := answerOf(p, chromedp.Evaluate[string](
		`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 120)).join("\n")`))
	require.Empty(p, wide, fmt.Sprintf("wider than the screen at %s", p.at()))
}
