package registration

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/pairwise"
	"keyway/provider/wire"
)

// Param is the path parameter of [Endpoint.Manage], the client's id.
const Param = "client"

// Manage is the client configuration endpoint (RFC 7592, section 2). Whoever
// has not the client's registration access token learns nothing, not even
// whether there is such a client.
func (e *Endpoint) Manage(g *gin.Context) error {
	wire.NoStore(g)
	ctx := g.Request.Context()
	token, err := bearer(g.Request)
	if err != nil {
		return err
	}
	c, err := e.owned(ctx, g.Param(Param), token)
	if err != nil {
		return err
	}
	g.Set(wire.LogClient, c.ID)
	switch g.Request.Method {
	case http.MethodGet:
		e.answer(g, http.StatusOK, c, "", token)
		return nil
	case http.MethodPut:
		return e.update(g, c, token)
	case http.MethodDelete:
		if err := e.options.Delete(ctx, c.ID); err != nil && !errors.Is(err, identity.ErrNotFound) {
			return wire.Outage(err)
		}
		g.Status(http.StatusNoContent)
		g.Writer.WriteHeaderNow()
		return nil
	}
	return wire.MethodNotAllowed("GET, PUT, DELETE")
}

// owned finds the client that the token is for.
func (e *Endpoint) owned(ctx context.Context, id, token string) (*client.Client, error) {
	if token == "" {
		return nil, &wire.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Challenge: "Bearer", Bare: true}
	}
	if !client.ValidID(id) {
		return nil, stranger()
	}
	c, err := e.options.Storage.FindClient(ctx, id)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, stranger()
	case err != nil:
		return nil, wire.Outage(err)
	case !holds(c, token):
		return nil, stranger()
	}
	return c, nil
}

func holds(c *client.Client, token string) bool {
	return c.Dynamic() && !c.Disabled && equal(c.AccessTokenHash, token)
}

func stranger() error {
	return wire.Of("invalid_token", errors.New("not the registration access token of such a client"))
}

// update replaces what the client says of itself (RFC 7592, section 2.2). The
// registration access token stays: an answer that gets lost must not lock the
// client out.
func (e *Endpoint) update(g *gin.Context, c *client.Client, token string) error {
	r, err := read(g)
	if err != nil {
		return err
	}
	switch {
	case r.Managed != "":
		return told(refuse(r.Managed, "is not the client's to set"))
	case r.ClientID != c.ID:
		return told(refuse("client_id", "must be the client's"))
	}
	if err := e.options.Policy.Judge(&r.Metadata, c.Ceiling); err != nil {
		return told(err)
	}
	if wait, ok := e.changes.allow(e.options.PeerAddr(g.Request), e.options.Now()); !ok {
		return tooMany(g, wait)
	}
	ctx := g.Request.Context()
	if err := e.checkSector(ctx, &r.Metadata); err != nil {
		return err
	}
	shown := r.ClientSecret
	var stored *client.Client
	err = e.options.Storage.ChangeClient(ctx, c.ID, func(now *client.Client) error {
		if !holds(now, token) {
			return stranger()
		}
		if r.ClientSecret != "" && !slices.ContainsFunc(now.SecretHashes, func(h string) bool { return equal(h, r.ClientSecret) }) {
			return told(refuse("client_secret", "must be the client's, or be left out"))
		}
		if r.SubjectType != subjectType(now) { // it would learn who everybody is that it knows by another subject
			return told(refuse("subject_type", "cannot be changed"))
		}
		if made := reissue(now, r.AuthMethod); made != "" || len(now.SecretHashes) == 0 {
			shown = made
		}
		r.apply(now)
		stored = now
		return checked(now)
	}, e.event(g, "client_updated", c.ID))
	e.options.Changed(c.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return stranger()
	}
	if w := (*wire.Error)(nil); errors.As(err, &w) {
		return err
	}
	if err != nil {
		return wire.Outage(err)
	}
	e.answer(g, http.StatusOK, stored, shown, token)
	return nil
}

func subjectType(c *client.Client) string { return cmp.Or(c.SubjectType, pairwise.Public) }

// read parses the body of a request.
func read(g *gin.Context) (*Request, error) {
	media, _, err := mime.ParseMediaType(g.GetHeader("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, &wire.Error{Status: http.StatusBadRequest, Code: invalidMetadata, Description: "The body must be application/json."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(g.Writer, g.Request.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: invalidMetadata, Description: "The body is too large.", Cause: err}
	case err != nil:
		return nil, &wire.Error{Status: http.StatusBadRequest, Code: invalidMetadata, Description: "The body could not be read.", Cause: err}
	}
	r, err := Parse(body)
	return r, told(err)
}
