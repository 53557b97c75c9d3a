package adapter

import (
	"context"
	"errors"

	"keyway/provider"
	"keyway/provider/identity"
)

func (x *exchange) query() provider.TokenQuery {
	return provider.TokenQuery{
		Client: x.m.client, Token: x.token, AccountSystem: x.m.accounts, RequestID: x.view.Request.ID,
		Credentials: identity.Credentials{
			System: x.m.name, Client: x.m.client, RemoteAddr: x.from, AllowUnverified: x.m.system.Login.AllowUnverified,
		},
	}
}

// inspect finds the grant behind the presented token.
func (a *Adapter) inspect(ctx context.Context, x *exchange) Outcome {
	v, ok := x.in.find(x.route.token)
	if !ok || v.text == "" {
		return OutcomeTokenMissing
	}
	x.token = v.text
	var told legacyJWT
	if x.m.system.prepared.claims != nil {
		var o Outcome
		if told, o = readLegacyJWT(x.token, x.m.secret, x.view.Now); o != "" {
			return o
		}
	}
	grant, err := a.granter.InspectGrant(ctx, x.query())
	if err != nil {
		return a.explain(ctx, x, told, err)
	}
	if grant.User == nil || x.m.system.Login.NeedAccount && grant.Account == nil {
		return OutcomeUnknownUser
	}
	x.know(grant)
	if x.refused != "" {
		x.forget()
		return x.refused
	}
	return x.matches()
}

// explain tells why a token that the legacy system's own key signed, and that
// has not expired, opens nothing: its user is gone, or it was ended.
func (a *Adapter) explain(ctx context.Context, x *exchange, told legacyJWT, err error) Outcome {
	o := x.failed(err)
	if o != OutcomeInvalidToken || x.m.system.prepared.claims == nil || told.subject == "" {
		return o
	}
	_, _, err = a.granter.LookupUser(ctx, provider.UserQuery{
		AccountSystem: x.m.accounts, AccountID: cleanText(told.subject),
		System: x.m.name, RemoteAddr: x.from, RequestID: x.view.Request.ID,
	})
	switch identity.ReasonOf(err) {
	case "":
		return OutcomeTokenRevoked
	case identity.ReasonUnknownUser:
		return OutcomeUnknownUser
	default: // nobody can tell
		return o
	}
}

// matches compares the fields that must agree with the account.
func (x *exchange) matches() Outcome {
	for _, f := range x.route.fields {
		text := x.view.Request.Field[f.name]
		if f.Match == "" || text == "" {
			continue
		}
		if x.view.Account == nil || !AttributeHas(x.view.Account.Attributes[f.Match], text) {
			x.forget()
			return f.Mismatch
		}
	}
	return OutcomeSuccess
}

// lookup finds the user that a system with a key of its own names.
func (a *Adapter) lookup(ctx context.Context, x *exchange) Outcome {
	directory := x.m.directory
	if directory == "" {
		var err error
		if directory, err = x.m.system.prepared.directory.render(&x.view); err != nil {
			return x.failed(err)
		}
	}
	q := provider.UserQuery{
		AccountSystem: x.m.accounts, Directory: directory,
		System: x.m.name, RemoteAddr: x.from, RequestID: x.view.Request.ID,
	}
	q.AccountID = x.firstField(x.route.Lookup.AccountID)
	if q.AccountID == "" {
		q.Username = x.firstField(x.route.Lookup.LoginName)
	}
	if q.AccountID == "" && q.Username == "" {
		return OutcomeInvalidRequest
	}
	user, account, err := a.granter.LookupUser(ctx, q)
	if err == nil && user == nil {
		err = errors.New("the lookup found nobody and said nothing")
	}
	if err != nil {
		return x.failed(err)
	}
	if x.m.system.Login.NeedAccount && account == nil {
		return OutcomeUnknownUser
	}
	x.view.User, x.view.Account = user, account
	return x.matches()
}

func (x *exchange) firstField(names []string) string {
	for _, name := range names {
		if text := x.view.Request.Field[name]; text != "" {
			return text
		}
	}
	return ""
}
