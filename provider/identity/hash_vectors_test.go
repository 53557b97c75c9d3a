package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// vectorPassword has everything that a scheme may stumble over.
const vectorPassword = "pässwörd \"<&>' \\ €"

type vector struct {
	name, scheme, hash, salt string
}

// vectors were made by other programs: passlib, bcrypt and argon2-cffi,
// Django, hashlib (OpenSSL), and crypt(3) of glibc.
func vectors() []vector {
	return []vector{
		{"bcrypt $2a$ of the bcrypt module", "", "$2a$04$zxnBesoZsRnGXeXz8Rq92e.b2qwAOOLch9yaA0IvkS7NSSKHZ2mhi", ""},
		{"bcrypt $2b$ of the bcrypt module", "", "$2b$04$/8dc.StIgHB1omu8phCNQ.7IvfUvyq70sr18n4XY4JT2nLNZb9qR.", ""},
		{"bcrypt $2y$ as PHP writes it", "bcrypt", "$2y$04$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC", ""},
		{"bcrypt as Django writes it", "", "bcrypt$$2b$04$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC", ""},
		{"argon2id of the reference library", "", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$/sEJw/q7iQQwYvCvXzniWaTrIg24IdYbpjXcYnE/lIE", ""},
		{"argon2i of the reference library", "argon2", "$argon2i$v=19$m=256,t=3,p=4$c29tZXNhbHQxMjM0NTY3OA$0REh5EEM3psdvJsEI87uR6isBcviiDHa", ""},
		{"argon2id as Django writes it", "", "argon2$argon2id$v=19$m=64,t=2,p=8$c29tZXNhbHQxMjM0NTY3OA$k7FSWiQCK70Kq1jlPeRkt+SsOv6SZwUnY4TOb/PbGRU", ""},
		{"PBKDF2-SHA-256 of passlib", "", "$pbkdf2-sha256$100$.vv8/f7/.//.$rWfQI5CqfSL2a0fuFo36Q7HqSEvfaAVZui/TedgLhEo", ""},
		{"PBKDF2-SHA-512 of passlib", "pbkdf2", "$pbkdf2-sha512$100$/b.3lrKWUkpJidGak/Iegw$llAcPyX.1xXEiMLnuuWQKzSjqG2JsZZkkzjTLFii/0Opts31YvNruYp7JohSv8OtYnGNA4Zrp02tmFljpN2.4w", ""},
		{"PBKDF2-SHA-1 of passlib", "", "$pbkdf2$100$MoZw7h0DwDinFGKMEeJcqw$aSXG3SOA.xPN3yYw7y5qCLHmiGc", ""},
		{"PBKDF2-SHA-256 in PHC form", "", "$pbkdf2-sha256$i=1000,l=32$+//+c2FsdHNhbHQ$NEKC4jkSFb46GtFXh19wPFnn+c597XLOCE0Img1QjP4", ""},
		{"PBKDF2-SHA-256 of Django", "", "pbkdf2_sha256$1000$somesalt1234567890abcd$gA8RMrvnZF737fuC0PLxkuezEgTL+UD3AcwaaZZFUQI=", ""},
		{"PBKDF2-SHA-1 of Django", "django", "pbkdf2_sha1$1000$somesalt$wJ5IgfSXeBbktvQ5EjwV2EOrRFo=", ""},
		{"scrypt of passlib", "", "$scrypt$ln=4,r=8,p=2$xvifk9L6H4PQGkMIQeidMw$ZK9SWSDElYp/UBjkm+HmoR6ujcmktx2hZeVEUa46gWE", ""},
		{"scrypt of OpenSSL", "scrypt", "$scrypt$ln=4,r=8,p=1$+//+c2FsdA$XncLSk6N6vjtaesd4VboJTkhfu8rdQY/pPcvlZYZ7ZDVvqDEYa+5uso7POWq9PLEhethegtvfxTYnOjGGEFucg", ""},
		{"md5-crypt of crypt(3)", "", "$1$abcdefgh$VGSwR5HYmfA7VYZ4zifSW.", ""},
		{"md5-crypt with an empty salt", "md5-crypt", "$1$$Ms2Nmr9exOnViZFnuibUx0", ""},
		{"sha256-crypt of crypt(3)", "", "$5$saltstring$VHsRinl8wdYp8PyiX/pOL5R3/IOYOiIJd4YM6NL4Zx2", ""},
		{"sha256-crypt with rounds", "sha256-crypt", "$5$rounds=1234$saltstringsaltst$yxQTl2.pTxNiP2.Rx1u/uGSX/EEf0IpZfLbSFhtd7d2", ""},
		{"sha512-crypt of crypt(3)", "", "$6$saltstring$RR3ZBZ.JEHg6IHJzumPK8JqhOBoa07do6FU0UZH5YBWAqUWMREiddw5NYFFEnvdmd8jhRsvJZp49yhFAr1TjR/", ""},
		{"sha512-crypt with rounds", "sha512-crypt", "$6$rounds=1000$abc$d6MA1bK.fkAGzpwasb3bIMd1iF3U1GmBiUwyUJqzxaev26OlXXCw3x6qnaskJw2BM5n8sjscrto2287D5w4Dj/", ""},
		{"phpass of passlib", "", "$P$69JQquDMDXoyDUoewFrSUjdYgA.cs4.", ""},
		{"phpass as phpBB writes it", "phpass", "$H$5bXgj2nOXavLzGheQzKQUCqsE5QMNY/", ""},
		{"LDAP {SSHA}", "", "{SSHA}Fn52WZ52x596BpKBa29tW0vv+BoH4LzX", ""},
		{"LDAP {SHA}", "", "{SHA}w8uddwqy/HPFHnFAgSXGzmpG+xI=", ""},
		{"LDAP {SMD5}", "", "{SMD5}HStr6EEWTBw2DEqBEE8cfUUoReg=", ""},
		{"LDAP {MD5}", "ldap", "{MD5}wO1c7p1kbgeU5a+4ZNnesw==", ""},
		{"LDAP {SSHA256}", "", "{SSHA256}/RIk86u7Fz5hZNbeSkDYImPwkSIFmxs4BWViZKXXS01IibEWQojRug==", ""},
		{"LDAP {SSHA512}", "", "{SSHA512}z8wXeznJ8KcGdgJGxsTou7nCI/Jys2ltniYVPlQOT3494Yf198nN1ccgtEBhxyIYFmr392rjNIIbNJ9d+xjcRmNMibE2xlgL", ""},
		{"LDAP {CRYPT}", "ldap", "{CRYPT}$6$rounds=1000$abc$d6MA1bK.fkAGzpwasb3bIMd1iF3U1GmBiUwyUJqzxaev26OlXXCw3x6qnaskJw2BM5n8sjscrto2287D5w4Dj/", ""},
		{"LDAP {ssha} in lower case", "", "{ssha}sGhz+EzaSv2ReJiciwk0o0ad/A7knHOu", ""},
		{"plain md5", "md5", "c0ed5cee9d646e0794e5afb864d9deb3", ""},
		{"md5 with the salt first", "md5-salt-pass", "c17f20b2ba9517390ba85d60528c2ffc", "NaCl$"},
		{"md5 with the salt last", "md5-pass-salt", "0528BD56332BC97DCA16FE23DC866795", "NaCl$"},
		{"plain sha1", "sha1", "c3cb9d770ab2fc73c51e71408125c6ce6a46fb12", ""},
		{"sha1 with the salt first", "sha1-salt-pass", "119a8eb7fb27272e629e149e1e6de4cfd84477fd", "NaCl$"},
		{"sha1 with the salt last", "sha1-pass-salt", "67B8ACFBB5955B745C1220C76093B5A52527134D", "NaCl$"},
		{"plain sha256", "sha256", "e2da8a2e1ff8c67b533f071737d6db534f40a80582b7ac08a8ec71619afb5ac8", ""},
		{"sha256 with the salt first", "sha256-salt-pass", "17a5bb9d853214ab9e42623b1da048e4a4bb6e9b98b4a2f17ac6de6db30ff0ca", "NaCl$"},
		{"sha256 with the salt last", "sha256-pass-salt", "77853A75C465C8285D26C7917492FA98D7992A785C1DA56C8B8110FF64C22C7B", "NaCl$"},
		{"plain sha512", "sha512", "7337dbd388ca78cad22dfd923fd25ae577a0c426aa570c751cfb83558cc2f64a383b77ec8037f68b75f1f81e1f293b6cd08f4fa5d1c99f898b18a212177785fd", ""},
		{"sha512 with the salt first", "sha512-salt-pass", "c407c3f05066228879ceb2011d262e763b1a497d4246a0200da911960e75a0b4de70a7474053d6d17731488ab6b0a74cfcf251ec0dac70f9d13c370354c6550d", "NaCl$"},
		{"sha512 with the salt last", "sha512-pass-salt", "C7A3DB8020CEF12E7447F0B6A4054F6110C1154D5AED5555175933CF9A64989B3FC2DEE7B763CC83232F016BEE09DF1547CE61EB835AAD8C4AA97531A6988E9C", "NaCl$"},
		{"OSSN md5", "ossn", "72db382c0766a1b238f8386c6b6f6608", "ab12cd34"},
		{"OSSN bcrypt", "ossn", "$2y$04$n5kq8xH.1yB0v.UYkdOtS.z6WK3DAEsFQC5RrqbCp11vWchrb8cl2", "ab12cd34"},
		{"OSSN argon2i", "ossn", "$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHQxMjM0NTY3OA$Q4KK6vazCPHaBuGdM8SyOyUwz+ll75YQAxvgnF3H8E4", "ab12cd34"},
	}
}

func (v vector) credential() identity.Credential {
	return identity.Credential{Subject: "s", Slot: identity.SlotPassword, Hash: v.hash, Scheme: v.scheme, Salt: v.salt}
}

func TestHashesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	h := newHasher(t)
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, identity.CheckHash(v.credential()))
			for password, want := range map[string]bool{
				vectorPassword: true, vectorPassword + "x": false, vectorPassword[1:]: false, "": false, v.salt: false, v.hash: false,
			} {
				ok, rehash, err := h.Verify(t.Context(), v.credential(), password)
				require.NoError(t, err)
				require.Equal(t, want, ok, "password %q", password)
				require.Equal(t, want, rehash, "a good login replaces an imported hash, a bad one never")
			}
		})
	}
}
