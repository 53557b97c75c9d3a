package database

import (
	"testing"
)

// Write tries to write over the connections of u, and returns what hinders it.
func Write(t *testing.T, u *Upstream) string {
	t.Helper()
	_, err := u.db.ExecContext(t.Context(), "DELETE FROM people")
	if err == nil {
		t.Fatal("a database that may only be read was written to")
	}
	return err.Error()
}
