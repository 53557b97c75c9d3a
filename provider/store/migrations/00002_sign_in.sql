-- What signing in with a browser needs.

-- +goose Up
-- A code's grant is there from the beginning, so what ends the grant ends the code.
CREATE TABLE oauth_code (
    hash         BYTEA   NOT NULL PRIMARY KEY,
    grant_id     TEXT    NOT NULL REFERENCES oauth_grant (id) ON DELETE CASCADE,
    redirect_uri TEXT    NOT NULL,
    challenge    TEXT    NOT NULL,
    issued_at    BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    used         BOOLEAN NOT NULL
);
CREATE INDEX oauth_code_grant ON oauth_code (grant_id);

CREATE TABLE interaction (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    browser    BYTEA  NOT NULL,
    query      TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    signed_in  BIGINT NOT NULL,
    decision   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX interaction_expires ON interaction (expires_at);

CREATE TABLE browser_session (
    hash        BYTEA  NOT NULL PRIMARY KEY,
    id          TEXT   NOT NULL UNIQUE,
    subject     TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    amr         TEXT   NOT NULL,
    user_agent  TEXT   NOT NULL,
    remote_addr TEXT   NOT NULL,
    auth_time   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX browser_session_subject ON browser_session (subject);
CREATE INDEX browser_session_expires ON browser_session (expires_at);

CREATE TABLE consent (
    subject   TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    client_id TEXT   NOT NULL,
    scopes    TEXT   NOT NULL,
    given_at  BIGINT NOT NULL,
    PRIMARY KEY (subject, client_id)
);
CREATE INDEX consent_client ON consent (client_id);

-- +goose Down
DROP TABLE consent;
DROP TABLE browser_session;
DROP TABLE interaction;
DROP TABLE oauth_code;
