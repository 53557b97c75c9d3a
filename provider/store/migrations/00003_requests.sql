-- Pushed authorization requests (RFC 9126), bounds on open sign-ins, and access tokens for fewer
-- audiences than their grant.

-- +goose Up
-- query holds parameters of an authorization request and no credentials. A row stays until keep_until:
-- longer than it may be asked for, while somebody signs in.
CREATE TABLE pushed_request (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    query      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    keep_until BIGINT NOT NULL
);
CREATE INDEX pushed_request_keep ON pushed_request (keep_until);
CREATE INDEX pushed_request_source ON pushed_request (source, expires_at) WHERE source <> '';

ALTER TABLE interaction ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE interaction ADD COLUMN pushed BYTEA;
ALTER TABLE interaction ADD COLUMN chosen TEXT NOT NULL DEFAULT '';
ALTER TABLE interaction ADD COLUMN ended_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX interaction_browser ON interaction (browser, created_at);
CREATE INDEX interaction_source ON interaction (source, created_at) WHERE source <> '';

ALTER TABLE oauth_token ADD COLUMN audience TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE oauth_token DROP COLUMN audience;
DROP INDEX interaction_source;
DROP INDEX interaction_browser;
ALTER TABLE interaction DROP COLUMN ended_at;
ALTER TABLE interaction DROP COLUMN chosen;
ALTER TABLE interaction DROP COLUMN pushed;
ALTER TABLE interaction DROP COLUMN source;
DROP TABLE pushed_request;
