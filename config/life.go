package config

import (
	"fmt"
	"slices"
	"time"
)

// Life is what becomes of a connector's people after they signed in.
type Life struct {
	Recheck    time.Duration `yaml:"recheck" default:"5m" min:"1s" max:"24h" doc:"How old the upstream's word on somebody may be before it is asked again: at refreshes, exchanges, calls of legacy systems, and when they come back with their browser."`
	WhenAway   WhenAway      `yaml:"when_away" doc:"What holds while the upstream does not answer."`
	MaxSession time.Duration `yaml:"max_session" default:"0s" min:"0s" doc:"Where the upstream cannot be asked, because it gave no refresh token: how long after their sign-in its people have to sign in anew. 0s: as all others."`
	KeepTokens bool          `yaml:"keep_tokens" default:"false" doc:"Whether the upstream's access token is kept, sealed, for clients with may_take_upstream."`
	Logout     bool          `yaml:"logout" default:"false" doc:"Whether who signs out here is taken to sign out there; register ISSUER/login/signed-out/ID there as post logout redirect URI."`
}

// WhenAway is what holds while an upstream does not answer.
type WhenAway struct {
	AllowFor time.Duration `yaml:"allow_for" default:"1h" min:"0s" max:"720h" doc:"How old its last word on somebody may be then. After that, clients are told to try again later; nobody loses anything."`
}

func (l *Life) rules(at string) []rule {
	return []rule{{
		at + "when_away.allow_for", l.WhenAway.AllowFor > 0 && l.WhenAway.AllowFor < l.Recheck, "is shorter than recheck", "write 0s for no time at all",
	}}
}

// takeRules are about clients that may have the tokens of upstreams.
func (c *Config) takeRules() []rule {
	var rs []rule
	for i, x := range c.Clients {
		at := fmt.Sprintf("clients[%d].may_take_upstream", i)
		rs = append(rs, rule{at, len(x.MayTakeUpstream) > 0 && !x.MayExchange, "needs may_exchange: true", ""})
		rs = append(rs, listRules(at, x.MayTakeUpstream, c.keepsTokens, "is not the id of a connector that keeps tokens", "write life: {keep_tokens: true} there")...)
	}
	return rs
}

func (c *Config) keepsTokens(id string) bool {
	return slices.ContainsFunc(c.Connectors, func(x Connector) bool { return x.ID == id && x.Life.KeepTokens })
}
