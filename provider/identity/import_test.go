package identity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// parse returns the good records of an import and what was wrong.
func parse(t *testing.T, in string) ([]identity.Record, []identity.LineProblem) {
	t.Helper()
	var records []identity.Record
	problems, err := identity.ParseRecords(strings.NewReader(in), func(_ int, rec identity.Record) error {
		records = append(records, rec)
		return nil
	})
	require.NoError(t, err)
	return records, problems
}

func TestParseRecords(t *testing.T) {
	t.Parallel()
	t.Run("the documented line", func(t *testing.T) {
		t.Parallel()
		records, problems := parse(t, strings.ReplaceAll(documentedLine, "\n", ""))
		require.Empty(t, problems)
		want := identity.Record{
			User: identity.User{
				Status: identity.StatusActive, Email: "alice@example.com", EmailVerified: true,
				Claims:     map[string]any{"given_name": "Alice", "level": json.Number("7"), "preferred_username": "alice"},
				LoginNames: []identity.LoginName{{Directory: "default", Name: "alice", Slot: identity.SlotPassword}},
			},
			Credentials: []identity.RecordCredential{{
				Credential: identity.Credential{
					Slot: identity.SlotPassword, Hash: "72db382c0766a1b238f8386c6b6f6608", Scheme: "ossn", Salt: "ab12cd34",
				},
				Source: "dd74eccb05da8159254a36145d62048d7597e340747ab3ca666519e1753e6dd8",
			}},
			Accounts: []identity.Account{{System: "ossn", ID: "2", Attributes: map[string]any{"icon_time": "1795280635"}}},
		}
		require.Len(t, records, 1)
		if diff := cmp.Diff(want, records[0]); diff != "" {
			t.Fatal(diff)
		}
	})
	t.Run("names in several directories, each with its credential", func(t *testing.T) {
		t.Parallel()
		records, problems := parse(t, `{"subject":"s-1","login_names":[{"directory":"crmcom/CRMDEMO","name":"mp"},`+
			`{"directory":"crmcom/CRMDEMO/identifier","name":"DEMO","credential":"pass_code"}],"password":"1234",`+
			`"credentials":{"pass_code":{"password":"4321"}},"claims":{"preferred_username":"chosen"}}`)
		require.Empty(t, problems)
		require.Len(t, records, 1)
		require.Equal(t, []identity.LoginName{
			{Directory: "crmcom/CRMDEMO", Name: "mp", Slot: identity.SlotPassword},
			{Directory: "crmcom/CRMDEMO/identifier", Name: "DEMO", Slot: "pass_code"},
		}, records[0].User.LoginNames)
		require.Equal(t, []identity.RecordCredential{
			{Credential: identity.Credential{Subject: "s-1", Slot: identity.SlotPassword}, Password: "1234"},
			{Credential: identity.Credential{Subject: "s-1", Slot: "pass_code"}, Password: "4321"},
		}, records[0].Credentials)
		require.Equal(t, "chosen", records[0].User.Claims["preferred_username"])
		require.Empty(t, records[0].User.Status, "a line that says nothing of the status leaves it")
	})
	t.Run("an e-mail address is no preferred username", func(t *testing.T) {
		t.Parallel()
		records, _ := parse(t, `{"login_names":["a@example.com"]}`+"\n"+`{"login_names":["b@example.com","b"]}`)
		require.Nil(t, records[0].User.Claims)
		require.Equal(t, "b", records[1].User.Claims["preferred_username"])
	})
	t.Run("good lines are kept between bad ones, blank lines do not matter", func(t *testing.T) {
		t.Parallel()
		records, problems := parse(t, "\xef\xbb\xbf"+`{"login_names":["a"]}`+"\r\n\n"+`{"login_names":`+"\n"+
			strings.Repeat(" ", identity.MaxImportLine)+"{}  \n"+`{"login_names":["b"]}`+"\n\n"+`{"login_names":[]}`)
		require.Len(t, records, 2)
		lines := make([]int, 0, len(problems))
		for _, p := range problems {
			lines = append(lines, p.Line)
		}
		require.Equal(t, []int{3, 4, 7}, lines)
		require.Equal(t, `line 7: "login_names" is missing or empty`, problems[2].String())
	})
	t.Run("the reading ends with an error of the caller", func(t *testing.T) {
		t.Parallel()
		stop := errors.New("stop")
		_, err := identity.ParseRecords(strings.NewReader(`{"login_names":["a"]}`), func(int, identity.Record) error { return stop })
		require.ErrorIs(t, err, stop)
	})
	t.Run("a flood of bad lines is counted", func(t *testing.T) {
		t.Parallel()
		_, problems := parse(t, strings.Repeat("x\n", 10_005))
		require.Len(t, problems, 10_001)
		require.Equal(t, "line 10005: the last of 5 more bad lines", problems[10_000].String())
	})
}

