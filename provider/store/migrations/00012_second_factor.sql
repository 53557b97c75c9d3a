-- What people prove themselves by beside their password.

-- +goose Up
CREATE TABLE factor (
    id         TEXT   NOT NULL PRIMARY KEY,
    subject    TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    kind       TEXT   NOT NULL, -- totp or passkey
    name       TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    credential BYTEA, -- of a passkey
    counter    BIGINT NOT NULL, -- the last time step, or the last count of signatures
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX factor_subject ON factor (subject);
CREATE UNIQUE INDEX factor_credential ON factor (credential);

CREATE TABLE recovery_code (
    subject TEXT  NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    hash    BYTEA NOT NULL,
    PRIMARY KEY (subject, hash)
);

CREATE TABLE factor_challenge (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    session    BYTEA  NOT NULL,
    subject    TEXT   NOT NULL,
    purpose    TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX factor_challenge_subject ON factor_challenge (subject);
CREATE INDEX factor_challenge_expires ON factor_challenge (expires_at);

ALTER TABLE browser_session ADD COLUMN factor_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE browser_session DROP COLUMN factor_at;
DROP TABLE factor_challenge;
DROP TABLE recovery_code;
DROP TABLE factor;
