package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/device"
	"keyway/provider/identity"
	"keyway/provider/usercode"
)

// AddDevice implements [device.Storage]. Many at once may pass a limit by a few.
func (s *Store) AddDevice(ctx context.Context, r *device.Record, most device.Limits) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		now := millis(s.now())
		for _, limit := range []struct {
			column, value string
			most          int
		}{{"client_id", r.ClientID, most.Client}, {"source", r.Source, most.Source}} {
			if limit.value == "" {
				continue
			}
			full := false
			query := `SELECT 1 FROM device_code WHERE ` + limit.column + ` = $1 AND expires_at > $2 AND state <> $3 LIMIT 1 OFFSET $4`
			err := tx.rows(ctx, query, []any{limit.value, now, string(device.Redeemed), limit.most - 1}, func(scan scanFunc) error {
				full = true
				var one int
				return scan(&one)
			})
			if err != nil {
				return err
			}
			if full {
				return identity.Failf(identity.ReasonRateLimited, "too many open device codes of one %s", limit.column)
			}
		}
		n, err := tx.exec(ctx, `INSERT INTO device_code (hash, user_code, client_id, scopes, audience, remote_addr, source,
			state, grant_id, wait_ms, polled_at, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, 0, $10, $11)
			ON CONFLICT (user_code) DO NOTHING`, r.Hash[:], string(r.UserCode), r.ClientID, listText(r.Scopes), listText(r.Audience),
			r.RemoteAddr, r.Source, string(device.Pending), device.Interval.Milliseconds(), millis(r.IssuedAt), millis(r.ExpiresAt))
		if err == nil && n == 0 {
			return identity.ErrConflict
		}
		return err
	})
}

// FindDevice implements [device.Storage].
func (s *Store) FindDevice(ctx context.Context, code usercode.Code) (*device.Record, error) {
	var d deviceRow
	err := s.readRow(ctx, `SELECT `+deviceColumns+` FROM device_code d WHERE d.user_code = $1 AND d.state = $2 AND d.expires_at > $3`,
		[]any{string(code), string(device.Pending), millis(s.now())}, d.dest()...)
	if err != nil {
		return nil, err
	}
	return d.record()
}

// FindDeviceGrant implements [storage.DeviceStorage] in one indexed query.
func (s *Store) FindDeviceGrant(ctx context.Context, h provider.Hash) (*provider.StoredDevice, error) {
	var (
		x             provider.StoredDevice
		d             deviceRow
		gScopes, gAud string
		times         [4]int64
	)
	g := &x.Grant
	err := s.readRow(ctx, `SELECT `+deviceColumns+`, COALESCE(g.id, ''), COALESCE(g.client_id, ''), COALESCE(g.subject, ''),
		COALESCE(g.origin, ''), COALESCE(g.system, ''), COALESCE(g.scopes, ''), COALESCE(g.audience, ''), g.session,
		COALESCE(g.revoke_reason, ''), COALESCE(g.auth_time, 0), COALESCE(g.created_at, 0), COALESCE(g.expires_at, 0),
		COALESCE(g.revoked_at, 0), COALESCE(g.connector, ''), COALESCE(u.status, '')
		FROM device_code d LEFT JOIN oauth_grant g ON g.id = d.grant_id LEFT JOIN users u ON u.subject = g.subject
		WHERE d.hash = $1`, []any{h[:]}, append(d.dest(), &g.ID, &g.ClientID, &g.Subject, &g.Origin, &g.System,
		&gScopes, &gAud, &g.Session, &g.RevokeReason, &times[0], &times[1], &times[2], &times[3], &g.Connector, &x.UserStatus)...)
	if err != nil {
		return nil, err
	}
	g.AuthTime, g.CreatedAt, g.ExpiresAt, g.RevokedAt = instant(times[0]), instant(times[1]), instant(times[2]), instant(times[3])
	record, err := d.record()
	if err != nil {
		return nil, err
	}
	x.Device = *record
	if g.Scopes, err = list(gScopes); err != nil {
		return nil, err
	}
	g.Audience, err = list(gAud)
	return &x, err
}

// PollDevice implements [device.Storage]: of many polls at once, one is in time.
func (s *Store) PollDevice(ctx context.Context, hash [32]byte, at time.Time) (tooSoon bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE device_code SET polled_at = $1 WHERE hash = $2 AND state = $3 AND polled_at + wait_ms <= $4`,
			millis(at), hash[:], string(device.Pending), millis(at.Add(device.Slack)))
		if err != nil || n > 0 {
			tooSoon = false
			return err
		}
		n, err = tx.exec(ctx, `UPDATE device_code SET polled_at = $1, wait_ms = wait_ms + $2 WHERE hash = $3 AND state = $4`,
			millis(at), device.Interval.Milliseconds(), hash[:], string(device.Pending))
		tooSoon = n > 0
		return err
	})
	return tooSoon, err
}

// DenyDevice implements [device.Storage].
func (s *Store) DenyDevice(ctx context.Context, hash [32]byte, e *identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE device_code SET state = $1 WHERE hash = $2 AND state = $3 AND expires_at > $4`,
			string(device.Denied), hash[:], string(device.Pending), millis(s.now()))
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrConflict
		}
		return s.addEvent(ctx, tx, e)
	})
}

// spendDevice allows or redeems a device code, where the request does.
func spendDevice(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	if x.AllowDevice != nil {
		return allowDevice(ctx, tx, x, now)
	}
	if x.RedeemDevice != nil {
		return redeemDevice(ctx, tx, x, now)
	}
	return nil
}

// allowDevice ties the new grant to the device: of many that decide at once, one
// changes the row.
func allowDevice(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE device_code SET state = $1, grant_id = $2 WHERE hash = $3 AND state = $4 AND expires_at > $5`,
		string(device.Allowed), x.GrantID, x.AllowDevice[:], string(device.Pending), millis(now))
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}

// redeemDevice uses the code up: of many at once, one changes the row.
func redeemDevice(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE device_code SET state = $1 WHERE hash = $2 AND grant_id = $3 AND state = $4 AND expires_at > $5`,
		string(device.Redeemed), x.RedeemDevice[:], x.GrantID, string(device.Allowed), millis(now))
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}

const deviceColumns = `d.hash, d.user_code, d.client_id, d.scopes, d.audience, d.remote_addr, d.source, d.state, d.grant_id, d.issued_at, d.expires_at`

// deviceRow is what [deviceColumns] are read into.
type deviceRow struct {
	hash             []byte
	scopes, audience string
	issued, expires  int64
	r                device.Record
}

func (d *deviceRow) dest() []any {
	return []any{
		&d.hash, &d.r.UserCode, &d.r.ClientID, &d.scopes, &d.audience, &d.r.RemoteAddr, &d.r.Source, &d.r.State, &d.r.GrantID,
		&d.issued, &d.expires,
	}
}

func (d *deviceRow) record() (_ *device.Record, err error) {
	copy(d.r.Hash[:], d.hash)
	d.r.IssuedAt, d.r.ExpiresAt = instant(d.issued), instant(d.expires)
	if d.r.Scopes, err = list(d.scopes); err != nil {
		return nil, err
	}
	d.r.Audience, err = list(d.audience)
	return &d.r, err
}
