package provider

import (
	"context"
	"errors"
	"net/http"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"

	"keyway/provider/identity"
	"keyway/provider/wire"
)

// deviceHandler is the device code grant (RFC 8628, section 3.4). The grant was
// made when a person allowed it; here it gets its tokens.
type deviceHandler struct {
	*fositeoauth2.HandleHelper
	provider *Provider
}

var _ fosite.TokenEndpointHandler = (*deviceHandler)(nil)

// CanSkipClientAuth implements [fosite.TokenEndpointHandler].
func (*deviceHandler) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (*deviceHandler) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(grantDevice)
}

// HandleTokenEndpointRequest judges the device code and resumes its grant.
func (h *deviceHandler) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u := unitFrom(ctx)
	ar, ours := r.(*fosite.AccessRequest)
	if u == nil || u.caller == nil || !ours {
		return fosite.ErrServerError.WithWrap(errNoUnit)
	}
	code := ar.Form.Get("device_code")
	if code == "" || len(code) > maxToken {
		return fosite.ErrInvalidRequest.WithHint("The parameter device_code is missing or too long.")
	}
	st, err := h.find(ctx, u.caller, HashToken(code))
	if err != nil {
		return err
	}
	session, err := h.provider.resumeSession(u.caller, &st.Grant)
	if err != nil {
		return fosite.ErrServerError.WithWrap(err)
	}
	ar.SetID(st.Grant.ID)
	ar.SetSession(session)
	ar.GrantedAudience = st.Grant.Audience
	for _, scope := range st.Grant.Scopes {
		if contains(u.caller.GetScopes(), scope) { // the client may have lost some
			ar.GrantScope(scope)
		}
	}
	u.device = st
	return nil
}

// find returns the record if it may be redeemed. A poll of another client
// changes nothing.
func (h *deviceHandler) find(ctx context.Context, c *fositeClient, hash Hash) (*StoredDevice, error) {
	o := &h.provider.options
	st, err := o.Storage.FindDeviceGrant(ctx, hash)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, invalidGrant("unknown device code")
	}
	if err != nil {
		return nil, wire.Outage(err)
	}
	code := st.Device.Judge(c.ID, o.Now())
	switch {
	case code == "" && st.Grant.RevokedAt.IsZero():
		return st, nil
	case code == "":
		return nil, invalidGrant("grant is revoked")
	case code == "authorization_pending":
		if tooSoon, err := o.Storage.PollDevice(ctx, hash, o.Now()); err != nil {
			return nil, wire.Outage(err)
		} else if tooSoon {
			code = "slow_down"
		}
	}
	e := wire.Of(code, nil)
	e.Status = http.StatusBadRequest // access_denied, too (RFC 6749, section 5.2)
	return nil, e
}

// PopulateTokenEndpointResponse makes the tokens; the ID token is made after it.
func (h *deviceHandler) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	u, p := unitFrom(ctx), h.provider
	if u == nil || u.device == nil {
		return fosite.ErrServerError.WithWrap(errNoUnit)
	}
	hash := Hash(u.device.Device.Hash)
	u.issue.GrantID, u.issue.RedeemDevice = u.device.Grant.ID, &hash
	signature, err := h.IssueAccessToken(ctx, p.options.Lifetimes.Access, r, w)
	if err != nil || !contains(r.GetGrantedScopes(), scopeOffline) || !u.caller.mayUse(grantRefresh) {
		return err
	}
	refresh, refreshSignature, err := p.tokens.GenerateRefreshToken(ctx, r)
	if err != nil {
		return err
	}
	w.SetExtra("refresh_token", refresh)
	return p.fositeStore.CreateRefreshTokenSession(ctx, refreshSignature, signature, r)
}
