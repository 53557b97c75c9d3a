package identity_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"keyway/provider/identity"
)

func person() *identity.User {
	return &identity.User{Email: "Zoe.Kravitz@example.com", LoginNames: []identity.LoginName{
		{Directory: "default", Name: "zoekra"}, {Directory: "default", Name: "zoe.kravitz@example.com"},
	}}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	for problem, all := range map[identity.PasswordProblem][]string{
		identity.PasswordTooShort:  {"x", "k7#Qz!p", "äöüßäöü"},
		identity.PasswordTooLong:   {strings.Repeat("kX", 64) + "z", strings.Repeat("ä", 129)},
		identity.PasswordMalformed: {"k7#Qz!p\xff\xfe", "k7#Qz!p\x00rest", " \t \t\t  \t ", ""},
		identity.PasswordOwnName:   {"zoe.kravitz@example.com", "Zoe.Kravitz", "ZOEKRA12", "zoekra2024!"},
		identity.PasswordCommon: {
			"password", "Password1", "P@ssw0rd", "p455w0rd!", "PASSWORD2024!", "passwordpassword", "password123", "123password", "!!password!!",
			"12345678", "123456789", "87654321", "11111111", "00000000", "12341234", "abcabcabc",
			"qwertyui", "qwerty123", "qwertz123", "asdfghjk", "asdf1234", "1qaz2wsx", "1q2w3e4r", "zxcvbnm123", "qwertyqwerty", "abcd1234", "1234abcd",
			"iloveyou1", "sunshine", "Summer2024!", "Sommer2025", "welcome1", "Welcome123!", "letmein99", "admin123", "administrator1", "changeme!",
			"football1", "charlie99", "trustno1", "dragon123", "monkey1234", "19841984", "12041985", "19850412", "aaaaaaaa", "a1a1a1a1", "!@#$%^&*",
			"147258369", "Passwort1", "geheim123", "testtest", "passwordabc", "abc123password", "password1234567890",
		},
	} {
		for _, p := range all {
			var got identity.PasswordProblem
			if err := identity.JudgePassword(p, person()); !errors.As(err, &got) || got != problem {
				t.Errorf("%q: %v, want %s", p, err, problem)
			}
		}
	}
}

func TestPasswordsThatAreTaken(t *testing.T) {
	for _, p := range []string{
		"correct horse battery", "correct-horse", "k7#Qz!pw", "xjfhwpqz", "mein Hund heißt Otto", "пароль-слона", "パスワードはひみつです", "tr0ub4dor&3",
		"  blanks at both ends  ", "zoe likes kravitz", "k" + strings.Repeat("q7-Vw ", 21) + "z", "83920174", "a\tb\nc d e f", "property-of-mine",
	} {
		if err := identity.JudgePassword(p, person()); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := identity.JudgePassword("k7#Qz!pw", &identity.User{}); err != nil {
		t.Errorf("somebody without a name: %v", err)
	}
}

func TestTheListsAreSorted(t *testing.T) {
	for _, file := range []string{"common_passwords.txt", "common_words.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(string(text))
		if len(lines) < 800 || !slices.IsSorted(lines) || strings.Join(lines, "\n")+"\n" != string(text) {
			t.Errorf("%s: %d lines, which are to be sorted, each one word", file, len(lines))
		}
	}
}

// OWASP ASVS 5.0, 6.2.4: at least the 3,000 most common ones that are long enough.
func TestTheMostCommonPasswordsAreRefused(t *testing.T) {
	text, err := os.ReadFile("common_passwords.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	if len(all) != 10_000 {
		t.Fatalf("%d passwords", len(all))
	}
	for i, p := range all {
		if len(p) < identity.MinPassword || p != strings.ToLower(p) {
			t.Errorf("%q is of no use in the list", p)
		}
		if i%50 == 0 {
			p = strings.ToUpper(p)
		}
		if err := identity.JudgePassword(p, person()); !errors.Is(err, identity.PasswordCommon) {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{"Maverick2024!", "m4v3rick", "godzillagodzilla", "123midnight"} {
		if err := identity.JudgePassword(p, person()); !errors.Is(err, identity.PasswordCommon) {
			t.Errorf("%q is a common one with something around it: %v", p, err)
		}
	}
}

// What somebody types must not hold the server up.
func BenchmarkJudgePassword(b *testing.B) {
	worst := strings.Repeat("qwertasdf1-", 11) + "z"
	for b.Loop() {
		_ = identity.JudgePassword(worst, person())
	}
}

func FuzzJudgePassword(f *testing.F) {
	f.Add("P@ssw0rd1")
	f.Add("qwertyqwerty")
	f.Add("\xff\xfe12345678")
	f.Fuzz(func(t *testing.T, p string) {
		err := identity.JudgePassword(p, person())
		var problem identity.PasswordProblem
		if err != nil && !errors.As(err, &problem) {
			t.Fatalf("%q: %v", p, err)
		}
		if err == nil && len(p) < identity.MinPassword {
			t.Fatalf("%q is too short", p)
		}
	})
}
