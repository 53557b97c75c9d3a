package roles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"keyway/provider/client"
	"keyway/provider/identity"
)

// Scope opens the roles, and Claim is what they are called unless the client calls
// them otherwise (RFC 9068, section 2.2.3.1).
const (
	Scope = "roles"
	Claim = "roles"
)

// Links are where people have their roles from.
type Links interface {
	// ListLinks is [identity.Links.ListLinks].
	ListLinks(ctx context.Context, subject string) ([]identity.Link, error)
}

// Options are what a [Teller] needs; both must be given.
type Options struct {
	Links Links
	Live  func(connector string) bool // false for one that is disabled or gone
}

// Teller tells of roles. A nil one has nothing to tell.
type Teller struct{ options Options }

// New returns a Teller.
func New(o Options) (*Teller, error) {
	if o.Links == nil || o.Live == nil {
		return nil, errors.New("roles: links and the live connectors must be given")
	}
	return &Teller{options: o}, nil
}

// Tell returns the name of the claim and the roles, sorted; "" where the scopes do
// not open them, or nobody is told of. An error is one of storage.
func (t *Teller) Tell(ctx context.Context, c *client.Client, subject string, scopes []string) (name string, told []string, err error) {
	if t == nil || subject == "" || !slices.Contains(scopes, Scope) {
		return "", nil, nil
	}
	links, err := t.options.Links.ListLinks(ctx, subject)
	if err != nil {
		return "", nil, fmt.Errorf("roles: %w", err)
	}
	told = []string{}
	for _, l := range links {
		if !l.RefusedAt.IsZero() || !t.options.Live(l.Connector) || !c.Admits(l.Connector) {
			continue
		}
		for _, r := range l.Roles {
			if passes(c.Roles, r) {
				told = append(told, r)
			}
		}
	}
	slices.Sort(told)
	if name = c.RolesClaim; name == "" {
		name = Claim
	}
	return name, slices.Compact(told), nil
}

// passes reports whether a filter lets a role through; an empty one lets all.
func passes(filter []string, role string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool {
		if prefix, ok := strings.CutSuffix(f, "*"); ok {
			return strings.HasPrefix(role, prefix)
		}
		return role == f
	})
}

// Beside is a document with the roles in it.
func Beside(document any, name string, told []string) (json.RawMessage, error) {
	text, err := json.Marshal(document)
	if err != nil || name == "" {
		return text, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if members[name], err = json.Marshal(told); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
