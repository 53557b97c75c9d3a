package config

import (
	"fmt"
	"maps"
	"slices"
)

// ConnectorLegacy says how an old server is asked by its own login call.
type ConnectorLegacy struct {
	URL      string         `yaml:"url" doc:"Where it is: what stands before the path of its login call. It is also the issuer of its people, unless issuer is given."`
	Preset   string         `yaml:"preset" doc:"The folder of a legacy system whose upstream.yaml describes the call, such as faveo, ossn, crmcom or payhub; a mapping that is written here wins over the one there."`
	File     string         `yaml:"file" doc:"A description of your own, instead of a preset."`
	Settings map[string]any `yaml:"settings" doc:"What the description wants to know of this server; a string that begins with env: or file: is a secret's reference."`
}

const typeLegacy = "legacy"

func (l *ConnectorLegacy) used() bool { return l.URL != "" || l.Preset != "" || l.File != "" }

func (x *Connector) legacyRules(at string, w world) []rule {
	l := &x.Legacy
	if x.Type != typeLegacy {
		return []rule{{at + "legacy", l.used(), "is of no use for type " + x.Type, "write type: legacy"}}
	}
	u, ok := parseURL(l.URL)
	rs := []rule{
		{at + "legacy.url", l.URL == "", "is required", ""},
		{at + "legacy.url", l.URL != "" && (!ok || u.User != nil || u.RawQuery != "" || u.Fragment != ""), "must be an https URL without user, query and fragment", ""},
		{at + "legacy.url", ok && u.Scheme != "https" && !isLoopback(u.Hostname()), "must be an https URL: passwords go there", "put a proxy with TLS before a server that has none"},
		{at + "legacy.preset", l.Preset == "" && l.File == "", "is required", "write preset: faveo, or file with a description of your own"},
		{at + "legacy.preset", l.Preset != "" && l.File != "", "does not go with file", "keep one of them"},
		{at + "legacy.preset", l.Preset != "" && !templateName.MatchString(l.Preset), "must be the name of a legacy system's folder", ""},
		{at + "domains", len(x.Domains) > 0, "is of no use: nobody's browser goes to an old server", "write a rule with these domains under verifiers"},
		w.fileRule(at+"legacy.file", l.File),
	}
	for _, name := range slices.Sorted(maps.Keys(l.Settings)) {
		switch l.Settings[name].(type) {
		case string, Secret, int64, bool:
		default:
			rs = append(rs, rule{fmt.Sprintf("%slegacy.settings.%s", at, name), true, "must be a text, a whole number, true or false", ""})
		}
	}
	return rs
}
