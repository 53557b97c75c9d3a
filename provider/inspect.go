package provider

import (
	"context"
	"errors"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/wire"
)

// Inspect returns what token is, read at once. Errors are [*identity.Failure]:
// invalid_token when it is unknown, expired_token when it has expired; with
// [ErrRevoked] in the chain when it was ended before its time. In the last two
// cases the token is returned as well. It does not ask the gate.
func (p *Provider) Inspect(ctx context.Context, token string) (*StoredToken, error) {
	if token == "" || len(token) > maxToken {
		return nil, identity.Failf(identity.ReasonInvalidToken, "token is empty or too long")
	}
	st, err := p.reads.FindToken(ctx, p.options.Storage, HashToken(token), p.options.Now())
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, identity.Failf(identity.ReasonInvalidToken, "token is unknown")
	case err != nil:
		return nil, wire.Outage(err)
	case !st.Grant.RevokedAt.IsZero(), st.Token.Used:
		return st, identity.Fail(identity.ReasonInvalidToken, ErrRevoked)
	case !p.options.Now().Before(st.Token.ExpiresAt):
		return st, identity.Failf(identity.ReasonExpiredToken, "token has expired")
	}
	if _, err := p.liveClient(ctx, st.Grant.ClientID); errors.Is(err, identity.ErrNotFound) {
		return st, identity.Failf(identity.ReasonInvalidToken, "client is gone or disabled")
	} else if err != nil {
		return nil, wire.Outage(err)
	}
	return st, nil
}

// askStay asks the gate whether the grant's user may stay.
func (p *Provider) askStay(ctx context.Context, st *StoredToken, q identity.Question) error {
	q.Moment, q.Subject, q.Status = identity.MomentStay, st.Grant.Subject, st.UserStatus
	if q.System == "" {
		q.System = st.Grant.System
	}
	client, err := p.liveClient(ctx, st.Grant.ClientID)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return wire.Outage(err)
	}
	q.NeedFactor = err == nil && client.RequireSecondFactor
	if q.NeedFactor || st.UserStatus == identity.StatusUnverified && !q.AllowUnverified {
		s, err := ParseSession(st.Grant.Session)
		if err != nil {
			s = new(Session) // says nothing in anybody's favour
		}
		q.Factor, q.AllowUnverified = factorState(s.Factor), q.AllowUnverified || s.Unverified
	}
	return p.options.Gate.Ask(ctx, q)
}

// InspectGrant returns the live grant behind an access token that a legacy
// system presents. Errors are [*identity.Failure]: invalid_token when it is
// unknown or not of this system; expired_token; [ErrRevoked] in the chain when
// it was ended before its time; and what the gate says of the user.
func (p *Provider) InspectGrant(ctx context.Context, q TokenQuery) (*Grant, error) {
	st, err := p.inspectOwn(ctx, q)
	if err != nil {
		return nil, err
	}
	err = p.askStay(ctx, st, identity.Question{
		System: q.Credentials.System, Client: q.Client, RemoteAddr: q.Credentials.RemoteAddr,
		AllowUnverified: q.Credentials.AllowUnverified,
	})
	if err == nil && st.Grant.Connector != "" {
		_, err = p.follow(ctx, federation.Question{
			Connector: st.Grant.Connector, Subject: st.Grant.Subject, Event: identity.Event{System: st.Grant.System, ClientID: st.Grant.ClientID},
		})
	}
	if err != nil {
		return nil, wire.AsFailure(err)
	}
	g := &Grant{
		ID: st.Grant.ID, ClientID: st.Grant.ClientID, AccessToken: q.Token,
		IssuedAt: st.Token.IssuedAt, ExpiresAt: st.Token.ExpiresAt, Scopes: st.Scopes(), Claims: st.Token.Claims,
	}
	if st.Grant.Subject == "" {
		return g, nil
	}
	g.User, err = p.options.Users.FindUser(ctx, st.Grant.Subject)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, identity.Failf(identity.ReasonInvalidToken, "user is gone")
	}
	if err != nil {
		return nil, wire.AsFailure(wire.Outage(err))
	}
	g.Account, err = p.account(ctx, q.AccountSystem, st.Grant.Subject)
	return g, err
}

