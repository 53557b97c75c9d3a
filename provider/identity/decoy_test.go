package identity

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dearHashes are of vectorWord, in forms that may be dearer than a new hash.
func dearHashes() []Credential {
	return []Credential{
		{Hash: "$2y$04$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC"},
		{Hash: "bcrypt$$2b$04$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC"},
		{Hash: "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$/sEJw/q7iQQwYvCvXzniWaTrIg24IdYbpjXcYnE/lIE"},
		{Hash: "$pbkdf2-sha512$100$/b.3lrKWUkpJidGak/Iegw$llAcPyX.1xXEiMLnuuWQKzSjqG2JsZZkkzjTLFii/0Opts31YvNruYp7JohSv8OtYnGNA4Zrp02tmFljpN2.4w"},
		{Hash: "pbkdf2_sha256$1000$somesalt1234567890abcd$gA8RMrvnZF737fuC0PLxkuezEgTL+UD3AcwaaZZFUQI="},
		{Hash: "$scrypt$ln=4,r=8,p=1$+//+c2FsdA$XncLSk6N6vjtaesd4VboJTkhfu8rdQY/pPcvlZYZ7ZDVvqDEYa+5uso7POWq9PLEhethegtvfxTYnOjGGEFucg"},
		{Hash: "{CRYPT}$6$rounds=1000$abc$d6MA1bK.fkAGzpwasb3bIMd1iF3U1GmBiUwyUJqzxaev26OlXXCw3x6qnaskJw2BM5n8sjscrto2287D5w4Dj/"},
		{Hash: "$2y$04$n5kq8xH.1yB0v.UYkdOtS.z6WK3DAEsFQC5RrqbCp11vWchrb8cl2", Scheme: SchemeOSSN, Salt: "ab12cd34"},
		{Hash: "$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHQxMjM0NTY3OA$Q4KK6vazCPHaBuGdM8SyOyUwz+ll75YQAxvgnF3H8E4", Scheme: SchemeOSSN, Salt: "ab12cd34"},
	}
}

func TestADecoyIsAsDearAndWorthNothing(t *testing.T) {
	t.Parallel()
	const password = "pässwörd \"<&>' \\ €"
	for _, c := range dearHashes() {
		t.Run(c.Hash[:12], func(t *testing.T) {
			real, err := parseHash(c)
			require.NoError(t, err)
			require.True(t, real.match([]byte(password)))
			fake, err := decoyOf(c)
			require.NoError(t, err)
			require.Positive(t, fake.work)
			require.Equal(t, real.work, fake.work)
			require.False(t, fake.match([]byte(password)))
		})
	}
}

// TestEveryFailureCostsTheSame is Keycloak #12298: an unknown name that costs
// less than a wrong password tells the two apart.
func TestEveryFailureCostsTheSame(t *testing.T) {
	t.Parallel()
	h, err := NewHasher(HasherOptions{Memory: 8, Time: 1})
	require.NoError(t, err)
	spent := map[string]int{}
	wrong := func(name string) func([]byte) bool {
		return func([]byte) bool { spent[name]++; return false }
	}
	h.dummy.match = wrong("new")
	dear := &stored{work: 500, match: wrong("dear")}
	for _, tt := range []struct {
		name string
		own  *stored // nil for an unknown name
		dear *stored
		want map[string]int
	}{
		{"an unknown name", nil, nil, map[string]int{"new": 1}},
		{"a new hash", &stored{match: wrong("new")}, nil, map[string]int{"new": 1}},
		{"a cheap hash", &stored{match: wrong("cheap"), cheap: true}, nil, map[string]int{"cheap": 1, "new": 1}},
		{"an unknown name beside dear hashes", nil, dear, map[string]int{"new": 1, "dear": 1}},
		{"a new hash beside dear ones", &stored{match: wrong("new")}, dear, map[string]int{"new": 1, "dear": 1}},
		{"a cheap hash beside dear ones", &stored{match: wrong("cheap"), cheap: true}, dear, map[string]int{"cheap": 1, "new": 1, "dear": 1}},
		{"the dearest hash", &stored{match: wrong("dear"), work: 500}, dear, map[string]int{"new": 1, "dear": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clear(spent)
			if tt.own == nil {
				require.NoError(t, h.verifyNobody(t.Context(), []string{"x"}, tt.dear))
			} else {
				tt.own.match([]byte("x"))
				h.pad(*tt.own, tt.dear, "x")
			}
			require.Equal(t, tt.want, spent)
		})
	}
	t.Run("each reading costs that much", func(t *testing.T) {
		clear(spent)
		require.NoError(t, h.verifyNobody(t.Context(), []string{"x ", "x"}, dear))
		require.Equal(t, map[string]int{"new": 2, "dear": 2}, spent)
	})
}

func TestDecoysAreLearntFromLogins(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	h, err := NewHasher(HasherOptions{Memory: 8, Time: 1})
	require.NoError(t, err)
	a, err := NewLocal(LocalOptions{
		Users: struct{ Users }{}, Hasher: h, Logger: slog.New(slog.DiscardHandler), KeepHashes: true,
		Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	try := func(c Credential) {
		l := &Login{User: User{Subject: "s"}, Credential: &c}
		_, err := a.AuthenticateLogin(t.Context(), Credentials{Directory: "d", Password: "wrong"}, l)
		require.True(t, errors.As(err, new(*Failure)))
		require.Equal(t, ReasonWrongPassword, ReasonOf(err))
	}
	work := func(directory string) int {
		if s := a.decoys.get(directory, now); s != nil {
			return s.work
		}
		return 0
	}
	bcrypt, argon := dearHashes()[0], dearHashes()[2] // 1248 and 128
	own, err := h.Hash(t.Context(), "right")
	require.NoError(t, err)

	try(Credential{Hash: own})
	require.Zero(t, work("d"), "a new hash is not dear")
	try(argon)
	require.Equal(t, 128, work("d"))
	try(bcrypt)
	require.Equal(t, 1248, work("d"), "the dearest counts")
	try(argon)
	require.Equal(t, 1248, work("d"))
	require.Zero(t, work("elsewhere"), "each directory has its own")

	now = now.Add(decoyTTL - time.Second)
	try(bcrypt)
	now = now.Add(decoyTTL - time.Second)
	require.Equal(t, 1248, work("d"), "it lasts while it is met")
	now = now.Add(time.Second)
	require.Zero(t, work("d"), "and for an hour after")
	try(argon)
	require.Equal(t, 128, work("d"), "then a less dear one will do")
}

func TestDecoysAreBounded(t *testing.T) {
	t.Parallel()
	var d decoys
	for i := range maxDecoys + 10 {
		d.learn(fmt.Sprint(i), dearHashes()[0], 1248, time.Unix(1_800_000_000, 0))
	}
	require.Len(t, d.of, maxDecoys)
}
