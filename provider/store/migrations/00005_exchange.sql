-- What exchanging tokens needs: a grant that was made of another one ends with it.

-- +goose Up
ALTER TABLE oauth_grant ADD COLUMN parent TEXT NOT NULL DEFAULT ''; -- the grant that it ends with, '' for none
CREATE INDEX oauth_grant_parent ON oauth_grant (parent) WHERE parent <> '';

-- +goose Down
DROP INDEX oauth_grant_parent;
ALTER TABLE oauth_grant DROP COLUMN parent;
