-- What becomes of people after they signed in at an upstream.

-- +goose Up
-- By whose word a browser session is.
ALTER TABLE browser_session ADD COLUMN upstream_issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE browser_session ADD COLUMN upstream_subject TEXT NOT NULL DEFAULT '';
ALTER TABLE browser_session ADD COLUMN upstream_sid TEXT NOT NULL DEFAULT '';
ALTER TABLE browser_session ADD COLUMN upstream_hint BYTEA; -- the ID token, sealed
CREATE INDEX browser_session_upstream ON browser_session (upstream_issuer, upstream_subject) WHERE upstream_issuer <> '';
CREATE INDEX browser_session_upstream_sid ON browser_session (upstream_issuer, upstream_sid) WHERE upstream_sid <> '';

-- Whose upstream vouched for the person behind a grant, '' for none.
ALTER TABLE oauth_grant ADD COLUMN connector TEXT NOT NULL DEFAULT '';

ALTER TABLE upstream_link ADD COLUMN access BYTEA; -- sealed
ALTER TABLE upstream_link ADD COLUMN access_expires BIGINT NOT NULL DEFAULT 0; -- 0 where the upstream does not say
ALTER TABLE upstream_link ADD COLUMN asked_by TEXT NOT NULL DEFAULT ''; -- the claim of whoever is asking now
ALTER TABLE upstream_link ADD COLUMN ask_at BIGINT NOT NULL DEFAULT 0; -- before which nobody else asks
ALTER TABLE upstream_link ADD COLUMN refused_at BIGINT NOT NULL DEFAULT 0; -- 0 while the upstream vouches for them

-- +goose Down
ALTER TABLE upstream_link DROP COLUMN refused_at;
ALTER TABLE upstream_link DROP COLUMN ask_at;
ALTER TABLE upstream_link DROP COLUMN asked_by;
ALTER TABLE upstream_link DROP COLUMN access_expires;
ALTER TABLE upstream_link DROP COLUMN access;
ALTER TABLE oauth_grant DROP COLUMN connector;
DROP INDEX browser_session_upstream_sid;
DROP INDEX browser_session_upstream;
ALTER TABLE browser_session DROP COLUMN upstream_hint;
ALTER TABLE browser_session DROP COLUMN upstream_sid;
ALTER TABLE browser_session DROP COLUMN upstream_subject;
ALTER TABLE browser_session DROP COLUMN upstream_issuer;
