-- One text for SQLite and PostgreSQL. Times are Unix milliseconds and 0 stands for none; lists and
-- attributes are JSON, '' stands for none. SQLite gives BYTEA and BOOLEAN numeric affinity,
-- which leaves blobs as they are and keeps booleans as 0 and 1.

-- +goose Up
CREATE TABLE users (
    subject            TEXT    NOT NULL PRIMARY KEY,
    status             TEXT    NOT NULL,
    status_source      TEXT    NOT NULL, -- the status that was imported last, '' for none
    email              TEXT    NOT NULL,
    email_folded       TEXT    NOT NULL,
    email_verified     BOOLEAN NOT NULL,
    claims             TEXT    NOT NULL,
    credential_version BIGINT  NOT NULL,
    created_at         BIGINT  NOT NULL,
    updated_at         BIGINT  NOT NULL
);

CREATE TABLE login_name (
    directory TEXT   NOT NULL,
    folded    TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    slot      TEXT   NOT NULL,
    subject   TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    place     BIGINT NOT NULL,
    PRIMARY KEY (directory, folded)
);
CREATE INDEX login_name_subject ON login_name (subject, place);

CREATE TABLE account (
    system     TEXT NOT NULL,
    id         TEXT NOT NULL,
    subject    TEXT NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    attributes TEXT NOT NULL,
    PRIMARY KEY (system, id)
);
CREATE UNIQUE INDEX account_subject ON account (subject, system);

CREATE TABLE credential (
    subject TEXT NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    slot    TEXT NOT NULL,
    hash    TEXT NOT NULL,
    scheme  TEXT NOT NULL,
    salt    TEXT NOT NULL,
    source  TEXT NOT NULL,
    PRIMARY KEY (subject, slot)
);

CREATE TABLE oauth_client (
    id   TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

-- client_id and subject refer to no table: a declared client may be away for one start, and a
-- subject may live at an upstream.
CREATE TABLE oauth_grant (
    id            TEXT   NOT NULL PRIMARY KEY,
    client_id     TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    origin        TEXT   NOT NULL,
    system        TEXT   NOT NULL,
    scopes        TEXT   NOT NULL,
    audience      TEXT   NOT NULL,
    session       BYTEA,
    auth_time     BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL,
    revoke_reason TEXT   NOT NULL
);
CREATE INDEX oauth_grant_subject ON oauth_grant (subject) WHERE subject <> '';
CREATE INDEX oauth_grant_client ON oauth_grant (client_id, subject, expires_at);
CREATE INDEX oauth_grant_expires ON oauth_grant (expires_at);

CREATE TABLE oauth_token (
    hash          BYTEA   NOT NULL PRIMARY KEY,
    grant_id      TEXT    NOT NULL REFERENCES oauth_grant (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    issued_at     BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    used          BOOLEAN NOT NULL,
    first_used_at BIGINT  NOT NULL,
    use_count     BIGINT  NOT NULL DEFAULT 0, -- how often a used refresh token was presented again
    pair          BYTEA,
    claims        BYTEA
);
CREATE INDEX oauth_token_grant ON oauth_token (grant_id);
CREATE INDEX oauth_token_expires ON oauth_token (expires_at);

CREATE TABLE replay (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replay_expires ON replay (expires_at);

CREATE TABLE signing_key (
    kid        TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The ids of these two begin with their time, so the primary key is the index for expiry, too.
CREATE TABLE attempt (
    id  BYTEA  NOT NULL PRIMARY KEY,
    key BYTEA  NOT NULL,
    at  BIGINT NOT NULL
);
CREATE INDEX attempt_key ON attempt (key, at);

CREATE TABLE event (
    id          BYTEA  NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    directory   TEXT   NOT NULL,
    system      TEXT   NOT NULL,
    client_id   TEXT   NOT NULL,
    grant_id    TEXT   NOT NULL,
    remote_addr TEXT   NOT NULL,
    request_id  TEXT   NOT NULL
);
CREATE INDEX event_subject ON event (subject, id) WHERE subject <> '';

-- A row for each thing that only one replica may do at a time.
CREATE TABLE lease (
    name    TEXT   NOT NULL PRIMARY KEY,
    holder  TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- +goose Down
DROP TABLE lease;
DROP TABLE event;
DROP TABLE attempt;
DROP TABLE signing_key;
DROP TABLE replay;
DROP TABLE oauth_token;
DROP TABLE oauth_grant;
DROP TABLE oauth_client;
DROP TABLE credential;
DROP TABLE account;
DROP TABLE login_name;
DROP TABLE users;
