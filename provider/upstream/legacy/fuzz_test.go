package legacy_test

import (
	"testing"

	"keyway/provider/upstream"
	"keyway/provider/upstream/legacy"
)

// FuzzAnswer holds that whatever a server says is a person with an id, or an error
// of a connector.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"id":7}`, `{"id":"x","why":"wrong"}`, `{"id":1e999}`, `[[[[`, `{"id":null}`, "\xff", `"no"`, `{"id":{"id":1}}`} {
		f.Add(200, "old", []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, why string, body []byte) {
		p, err := legacy.JudgeAnswer(described(), status, why, body)
		if err == nil && (p.Subject == "" || len(p.Subject) > 255 || p.Claims == nil || status >= 500) {
			t.Errorf("%+v of %q", p, body)
		}
		if _, ok := err.(*upstream.Error); err != nil && !ok { //nolint:errorlint // connectors return it unwrapped
			t.Errorf("%T %v", err, err)
		}
	})
}
