-- Which verifier answered about a password.

-- +goose Up
ALTER TABLE event ADD COLUMN verifier TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE event DROP COLUMN verifier;
