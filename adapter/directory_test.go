package adapter

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAConfiguredDirectoryCountsWhereNoVariantNamesOne(t *testing.T) {
	g := &scripted{grant: someGrant()}
	in := Instance{
		Name: "clinic", System: clinic(t), SiteURL: "http://c.example", Client: "c", Directory: "staff",
		Settings: map[string]any{"jwt_secret": "s", "passphrase": "p"},
	}
	require.Equal(t, []string{"staff", "clinic/{{ .Field.organisation }}/code"}, in.Directories())
	a := serve(t, g, nil, in)
	for body, want := range map[string]string{
		`{"organisation":"north","email":"a@example.com","password":"x"}`: "staff",
		`{"organisation":"north","access":{"code":"XYZ"}}`:                "clinic/north/code",
	} {
		ask(a, http.MethodPost, "/user/login", "application/json", body)
		require.Equal(t, want, g.asked.Credentials.Directory, body)
	}
	in.Directory = ""
	require.Equal(t, in.System.Login.Directory, in.Directories()[0])
	library := libraryAt(t, nil)
	require.Equal(t, []string{library.System.Login.Directory}, library.Directories())
}
