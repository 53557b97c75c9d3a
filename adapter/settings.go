package adapter

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

var settingTypes = []SettingType{
	SettingString, SettingSecret, SettingBool, SettingInt, SettingDuration, SettingURL,
}

func (c *compiler) checkSettings() {
	for _, name := range sortedKeys(c.s.Settings) {
		declared, at := c.s.Settings[name], []string{"settings", name}
		if !slices.Contains(settingTypes, declared.Type) {
			c.problem(append(at, "type"), "unknown type %q; one of string, secret, bool, int, duration, url", declared.Type)
			continue
		}
		if strings.ContainsAny(name, " .:-") || name == "" {
			c.problem(at, "a setting's name is made of letters, digits and _")
		}
		if declared.Default == nil {
			continue
		}
		if declared.Type == SettingSecret {
			c.problem(append(at, "default"), "a secret has no default")
			continue
		}
		if _, err := declared.convert(declared.Default); err != nil {
			c.problem(append(at, "default"), "%s", err)
		}
	}
}

// sampleSettings is a value for every setting; with is whether switches are
// on and optional texts set.
func (c *compiler) sampleSettings(with bool) map[string]any {
	out := map[string]any{}
	for name, declared := range c.s.Settings {
		out[name] = declared.zero()
		if declared.Default != nil {
			out[name], _ = declared.convert(declared.Default)
		}
		switch {
		case declared.Type == SettingBool:
			out[name] = with
		case out[name] == "" && (with || declared.Required):
			out[name] = "sample"
		}
	}
	return out
}

func (d Setting) zero() any {
	switch d.Type {
	case SettingBool:
		return false
	case SettingInt:
		return int64(0)
	case SettingDuration:
		return time.Duration(0)
	default:
		return ""
	}
}

// convert makes a value of the setting's type. Its error never quotes a
// secret.
func (d Setting) convert(v any) (any, error) {
	text := toText(v)
	switch d.Type {
	case SettingBool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("this must be true or false")
	case SettingInt:
		n, err := toInt(v)
		if _, isText := v.(string); err != nil || isText {
			return nil, fmt.Errorf("this must be a whole number")
		}
		return n, nil
	case SettingDuration:
		return toDuration(v)
	case SettingURL:
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("this must be a URL that begins with http:// or https://")
		}
	case SettingString, SettingSecret:
	}
	switch v.(type) {
	case map[string]any, []any, nil:
		return nil, fmt.Errorf("this must be text")
	}
	if len(d.OneOf) > 0 && !slices.Contains(d.OneOf, text) {
		return nil, fmt.Errorf("this must be one of %s", strings.Join(d.OneOf, ", "))
	}
	return text, nil
}

func toDuration(v any) (time.Duration, error) {
	if d, ok := v.(time.Duration); ok {
		return d, nil
	}
	d, err := time.ParseDuration(toText(v))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("this must be a duration such as 60s or 4m")
	}
	return d, nil
}

// settings resolves what an operator set against what the system declares.
func (s *System) settings(given map[string]any) (map[string]any, []string) {
	out := map[string]any{}
	var wrong []string
	for _, name := range sortedKeys(given) {
		if _, ok := s.Settings[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("settings.%s: unknown setting%s", name, suggest(name, sortedKeys(s.Settings))))
		}
	}
	for _, name := range sortedKeys(s.Settings) {
		declared := s.Settings[name]
		value, set := given[name]
		if !set || value == nil {
			value = declared.Default
		}
		if value == nil || value == "" && declared.Type != SettingURL {
			out[name] = declared.zero()
			if declared.Required {
				wrong = append(wrong, fmt.Sprintf("settings.%s: this setting is required", name))
			}
			continue
		}
		converted, err := declared.convert(value)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("settings.%s: %s", name, err))
		}
		out[name] = converted
	}
	return out, wrong
}
