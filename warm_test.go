package keyway

import (
	_ "github.com/gin-gonic/gin"
	_ "github.com/go-crypt/crypt"
	_ "github.com/go-jose/go-jose/v3"
	_ "github.com/goccy/go-yaml"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/ory/fosite/compose"
	_ "github.com/pressly/goose/v3"
	_ "github.com/spf13/cobra"
	_ "github.com/stretchr/testify/require"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/text/cases"
	_ "golang.org/x/text/unicode/norm"
	_ "golang.org/x/tools/txtar"
	_ "modernc.org/sqlite"
)
