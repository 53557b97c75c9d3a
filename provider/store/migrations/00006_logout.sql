-- What telling clients of a sign-out needs.

-- +goose Up
-- The browser session that a grant was made in, '' for none: what ends the one ends the other.
ALTER TABLE oauth_grant ADD COLUMN sid TEXT NOT NULL DEFAULT '';
CREATE INDEX oauth_grant_sid ON oauth_grant (sid) WHERE sid <> '';

-- The clients that a person came to in a browser session. It outlives their grants, for an app
-- keeps a session of its own.
CREATE TABLE session_client (
    sid        TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (sid, client_id)
);
CREATE INDEX session_client_subject ON session_client (subject);
CREATE INDEX session_client_expires ON session_client (expires_at);

CREATE TABLE logout_notice (
    id         BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    sid        TEXT   NOT NULL,
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL -- of one that is claimed: when the claim is over
);
CREATE INDEX logout_notice_due ON logout_notice (due_at);

-- +goose Down
DROP TABLE logout_notice;
DROP TABLE session_client;
DROP INDEX oauth_grant_sid;
ALTER TABLE oauth_grant DROP COLUMN sid;
