package codeflow_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

func TestWhatATokenEndpointSaysOfThePersonAndWhatOfUs(t *testing.T) {
	said := func(status int, code string) error {
		return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status}, ErrorCode: code, Body: []byte("secret")}
	}
	for name, c := range map[string]struct {
		err  error
		kind upstream.Kind
	}{
		"a grant that has ended is about the person":       {said(400, "invalid_grant"), upstream.Refused},
		"so is having to sign in there again":              {said(400, "interaction_required"), upstream.Refused},
		"and what comes with status 200 (GitHub)":          {said(200, "bad_refresh_token"), upstream.Refused},
		"our secret being wrong is not":                    {said(401, "invalid_client"), upstream.Unavailable},
		"nor is a client that may not do so":               {said(400, "unauthorized_client"), upstream.Unavailable},
		"nor is a proxy's page":                            {said(403, ""), upstream.Unavailable},
		"nor is a word that nobody knows":                  {said(400, "user_left"), upstream.Unavailable},
		"nor is being asked to wait":                       {said(429, "invalid_grant"), upstream.Unavailable},
		"nor is an outage":                                 {said(503, "invalid_grant"), upstream.Unavailable},
		"nor is a call that failed, whose URL is not told": {&url.Error{Op: "Post", URL: "https://secret", Err: errors.New("reset")}, upstream.Unavailable},
	} {
		err := codeflow.TokenError(c.err)
		require.Equal(t, c.kind, upstream.KindOf(err), name)
		require.NotContains(t, err.Error(), "secret", name)
		require.NotContains(t, err.Error(), "user_left", name)
	}
}
