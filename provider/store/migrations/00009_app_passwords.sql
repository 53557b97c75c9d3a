-- Passwords that are made for one legacy system.

-- +goose Up
CREATE TABLE app_password (
    id         TEXT   NOT NULL PRIMARY KEY,
    subject    TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    system     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    hash       BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- 0 for never
    networks   TEXT   NOT NULL
);
CREATE UNIQUE INDEX app_password_hash ON app_password (system, hash);
CREATE INDEX app_password_subject ON app_password (subject);

-- +goose Down
DROP TABLE app_password;
