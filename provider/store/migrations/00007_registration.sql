-- What clients need that register themselves.

-- +goose Up
ALTER TABLE oauth_client ADD COLUMN source TEXT NOT NULL DEFAULT '';
CREATE INDEX oauth_client_source ON oauth_client (source) WHERE source <> '';

-- An initial access token (RFC 7591, section 1.2).
CREATE TABLE invitation (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    id         TEXT   NOT NULL UNIQUE,
    note       TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    max_uses   BIGINT NOT NULL,
    uses       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitation_expires ON invitation (expires_at);

-- +goose Down
DROP TABLE invitation;
DROP INDEX oauth_client_source;
ALTER TABLE oauth_client DROP COLUMN source;
