package contract

import (
	"context"

	"keyway/provider"
	"keyway/provider/identity"
)

// InspectGrant implements [adapter.Granter].
func (s *Stage) InspectGrant(_ context.Context, q provider.TokenQuery) (*provider.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return nil, err
	}
	t, err := s.find(q)
	if err != nil {
		return nil, err
	}
	if refused := statusReason(t.person.user.Status, q.Credentials.AllowUnverified); refused != "" {
		return nil, identity.Failf(refused, "the status refuses")
	}
	grant := t.grant
	grant.Account = t.person.accounts[q.AccountSystem]
	return &grant, nil
}

func (s *Stage) find(q provider.TokenQuery) (*stagedToken, error) {
	t := s.tokens[q.Token]
	switch {
	case t == nil || t.grant.ClientID != q.Client:
		return nil, identity.Failf(identity.ReasonInvalidToken, "no such token")
	case t.revoked:
		return nil, identity.Fail(identity.ReasonInvalidToken, provider.ErrRevoked)
	case !s.clock.Before(t.grant.ExpiresAt):
		return nil, identity.Failf(identity.ReasonExpiredToken, "expired")
	}
	return t, nil
}

// RevokeGrant implements [adapter.Granter].
func (s *Stage) RevokeGrant(_ context.Context, q provider.TokenQuery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	t, err := s.find(q)
	if err != nil {
		return err
	}
	t.revoked = true
	return nil
}

// LookupUser implements [adapter.Granter].
func (s *Stage) LookupUser(_ context.Context, q provider.UserQuery) (*identity.User, *identity.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return nil, nil, err
	}
	for _, p := range s.people {
		account := p.accounts[q.AccountSystem]
		byID := q.AccountID != "" && account != nil && account.ID == q.AccountID
		byName := q.AccountID == "" && s.names[[2]string{q.Directory, identity.FoldName(q.Username)}] == p
		if byID || byName {
			user := p.user
			return &user, account, nil
		}
	}
	return nil, nil, identity.Failf(identity.ReasonUnknownUser, "nobody of this name or id")
}
