package saml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzResponse changes an answer that holds. Whatever becomes of it, nobody but the
// person whom it was signed for comes in.
func FuzzResponse(f *testing.F) {
	s := newIDP(f)
	for _, what := range []string{"assertion", "response", "both", ""} {
		d := s.signed(f, what)
		f.Add(text(f, d))
		d.Root().AddChild(d.FindElement("//Assertion").Copy())
		f.Add(text(f, d))
	}
	f.Add([]byte(`<!DOCTYPE a><a/>`))
	f.Add([]byte(`<?xml version="1.0"?><samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><samlp:Status><samlp:StatusCode Value="x"/></samlp:Status></samlp:Response>`))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := s.exchange(t, document)
		if err != nil {
			require.Nil(t, p)
			return
		}
		require.Equal(t, "u1", p.Subject)
		require.Equal(t, map[string]any{"mail": "alice@corp.example", "groups": []any{"staff", "admins"}}, p.Claims)
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(metadataText)
	f.Add(`<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + strings.TrimPrefix(metadataText, `<?xml version="1.0"?>`) + `</md:EntitiesDescriptor>`)
	s := newIDP(f)
	f.Fuzz(func(t *testing.T, document string) {
		s.document = document + " "
		to, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
		if err == nil {
			require.True(t, strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://"), to)
		}
	})
}
