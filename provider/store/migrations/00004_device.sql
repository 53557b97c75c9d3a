-- What letting a device in needs (RFC 8628).

-- +goose Up
-- The user code is no secret: it is on a screen, and
-- does nothing without a person who is signed in. wait_ms is the interval of this device.
CREATE TABLE device_code (
    hash        BYTEA  NOT NULL PRIMARY KEY,
    user_code   TEXT   NOT NULL UNIQUE,
    client_id   TEXT   NOT NULL,
    scopes      TEXT   NOT NULL,
    audience    TEXT   NOT NULL,
    remote_addr TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    grant_id    TEXT   NOT NULL,
    wait_ms     BIGINT NOT NULL,
    polled_at   BIGINT NOT NULL,
    issued_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX device_code_client ON device_code (client_id, expires_at);
CREATE INDEX device_code_source ON device_code (source, expires_at);
CREATE INDEX device_code_expires ON device_code (expires_at);

-- An interaction is about a device, or, with an empty purpose, about an authorization request or the
-- account page; device is the hash of the device code, once its user code was entered.
ALTER TABLE interaction ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
ALTER TABLE interaction ADD COLUMN device BYTEA;

-- +goose Down
ALTER TABLE interaction DROP COLUMN device;
ALTER TABLE interaction DROP COLUMN purpose;
DROP TABLE device_code;
