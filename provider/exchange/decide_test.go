package exchange_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
)

const (
	ours   = "https://id.example.com"
	caller = "orders"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestNarrowScopes(t *testing.T) {
	for _, c := range []struct {
		name                      string
		asked, granted, may, want []string
		refused                   bool
	}{
		{"without any asked for, what both have", nil, []string{"a", "b", "c"}, []string{"c", "a", "d"}, []string{"a", "c"}, false},
		{"what is asked for", []string{"a"}, []string{"a", "b"}, []string{"a", "b"}, []string{"a"}, false},
		{"more than was granted", []string{"a", "d"}, []string{"a", "b"}, []string{"a", "b", "d"}, nil, true},
		{"more than the caller may have", []string{"b"}, []string{"a", "b"}, []string{"a"}, nil, true},
		{"nothing in common", nil, []string{"a"}, []string{"b"}, nil, true},
		{"a token without scopes", nil, nil, []string{"b"}, nil, false},
		{"no scope out of none", []string{"b"}, nil, []string{"b"}, nil, true},
		{"offline_access is left out", nil, []string{"a", "offline_access"}, []string{"a", "offline_access"}, []string{"a"}, false},
		{"offline_access is refused", []string{"offline_access"}, []string{"offline_access"}, []string{"offline_access"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := exchange.NarrowScopes(c.asked, c.granted, c.may)
			if c.refused {
				wantCode(t, err, "invalid_scope")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestNarrowAudience(t *testing.T) {
	for _, c := range []struct {
		name                      string
		asked, granted, may, want []string
		refused                   bool
	}{
		{"without any asked for, what both have", nil, []string{"a", "b"}, []string{"b", "c"}, []string{"b"}, false},
		{"what is asked for", []string{"b"}, []string{"a", "b"}, []string{"a", "b"}, []string{"b"}, false},
		{"beyond the token", []string{"c"}, []string{"a"}, []string{"a", "c"}, nil, true},
		{"beyond the caller", []string{"a"}, []string{"a"}, []string{"c"}, nil, true},
		{"a token for everybody, for what the caller may target", nil, nil, []string{"a", "b"}, []string{"a", "b"}, false},
		{"a token for everybody, for one of them", []string{"a"}, nil, []string{"a", "b"}, []string{"a"}, false},
		{"a token for everybody and a caller without a ceiling", []string{"a"}, nil, nil, nil, true},
		{"a token for some never becomes one for everybody", nil, []string{"a"}, nil, nil, true},
		{"nothing in common", nil, []string{"a"}, []string{"b"}, nil, true},
		{"nobody named at all", nil, nil, nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := exchange.NarrowAudience(exchange.Targets{Audiences: c.asked}, c.granted, c.may)
			if c.refused {
				wantCode(t, err, "invalid_target")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestDecide(t *testing.T) {
	who := exchange.Caller{ID: caller, Issuer: ours, Scopes: []string{"read"}, Audience: []string{"stock"}}
	person := exchange.Party{Subject: "alice", Client: "web", Scopes: []string{"read", "write"}, Expires: noon}
	self := &exchange.Party{Client: caller}
	chain := func(names ...string) *exchange.Actor {
		var a *exchange.Actor
		for _, n := range names {
			a = &exchange.Actor{Subject: n, Act: a}
		}
		return a
	}
	with := func(change func(*exchange.Party)) exchange.Party { p := person; change(&p); return p }
	may := func(claim map[string]any) exchange.Party { return with(func(p *exchange.Party) { p.MayAct = claim }) }

	for _, c := range []struct {
		name    string
		subject exchange.Party
		actor   *exchange.Party
		want    *exchange.Decision // nil: refused
	}{
		{"impersonation names no actor", person, nil, &exchange.Decision{}},
		{"delegation names the caller", person, self, &exchange.Decision{Act: chain(caller)}},
		{
			"who acted before stays in the chain", with(func(p *exchange.Party) { p.Act = chain("first", "second") }), self,
			&exchange.Decision{Act: chain("first", "second", caller)},
		},
		{"impersonation keeps the chain", with(func(p *exchange.Party) { p.Act = chain("first") }), nil, &exchange.Decision{Act: chain("first")}},
		{"a chain of more than five is refused", with(func(p *exchange.Party) { p.Act = chain("1", "2", "3", "4", "5") }), self, nil},
		{"the caller's own token may be narrowed", with(func(p *exchange.Party) { p.Subject, p.Client = "", caller }), nil, &exchange.Decision{}},
		{"another client's own token is refused", with(func(p *exchange.Party) { p.Subject = "" }), nil, nil},
		{"a person is no actor", person, &exchange.Party{Subject: "bob", Client: caller}, nil},
		{"another client's token is no actor token", person, &exchange.Party{Client: "web"}, nil},
		{"a delegated token is no actor token", person, &exchange.Party{Client: caller, Act: chain("x")}, nil},
		{"may_act that names the caller lets it act", may(map[string]any{"sub": caller, "iss": ours}), self, &exchange.Decision{
			Act: chain(caller), MayAct: map[string]any{"sub": caller, "iss": ours},
		}},
		{"may_act holds for impersonation too", may(map[string]any{"client_id": "another"}), nil, nil},
		{"may_act that names another is refused", may(map[string]any{"sub": "another"}), self, nil},
		{"may_act of another issuer is refused", may(map[string]any{"sub": caller, "iss": "https://other.example"}), self, nil},
		{"may_act that cannot be judged is refused", may(map[string]any{"sub": caller, "email": "x@example.com"}), self, nil},
		{"may_act that names nobody is refused", may(map[string]any{}), self, nil},
		{"may_act with a member of another type is refused", may(map[string]any{"sub": []any{caller}}), self, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := exchange.Decide(&exchange.Request{}, who, c.subject, c.actor)
			if c.want == nil {
				wantCode(t, err, "invalid_request")
				return
			}
			require.NoError(t, err)
			c.want.Scopes, c.want.Audience, c.want.Expires = []string{"read"}, []string{"stock"}, noon
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
	t.Run("scopes and targets are judged", func(t *testing.T) {
		_, err := exchange.Decide(&exchange.Request{Scopes: []string{"write"}}, who, person, nil)
		wantCode(t, err, "invalid_scope")
		_, err = exchange.Decide(&exchange.Request{Targets: exchange.Targets{Resources: []string{"https://else.example"}}}, who, person, nil)
		wantCode(t, err, "invalid_target")
	})
}
