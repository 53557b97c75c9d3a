package config

import (
	"slices"
	"strings"
	"time"
)

// ConnectorDatabase says how an old system's own database is asked about its
// people.
type ConnectorDatabase struct {
	DSN          Secret        `yaml:"dsn" doc:"Where it is, as env:NAME or file:PATH: a postgres://, mysql:// or mariadb:// URL with sslmode and sslrootcert, or sqlite:// and a path. Certificates are verified unless sslmode says otherwise or it is on this machine."`
	Preset       string        `yaml:"preset" doc:"The folder of a legacy system whose database.yaml has the keys below and a mapping, such as faveo or ossn; what is written here wins."`
	Query        string        `yaml:"query" doc:"One SELECT that finds the person of the login name :login. Its columns: subject, hash, and if need be scheme, salt and status (active, disabled, locked or unverified); every other one is a claim."`
	FollowQuery  string        `yaml:"follow_query" doc:"One SELECT that finds the person of the subject :id, with the same columns but for the hash; without, nobody is asked again."`
	DisabledWhen string        `yaml:"disabled_when" doc:"True for who is disabled there, in an expression of expr-lang.org over claims and subject."`
	StatusFirst  bool          `yaml:"status_first" default:"false" doc:"Whether the status is told to who does not have the password, too."`
	Import       bool          `yaml:"import" default:"false" doc:"Whether who is right gets that password here, hashed anew, so that the database can be switched off one day. Put local before it in verifiers."`
	Timeout      time.Duration `yaml:"timeout" default:"5s" min:"100ms" max:"30s" doc:"For a query."`
	MaxConns     int           `yaml:"max_connections" default:"8" min:"1" max:"200" doc:"Connections that are open at a time."`
}

const typeDatabase = "database"

// databaseSchemes are what a DSN begins by.
func databaseSchemes() []string {
	return []string{"postgres", "postgresql", "mysql", "mariadb", "sqlite"}
}

func (d *ConnectorDatabase) used() bool { return !d.DSN.IsZero() || d.Preset != "" || d.Query != "" }

func (x *Connector) databaseRules(at string) []rule {
	d := &x.Database
	scheme, _, ok := strings.Cut(d.DSN.Reveal(), "://")
	return []rule{
		{at + "database.dsn", d.DSN.IsZero(), "is required", ""},
		{at + "database.dsn", !d.DSN.IsZero() && (!ok || !slices.Contains(databaseSchemes(), scheme)), "must be a postgres://, mysql://, mariadb:// or sqlite:// URL", ""},
		{at + "database.query", d.Query == "" && d.Preset == "", "is required", "write a query, or preset: faveo"},
		{at + "database.preset", d.Preset != "" && !templateName.MatchString(d.Preset), "must be the name of a legacy system's folder", ""},
		{at + "domains", len(x.Domains) > 0, "is of no use: nobody's browser goes to a database", "write a rule with these domains under verifiers"},
	}
}
