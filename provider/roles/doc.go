// Package roles tells clients which roles a person has, as the mappings of the
// connectors say that they are linked by.
//
//	scope roles granted? ── links of the person ── connector there, and one of the client's? ── the client's filter ── a claim of its name
//
// A role is worth what the upstream is worth that gave it: a client that admits
// people of some connectors only is told of no other connector's roles.
package roles
