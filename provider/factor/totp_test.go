package factor

import (
	"bytes"
	"image/png"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The secret and times of RFC 6238, appendix B; its codes have eight digits, ours their
// last six.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	secret := []byte("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, err := stepOf(secret, code, time.Unix(at, 0))
		require.NoError(t, err)
		require.Equal(t, at/30, step)
		if at == 59 {
			continue // there is no time before it
		}
		for off, right := range map[int64]bool{-60: false, -30: true, 30: true, 60: false} {
			_, err := stepOf(secret, code, time.Unix(at+off, 0))
			require.Equal(t, right, err == nil, "%d seconds off", off)
		}
	}
	_, err := stepOf(secret, "000000", time.Unix(59, 0))
	require.ErrorIs(t, err, errNoStep)
}

func TestWhatCanBeACode(t *testing.T) {
	for typed, code := range map[string]string{
		"123456": "123456", " 123 456\n": "123456", "1 2 3 4 5 6": "123456", "12345": "", "1234567": "", "12345a": "", "": "", "１２３４５６": "",
		"123456                                                                          ": "", "-12345": "", "+12345": "", "1e4567": "",
	} {
		require.Equal(t, code, asCode(typed), "%q", typed)
	}
}

func TestAKeyIsDrawn(t *testing.T) {
	key, err := newKey("Example", `a:b/"<ü>`)
	require.NoError(t, err)
	require.Len(t, key.Secret, 32, "160 bits in Base32")
	image, err := png.Decode(bytes.NewReader(key.Image))
	require.NoError(t, err)
	require.Equal(t, imageSize, image.Bounds().Dx())
	other, err := newKey("Example", "alice")
	require.NoError(t, err)
	require.NotEqual(t, key.Secret, other.Secret)
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := newRecoveryCodes()
	seen := map[[32]byte]bool{}
	for i, code := range codes {
		require.Regexp(t, `^([a-z2-7]{4}-){3}[a-z2-7]{4}$`, code)
		for _, typed := range []string{code, " " + code + " "} {
			hash, ok := recoveryHash(typed)
			require.True(t, ok)
			require.Equal(t, hashes[i], hash)
		}
		seen[hashes[i]] = true
	}
	require.Len(t, seen, 10)
	for _, typed := range []string{"", "123456", "aaaa-bbbb-cccc", "aaaa-bbbb-cccc-ddd1", "aaaa-bbbb-cccc-dddd-e", string(make([]byte, 100))} {
		_, ok := recoveryHash(typed)
		require.False(t, ok, typed)
	}
}

func TestWhereTheCodeEnds(t *testing.T) {
	for typed, want := range map[string][2]string{
		"secret123456": {"secret", "123456"}, "secret": {"secret", ""}, "123456": {"123456", ""}, "1123456": {"1", "123456"},
		"secret12345": {"secret12345", ""}, "secret123456 ": {"secret123456 ", ""}, "": {"", ""}, "aaaaa-bbbbb-ccccc-22222": {"aaaaa-bbbbb-ccccc-22222", ""},
	} {
		password, code := cutCode(typed)
		require.Equal(t, want, [2]string{password, code}, "%q", typed)
	}
	require.Equal(t, []string{"a"}, equivalents([]string{"a123456", "b"}, "123456"))
}

// FuzzTyped holds whatever is typed into the field for codes to what it can be.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "aaaa-bbbb-cccc-dddd", "\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := asCode(typed)
		hash, ok := recoveryHash(typed)
		if code != "" && ok {
			t.Errorf("%q is both", typed)
		}
		if !ok && hash != [32]byte{} {
			t.Errorf("%q has a hash", typed)
		}
		if code != "" {
			if _, err := stepOf([]byte("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), code, time.Unix(0, 0)); err != nil {
				require.ErrorIs(t, err, errNoStep)
			}
		}
		password, behind := cutCode(typed)
		require.Equal(t, typed, password+behind)
	})
}
