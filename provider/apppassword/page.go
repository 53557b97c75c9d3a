package apppassword

import (
	"context"
	"errors"
	"strconv"

	"keyway/provider/identity"
	"keyway/provider/pages"
)

// Fill adds to the account page's section what u has and may have. Errors are
// [*identity.Failure].
func (d *Desk) Fill(ctx context.Context, u *identity.User, s *pages.AppSection) error {
	offers, err := d.Offered(ctx, u)
	if err != nil {
		return err
	}
	made, err := d.List(ctx, u.Subject)
	if err != nil {
		return err
	}
	for _, o := range offers {
		s.Systems = append(s.Systems, pages.AppSystem{Name: o.System, Title: o.Title})
	}
	now := d.options.Now()
	for i := range made {
		m := &made[i]
		s.Passwords = append(s.Passwords, pages.AppPassword{
			ID: m.ID, Name: m.Name, System: d.Title(m.System), Networks: m.Networks,
			Created: m.CreatedAt, Used: m.UsedAt, Expires: m.ExpiresAt, Expired: !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt),
		})
	}
	return nil
}

// Add makes what was entered in s. Where that cannot be, s says why, and there
// is neither page nor error. Errors are [*identity.Failure].
func (d *Desk) Add(ctx context.Context, subject string, s *pages.AppSection) (*pages.AppPasswordPage, error) {
	made, err := d.Make(ctx, Wish{Subject: subject, System: s.System, Name: s.Name, Days: daysOf(s.Days), Networks: s.Networks})
	var problem Problem
	if errors.As(err, &problem) {
		s.Refused = string(problem)
		return nil, nil //nolint:nilnil // s says why
	}
	if err != nil {
		return nil, err
	}
	return &pages.AppPasswordPage{
		Password: made.Password, Name: made.Name, System: made.Title, Usernames: made.Usernames, Expires: made.ExpiresAt, Networks: made.Networks,
	}, nil
}

// daysOf is no number of days where text is none.
func daysOf(text string) int {
	days, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return days
}
