-- Where somebody signed in, and how, by the word of an upstream.

-- +goose Up
ALTER TABLE browser_session ADD COLUMN connector TEXT NOT NULL DEFAULT '';
ALTER TABLE browser_session ADD COLUMN acr TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN connector TEXT NOT NULL DEFAULT '';
CREATE INDEX upstream_trip_browser ON upstream_trip (browser);

-- +goose Down
DROP INDEX upstream_trip_browser;
ALTER TABLE event DROP COLUMN connector;
ALTER TABLE browser_session DROP COLUMN acr;
ALTER TABLE browser_session DROP COLUMN connector;
