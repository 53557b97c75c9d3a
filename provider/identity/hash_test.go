package identity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// newHasher returns a hasher that costs next to nothing.
func newHasher(t testing.TB) *identity.Hasher {
	t.Helper()
	h, err := identity.NewHasher(identity.HasherOptions{Memory: 8, Time: 1})
	require.NoError(t, err)
	return h
}

func TestNewHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(t)
	ctx := t.Context()

	t.Run("a new hash verifies and need not be replaced", func(t *testing.T) {
		hash, err := h.Hash(ctx, vectorPassword)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$"), hash)
		c := identity.Credential{Hash: hash}
		require.NoError(t, identity.CheckHash(c))
		ok, rehash, err := h.Verify(ctx, c, vectorPassword)
		require.NoError(t, err)
		require.True(t, ok)
		require.False(t, rehash)
	})
	t.Run("the same password hashes differently each time", func(t *testing.T) {
		a, err := h.Hash(ctx, "same")
		require.NoError(t, err)
		b, err := h.Hash(ctx, "same")
		require.NoError(t, err)
		require.NotEqual(t, a, b)
	})
	t.Run("a hash with other parameters is replaced", func(t *testing.T) {
		hash, err := h.Hash(ctx, "password")
		require.NoError(t, err)
		other, err := identity.NewHasher(identity.HasherOptions{Memory: 16, Time: 1})
		require.NoError(t, err)
		ok, rehash, err := other.Verify(ctx, identity.Credential{Hash: hash}, "password")
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, rehash)
	})
	t.Run("the default is 19 MiB, two passes, one lane", func(t *testing.T) {
		d, err := identity.NewHasher(identity.HasherOptions{})
		require.NoError(t, err)
		hash, err := d.Hash(ctx, "password")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"), hash)
	})
}

func TestHasherRefuses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]identity.HasherOptions{
		"memory that no hash would be imported with": {Memory: 1 << 30},
		"passes that no hash would be imported with": {Time: 1 << 20},
		"less memory than its lanes need":            {Memory: 8, Threads: 2},
		"a negative number of workers":               {Workers: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.NewHasher(o)
			require.Error(t, err)
		})
	}
}

func TestPasswordLimits(t *testing.T) {
	t.Parallel()
	h := newHasher(t)
	ctx := t.Context()
	const nulBcrypt = "$2b$04$HP8Yq4AjaW0RfzSaKecgjermmbZz/Ibp04mVeSbSH86fpPskQ47qi"  // "abc"
	const longBcrypt = "$2b$04$Z97gfLUkRoBsYROC.fXm0.PzrKXI39qV.3YmYMguM8B6FU.i/cXja" // 80 times "y"
	const longCrypt = "$6$rounds=1000$abc$idSG5s7AZYLdw98Hm94XCuy9TQOS2zaXsiBm6OBEYcmW83nvbaYnfhOY8FtWtxMRS.S4E0mLk0O1B7PSBYY7d0"
	longest := strings.Repeat("p", identity.MaxPassword)
	longestHash, err := h.Hash(ctx, longest)
	require.NoError(t, err)

	for _, tt := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"bcrypt sees 72 bytes: all 80 are right", longBcrypt, strings.Repeat("y", 80), true},
		{"bcrypt sees 72 bytes: 72 are right", longBcrypt, strings.Repeat("y", 72), true},
		{"bcrypt sees 72 bytes: 71 are wrong", longBcrypt, strings.Repeat("y", 71), false},
		{"bcrypt sees 72 bytes: what follows does not matter", longBcrypt, strings.Repeat("y", 72) + "z", true},
		{"bcrypt stops at a NUL, as in C", nulBcrypt, "abc\x00def", true},
		{"bcrypt does not stop before it", nulBcrypt, "ab\x00c", false},
		{"crypt(3) takes 511 bytes", longCrypt, strings.Repeat("z", 511), true},
		{"crypt(3) takes no 512 bytes", longCrypt, strings.Repeat("z", 512), false},
		{"the longest password is right", longestHash, longest, true},
		{"a longer password is never right", longestHash, longest + "p", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ok, _, err := h.Verify(ctx, identity.Credential{Hash: tt.hash}, tt.password)
			require.NoError(t, err)
			require.Equal(t, tt.want, ok)
		})
	}
	t.Run("a longer password is not hashed", func(t *testing.T) {
		_, err := h.Hash(ctx, longest+"p")
		require.Equal(t, identity.ReasonInvalidRequest, identity.ReasonOf(err))
		require.NoError(t, h.VerifyDummy(ctx, longest+"p"))
	})
}

func TestCheckHashRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQxMjM0NTY3OA", "/sEJw/q7iQQwYvCvXzniWaTrIg24IdYbpjXcYnE/lIE"
	crypt86 := strings.Repeat("a", 86)
	for _, tt := range []struct {
		name, scheme, hash, salt, want string
	}{
		{"nothing", "", "", "", "empty"},
		{"a form nobody knows", "", "$9$salt$key", "", "does not name its scheme"},
		{"an unknown scheme", "rot13", "uryyb", "", "unknown hash scheme"},
		{"a scheme and the form of another", "bcrypt", "$1$abcdefgh$VGSwR5HYmfA7VYZ4zifSW.", "", "form of its scheme"},
		{"a salt beside a hash that has one", "", "$1$abcdefgh$VGSwR5HYmfA7VYZ4zifSW.", "x", "holds its own"},
		{"hexadecimal without a scheme", "", "c0ed5cee9d646e0794e5afb864d9deb3", "", "none is given"},
		{"hexadecimal of another length", "sha1", "c0ed5cee9d646e0794e5afb864d9deb3", "", "form of its scheme"},
		{"a salted scheme without a salt", "md5-salt-pass", "c0ed5cee9d646e0794e5afb864d9deb3", "", "salt is missing"},
		{"a plain scheme with a salt", "md5", "c0ed5cee9d646e0794e5afb864d9deb3", "x", "has none"},
		{"a very long hash", "", "$1$" + strings.Repeat("a", 2000), "", "longer than"},
		{"a very long salt", "md5-salt-pass", "c0ed5cee9d646e0794e5afb864d9deb3", strings.Repeat("a", 300), "longer than"},
		{"argon2id with 4 TiB", "", "$argon2id$v=19$m=4294967296,t=2,p=1$" + salt + "$" + key, "", "number within its limits"},
		{"argon2id with 512 MiB", "", "$argon2id$v=19$m=524288,t=1,p=1$" + salt + "$" + key, "", "costs too much"},
		{"argon2id with many passes", "", "$argon2id$v=19$m=65536,t=17,p=1$" + salt + "$" + key, "", "costs too much"},
		{"argon2id with many lanes", "", "$argon2id$v=19$m=65536,t=1,p=64$" + salt + "$" + key, "", "costs too much"},
		{"argon2id with no passes", "", "$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key, "", "number within its limits"},
		{"argon2id with a parameter twice", "", "$argon2id$v=19$m=64,m=64,p=1$" + salt + "$" + key, "", "missing"},
		{"argon2id of the old version", "", "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key, "", "version"},
		{"argon2id with a short key", "", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA", "", "malformed"},
		{"argon2d", "", "$argon2d$v=19$m=64,t=1,p=1$" + salt + "$" + key, "", "does not name its scheme"},
		{"bcrypt with cost 16", "", "$2b$16$IJkPUBnRWgkbKMwr5W5Cau6HynP2Zlz.7KDh1gDeov5ZSH0rRyChW", "", "costs too much"},
		{"bcrypt with cost 3", "", "$2b$03$IJkPUBnRWgkbKMwr5W5Cau6HynP2Zlz.7KDh1gDeov5ZSH0rRyChW", "", "below 4"},
		{"bcrypt cut short", "", "$2b$04$IJkPUBnRWgkbKMwr5W5Cau", "", "malformed"},
		{"bcrypt with the sign bug", "", "$2x$04$IJkPUBnRWgkbKMwr5W5Cau6HynP2Zlz.7KDh1gDeov5ZSH0rRyChW", "", "does not name its scheme"},
		{"PBKDF2 with many iterations", "", "$pbkdf2-sha256$99999999$" + salt + "$" + key, "", "costs too much"},
		{"PBKDF2 with a huge key", "", "$pbkdf2$1000000$" + salt + "$" + strings.Repeat("A", 400), "", "costs too much"},
		{"Django with many iterations", "", "pbkdf2_sha256$99999999$salt$" + key, "", "costs too much"},
		{"scrypt with 1 GiB", "", "$scrypt$ln=20,r=8,p=1$" + salt + "$" + key, "", "costs too much"},
		{"scrypt with a huge block", "", "$scrypt$ln=1,r=999999999,p=1$" + salt + "$" + key, "", "costs too much"},
		{"scrypt with much parallelism", "", "$scrypt$ln=14,r=8,p=1000$" + salt + "$" + key, "", "costs too much"},
		{"sha512-crypt with many rounds", "", "$6$rounds=999999999$abc$" + crypt86, "", "not within"},
		{"sha512-crypt with few rounds", "", "$6$rounds=10$abc$" + crypt86, "", "not within"},
		{"sha512-crypt with a long salt", "", "$6$abcdefghijklmnopq$" + crypt86, "", "malformed"},
		{"phpass with 2^30 rounds", "", "$P$SJB9V/tZtha3CYJ0QHG0d3DM1Vwtz1.", "", "not within"},
		{"LDAP of an unknown kind", "", "{SHA3}AAAA", "", "unknown LDAP"},
		{"LDAP with no salt where one belongs", "", "{SSHA}w8uddwqy/HPFHnFAgSXGzmpG+xI=", "", "malformed"},
		{"LDAP around itself", "", "{CRYPT}{CRYPT}{SHA}x", "", "unknown LDAP"},
		{"OSSN without a salt", "ossn", "72db382c0766a1b238f8386c6b6f6608", "", "salt is missing"},
		{"OSSN of another form", "ossn", "$1$abcdefgh$VGSwR5HYmfA7VYZ4zifSW.", "ab12cd34", "form of its scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := identity.CheckHash(identity.Credential{Hash: tt.hash, Scheme: tt.scheme, Salt: tt.salt})
			require.ErrorContains(t, err, tt.want)
			if len(tt.hash) > 20 {
				require.NotContains(t, err.Error(), tt.hash[len(tt.hash)-10:], "the error repeats the hash")
			}
		})
	}
}

func TestStoredHashThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, _, err := newHasher(t).Verify(t.Context(), identity.Credential{Hash: "garbage"}, "garbage")
	require.Equal(t, identity.ReasonInternal, identity.ReasonOf(err))
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.scheme, v.hash, v.salt, vectorPassword)
	}
	h := newHasher(f)
	f.Fuzz(func(t *testing.T, scheme, hash, salt, password string) {
		c := identity.Credential{Hash: hash, Scheme: scheme, Salt: salt}
		if identity.CheckHash(c) != nil || strings.Contains(hash, "$1") || len(hash) > 200 {
			return // the dearest that are accepted would keep the fuzzer busy
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, _, err := h.Verify(ctx, c, password); err != nil {
			t.Fatalf("a hash that was accepted does not verify: %v", err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h, err := identity.NewHasher(identity.HasherOptions{})
	require.NoError(b, err)
	hash, err := h.Hash(b.Context(), vectorPassword)
	require.NoError(b, err)
	for name, c := range map[string]identity.Credential{
		"argon2id": {Hash: hash},
		"bcrypt4":  {Hash: "$2b$04$IJkPUBnRWgkbKMwr5W5Cau6HynP2Zlz.7KDh1gDeov5ZSH0rRyChW"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, _, err := h.Verify(b.Context(), c, vectorPassword); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
