package config

import "fmt"

// SecondFactor says who needs a second factor.
type SecondFactor struct {
	Mode  string   `yaml:"mode" default:"optional" enum:"off optional required" doc:"off: there are none. optional: who has set one up is asked for it. required: everybody needs one, and is led to set it up."`
	Roles []string `yaml:"roles" doc:"Whoever has one of these roles, by the mapping of a connector, needs one."`
}

// modeOff is that of [SecondFactor] without second factors.
const modeOff = "off"

// secondFactorRules are about what asks for a second factor where there are none.
func (c *Config) secondFactorRules() []rule {
	off := c.SecondFactor.Mode == modeOff
	const hint = "leave it away, or set second_factor.mode"
	rs := []rule{{"second_factor.roles", off && len(c.SecondFactor.Roles) > 0, "is of no use where second_factor.mode is off", ""}}
	for i, x := range c.Clients {
		rs = append(rs, rule{fmt.Sprintf("clients[%d].require_second_factor", i), off && x.RequireSecondFactor, "would let nobody in: there are no second factors", hint})
	}
	for i, x := range c.Connectors {
		at := fmt.Sprintf("connectors[%d].", i)
		rs = append(rs,
			rule{at + "require_second_factor", off && x.RequireSecondFactor, "is of no use: there are no second factors", hint},
			rule{at + "second_factor_acr", len(x.FactorACR) > 0 && !x.TrustSecondFactor, "is of no use without trust_second_factor", ""})
	}
	for i, x := range c.Systems {
		rs = append(rs, rule{fmt.Sprintf("systems[%d].second_factor", i), off && x.SecondFactor == "appended", "is of no use: there are no second factors", hint})
	}
	return rs
}
