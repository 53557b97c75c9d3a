-- Who signs in at an upstream.

-- +goose Up
CREATE TABLE upstream_link (
    issuer           TEXT   NOT NULL,
    upstream_subject TEXT   NOT NULL,
    connector        TEXT   NOT NULL,
    subject          TEXT   NOT NULL REFERENCES users (subject) ON DELETE CASCADE,
    origin           TEXT   NOT NULL,
    roles            TEXT   NOT NULL,
    refresh          BYTEA, -- sealed
    linked_at        BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    PRIMARY KEY (issuer, upstream_subject)
);
CREATE INDEX upstream_link_subject ON upstream_link (subject);

-- +goose Down
DROP TABLE upstream_link;