// inspectOwn is Inspect for the access tokens of one client.
func (p *Provider) inspectOwn(ctx context.Context, q TokenQuery) (*StoredToken, error) {
	st, err := p.Inspect(ctx, q.Token)
	if st != nil && (st.Token.Kind != KindAccess || st.Grant.ClientID != q.Client) {
		return nil, identity.Failf(identity.ReasonInvalidToken, "not an access token of this system")
	}
	if err != nil {
		return nil, wire.AsFailure(err)
	}
	return st, nil
}

// account returns nil where the user has none.
func (p *Provider) account(ctx context.Context, system, subject string) (*identity.Account, error) {
	if system == "" {
		return nil, nil
	}
	a, err := p.options.Users.FindAccount(ctx, system, subject)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, wire.AsFailure(wire.Outage(err))
	}
	return a, nil
}

// RevokeGrant ends the grant behind an access token that a legacy system
// presents. Errors are those of [Provider.InspectGrant], but the gate is not
// asked: anybody may leave.
func (p *Provider) RevokeGrant(ctx context.Context, q TokenQuery) error {
	st, err := p.inspectOwn(ctx, q)
	if err != nil {
		return err
	}
	return wire.AsFailure(p.endGrant(ctx, st, q.Credentials, q.RequestID))
}

// endGrant revokes at somebody's wish.
func (p *Provider) endGrant(ctx context.Context, st *StoredToken, c identity.Credentials, requestID string) error {
	now := p.options.Now()
	e := &identity.Event{
		At: now, Kind: "token_revoked", Subject: st.Grant.Subject, System: st.Grant.System,
		ClientID: st.Grant.ClientID, GrantID: st.Grant.ID, RequestID: requestID,
	}
	if c.RemoteAddr.IsValid() {
		e.RemoteAddr = c.RemoteAddr.Unmap().String()
	}
	_, err := p.options.Storage.Revoke(ctx, RevokeQuery{GrantID: st.Grant.ID, Reason: "revoked", At: now, Event: e})
	return wire.Outage(err)
}

// LookupUser finds a user that a system with a key of its own asks for, and
// their account there, nil where there is none. Errors are
// [*identity.Failure]: invalid_client where the gate does not let the system be
// called from where the question comes; unknown_user where nobody is found, or
// who is found was deleted. A query that names nobody is unknown_user without
// a look into the database, once the gate has said its say.
//
// The gate is not asked about the user: nobody comes in. A legacy system shows
// its callers a user who is disabled or unverified as it shows any other.
func (p *Provider) LookupUser(ctx context.Context, q UserQuery) (*identity.User, *identity.Account, error) {
	err := p.options.Gate.Ask(ctx, identity.Question{Moment: identity.MomentStay, System: q.System, RemoteAddr: q.RemoteAddr})
	if err != nil {
		return nil, nil, wire.AsFailure(err)
	}
	subject, account, err := p.lookup(ctx, q)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil, identity.Failf(identity.ReasonUnknownUser, "nobody has this name or id")
	}
	if err != nil {
		return nil, nil, wire.AsFailure(wire.Outage(err))
	}
	u, err := p.options.Users.FindUser(ctx, subject)
	if errors.Is(err, identity.ErrNotFound) || err == nil && u.Status == identity.StatusDeleted {
		return nil, nil, identity.Failf(identity.ReasonUnknownUser, "user is gone")
	}
	if err != nil {
		return nil, nil, wire.AsFailure(wire.Outage(err))
	}
	if account == nil {
		account, err = p.account(ctx, q.AccountSystem, subject)
	}
	return u, account, err
}

func (p *Provider) lookup(ctx context.Context, q UserQuery) (string, *identity.Account, error) {
	if q.AccountID == "" && q.Username == "" {
		return "", nil, identity.ErrNotFound
	}
	if q.AccountID == "" {
		l, err := p.options.Users.FindLogin(ctx, q.Directory, identity.FoldName(q.Username))
		if err != nil {
			return "", nil, err
		}
		return l.User.Subject, nil, nil
	}
	if p.options.Accounts == nil {
		return "", nil, errors.New("accounts cannot be found by their ids")
	}
	a, err := p.options.Accounts.FindAccountByID(ctx, q.AccountSystem, q.AccountID)
	if err != nil {
		return "", nil, err
	}
	return a.Subject, a, nil
}
