package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// TestAttack25WhatAnUpstreamSaysStaysTextInLegacyShapes is row 25: no claim of an upstream
// splits a response, ends a string, or becomes markup in what an old app reads.
func TestAttack25WhatAnUpstreamSaysStaysTextInLegacyShapes(t *testing.T) {
	evil := map[string]string{
		"markup":        `<script>alert(1)</script><img src=x onerror=alert(1)>`,
		"a split":       "x\r\nSet-Cookie: session=evil\r\n\r\n<html>",
		"an end":        `","admin":true,"x":"`,
		"a template":    `{{ .User.Email }}{{ printf "%s" "x" }}`,
		"a separator":   "a\u2028b\u2029c\u0000d\u0007",
		"half a letter": "a\xff\xfeb",
		"a closing tag": `]]></name></response><response>`,
	}
	a := newAppsProgram(t)
	passwords := map[string]string{}
	for _, c := range fourCalls {
		passwords[c.system] = a.make(a.fay, c.system).Password
	}
	for name, text := range evil {
		t.Run(name, func(t *testing.T) {
			_, err := a.store.SaveFederated(t.Context(), saying(text), true)
			require.NoError(t, err)
			arrived := false
			for _, c := range fourCalls {
				w := a.call(c.system, "fay", passwords[c.system])
				require.Equal(t, http.StatusOK, w.Code, "%s: %s", c.system, w.Body)
				head, err := json.Marshal(w.Header())
				require.NoError(t, err)
				require.NotContains(t, string(head), "evil", c.system)
				require.Contains(t, w.Header().Get("Content-Type"), "json", "%s: no browser takes it for a page", c.system)
				var answer any
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), "%s: %s", c.system, w.Body)
				requireText(t, answer, text, &arrived)
			}
			require.True(t, arrived, "an old app reads it")
		})
	}
}

// saying is somebody of whom an upstream says text, wherever it may say anything.
func saying(text string) *identity.Federated {
	return &identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: "42", Email: "fay@example.com", EmailVerified: true,
		LoginName: identity.LoginName{Directory: "default", Name: "fay@example.com"},
		Claims:    map[string]any{"name": text, "given_name": text, "family_name": text, "nickname": text, "locale": text, "gender": text},
		Accounts: []identity.Account{
			{System: "faveo", ID: "70", Attributes: map[string]any{"user_name": text, "role": text, "first_name": text, "profile_pic": text}},
			{System: "ossn", ID: "20", Attributes: map[string]any{"icon_time": text}},
			{System: "crmcom", ID: "CRMDEMO/fay", Attributes: map[string]any{"organisation": "CRMDEMO", "unit": demoUnit, "name": text}},
			{System: "payhub", ID: "fay@example.com", Attributes: map[string]any{"apiKey": text, "name": text}},
		},
	}
}

// requireText requires that nothing of text became a member of its own.
func requireText(t *testing.T, answer any, text string, arrived *bool) {
	t.Helper()
	switch v := answer.(type) {
	case map[string]any:
		require.NotContains(t, v, "admin")
		for _, one := range v {
			requireText(t, one, text, arrived)
		}
	case []any:
		for _, one := range v {
			requireText(t, one, text, arrived)
		}
	case string:
		*arrived = *arrived || v == strings.NewReplacer("\xff", "\uFFFD", "\xfe", "\uFFFD").Replace(text)
	}
}
