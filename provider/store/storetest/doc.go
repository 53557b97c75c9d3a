// Package storetest is what every database under a [store.Store] must pass, and
// gives other packages' tests real databases: [SQLite] a file, [Postgres] a
// database in a temporary server.
//
//	func TestStore(t *testing.T) {
//		t.Run("SQLite", func(t *testing.T) { storetest.Run(t, storetest.SQLite) })
//		t.Run("PostgreSQL", func(t *testing.T) { storetest.Run(t, storetest.Postgres) })
//	}
package storetest
