-- Trips of browsers to an upstream and back.

-- +goose Up
CREATE TABLE upstream_trip (
    hash        BYTEA   NOT NULL PRIMARY KEY,
    connector   TEXT    NOT NULL,
    browser     BYTEA   NOT NULL,
    interaction TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    session     BYTEA   NOT NULL,
    fresh       BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL
);
CREATE INDEX upstream_trip_expires ON upstream_trip (expires_at);

-- +goose Down
DROP TABLE upstream_trip;
