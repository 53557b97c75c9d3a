package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

// catalog is the texts of one language, from messages/<tag>.json.
type catalog struct {
	tag   language.Tag
	texts map[string]string
}

// catalogs are the texts of all languages, the fallback first.
type catalogs struct {
	all     []catalog
	matcher language.Matcher
}

func loadCatalogs(files fs.FS) (*catalogs, error) {
	names, err := fs.Glob(files, "messages/*.json")
	if err != nil {
		return nil, err
	}
	c := &catalogs{}
	var problems []error
	for _, name := range names {
		one, err := loadCatalog(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		c.all = append(c.all, one)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	first := slices.IndexFunc(c.all, func(one catalog) bool { return one.tag.String() == fallbackLocale })
	if first < 0 {
		return nil, errors.New("messages/" + fallbackLocale + ".json is missing")
	}
	c.all[0], c.all[first] = c.all[first], c.all[0]
	tags := make([]language.Tag, 0, len(c.all))
	for _, one := range c.all {
		tags = append(tags, one.tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func loadCatalog(files fs.FS, name string) (catalog, error) {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
	if err != nil {
		return catalog{}, fmt.Errorf("the name is no language tag: %w", err)
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return catalog{}, err
	}
	one := catalog{tag: tag}
	return one, json.Unmarshal(b, &one.texts)
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