const documentedLine = `{"directory":"default","login_names":["alice"],"email":"alice@example.com","email_verified":true,"status":"active",
"password_hash":"72db382c0766a1b238f8386c6b6f6608","hash_scheme":"ossn","hash_salt":"ab12cd34",
"claims":{"given_name":"Alice","level":7},
"accounts":{"ossn":{"id":"2","attributes":{"icon_time":"1795280635"}}}}`

func TestBadLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, line, want string }{
		{"not JSON", `nonsense`, "not valid JSON"},
		{"not an object", `[1]`, "wrong type"},
		{"two values", `{"login_names":["a"]} {}`, "behind the JSON value"},
		{"invalid UTF-8", "{\"login_names\":[\"\xff\"]}", "not valid UTF-8"},
		{"an unknown key", `{"login_names":["a"],"pasword":"x"}`, `unknown field "pasword"`},
		{"an unknown key in a login name", `{"login_names":[{"nam":"a"}]}`, `unknown field "nam"`},
		{"an unknown key in an account", `{"login_names":["a"],"accounts":{"x":{"di":"1"}}}`, `unknown field "di"`},
		{"a key twice", `{"login_names":["a"],"password":"secret1","password":"secret2"}`, `"password" is given twice`},
		{"a claim twice", `{"login_names":["a"],"claims":{"x":{"y":1,"y":2}}}`, `"y" is given twice`},
		{"a number as a password", `{"login_names":["a"],"password":123456}`, `"password" has the wrong type`},
		{"no login name", `{"email":"a@example.com"}`, "login_names"},
		{"an empty login name", `{"login_names":["  "]}`, "empty"},
		{"a NUL in a login name", `{"login_names":["a\u0000b"]}`, "control character"},
		{"a long login name", `{"login_names":["` + strings.Repeat("a", 2000) + `"]}`, "longer than"},
		{"a status nobody knows", `{"login_names":["a"],"status":"banned"}`, "status"},
		{"a subject that is not ASCII", `{"login_names":["a"],"subject":"ä"}`, "ASCII"},
		{"a claim that is the provider's", `{"login_names":["a"],"claims":{"iss":"x"}}`, `"iss"`},
		{"a password and a hash", `{"login_names":["a"],"password":"secret1","password_hash":"$1$a$b"}`, "either"},
		{"a scheme without a hash", `{"login_names":["a"],"hash_scheme":"md5"}`, "either"},
		{"a password and a scheme", `{"login_names":["a"],"password":"secret1","hash_scheme":"md5"}`, "go with"},
		{"a hostile hash", `{"login_names":["a"],"password_hash":"$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"}`, "costs too much"},
		{"a bad hash in a slot", `{"login_names":["a"],"credentials":{"pass_code":{"password_hash":"secret1"}}}`, `"pass_code": hash does not name`},
		{"a slot with a bad name", `{"login_names":["a"],"credentials":{"Pass Code":{"password":"secret1"}}}`, "a-z"},
		{"the password twice", `{"login_names":["a"],"password":"secret1","credentials":{"password":{"password":"secret2"}}}`, "twice"},
		{"a long password", `{"login_names":["a"],"password":"` + strings.Repeat("a", identity.MaxPassword+1) + `"}`, "longer than"},
		{"a name with a credential that is missing", `{"login_names":[{"name":"a","credential":"pass_code"}],"password":"secret1"}`, `"pass_code", which is missing`},
		{"an account without an id", `{"login_names":["a"],"accounts":{"ossn":{}}}`, "no id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			records, problems := parse(t, tt.line)
			require.Empty(t, records)
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].Reason, tt.want)
			require.NotContains(t, problems[0].Reason, "secret")
			require.NotContains(t, problems[0].Reason, "123456")
		})
	}
}

func FuzzParseRecords(f *testing.F) {
	f.Add(strings.ReplaceAll(documentedLine, "\n", ""))
	f.Add(`{"login_names":[{"directory":"d","name":"a","credential":"x"}],"credentials":{"x":{"password":"p"}}}` + "\n{}\n[")
	f.Fuzz(func(t *testing.T, in string) {
		last := 0
		_, err := identity.ParseRecords(strings.NewReader(in), func(line int, rec identity.Record) error {
			if line <= last || len(rec.User.LoginNames) == 0 {
				return fmt.Errorf("line %d behind %d: %+v", line, last, rec.User.LoginNames)
			}
			last = line
			for _, c := range rec.Credentials {
				if (c.Password == "") == (c.Hash == "") {
					return fmt.Errorf("line %d has a credential of neither kind, or both", line)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
