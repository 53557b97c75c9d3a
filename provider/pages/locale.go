package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// fallbackLocale has every text; what another one lacks is taken from it.
const fallbackLocale = "en"

// maxLocaleHeader bounds what of Accept-Language and of ui_locales is read, in bytes.
const maxLocaleHeader = 256

// catalog is the texts of one language, from messages/<BCP 47 tag>.json.
type catalog struct {
	tag   language.Tag
	texts map[string]string
}

// catalogs are the texts of all languages, the fallback first.
type catalogs struct {
	all     []catalog
	matcher language.Matcher
}

// loadCatalogs reads the texts of all languages. Those of a later tree win,
// text by text.
func loadCatalogs(trees ...fs.FS) (*catalogs, error) {
	texts := map[string]map[string]string{}
	var problems []error
	for _, tree := range trees {
		names, err := fs.Glob(tree, "messages/*.json")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := addTexts(texts, tree, name); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if texts[fallbackLocale] == nil {
		return nil, errors.New("messages/" + fallbackLocale + ".json is missing")
	}
	c := &catalogs{all: []catalog{{tag: language.Make(fallbackLocale), texts: texts[fallbackLocale]}}}
	tags := []language.Tag{c.all[0].tag}
	delete(texts, fallbackLocale)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		c.all = append(c.all, catalog{tag: language.Make(name), texts: texts[name]})
		tags = append(tags, language.Make(name))
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func addTexts(texts map[string]map[string]string, tree fs.FS, name string) error {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
	if err != nil {
		return fmt.Errorf("the name is no language tag: %w", err)
	}
	b, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	var own map[string]string
	if err := json.Unmarshal(b, &own); err != nil {
		return err
	}
	if texts[tag.String()] == nil {
		texts[tag.String()] = map[string]string{}
	}
	maps.Copy(texts[tag.String()], own)
	return nil
}

// pick chooses by ui_locales, then by Accept-Language.
func (c *catalogs) pick(uiLocales, acceptLanguage string) *catalog {
	var wanted []language.Tag
	for _, s := range strings.Fields(capped(uiLocales)) {
		if tag, err := language.Parse(s); err == nil {
			wanted = append(wanted, tag)
		}
	}
	if accepted, _, err := language.ParseAcceptLanguage(capped(acceptLanguage)); err == nil {
		wanted = append(wanted, accepted...)
	}
	_, i, _ := c.matcher.Match(wanted...)
	return &c.all[i]
}

func capped(s string) string { return s[:min(len(s), maxLocaleHeader)] }

// text returns the text of a key, in which {1} is the first of args.
func (c *catalogs) text(in *catalog, key string, args ...any) (string, error) {
	text, ok := in.texts[key]
	if !ok {
		text, ok = c.all[0].texts[key]
	}
	if !ok {
		return "", fmt.Errorf("there is no message %q", key)
	}
	if len(args) == 0 {
		return text, nil
	}
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", fmt.Sprint(a))
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}

// has reports whether there is a text of the key in any language.
func (c *catalogs) has(key string) bool { return c.all[0].texts[key] != "" }

// at writes a time as the language does, in UTC: nothing says where the
// person is.
func (c *catalogs) at(in *catalog, t time.Time) (string, error) {
	layout, err := c.text(in, "format.time")
	return t.UTC().Format(layout), err
}
