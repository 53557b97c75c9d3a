package store_test

import (
	"testing"

	"keyway/provider/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestStoreOnSQLite(t *testing.T) { storetest.Run(t, storetest.SQLite) }

func TestStoreOnPostgreSQL(t *testing.T) { storetest.Run(t, storetest.Postgres) }
