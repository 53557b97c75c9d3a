package adapter

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // what the legacy systems' own shapes are made of; no secret rests on it
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as md5
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

func md5Hex(parts ...any) string {
	sum := md5.Sum([]byte(concat(parts...))) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

func sha1Hex(parts ...any) string {
	sum := sha1.Sum([]byte(concat(parts...))) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

func base64Std(v any) string { return base64.StdEncoding.EncodeToString([]byte(toText(v))) }

// maxRandom is the most characters one call of the function random gives.
const maxRandom = 1024

// alphabets are the named alphabets of the function random.
var alphabets = map[string]string{
	"hex":       "0123456789abcdef",
	"HEX":       "0123456789ABCDEF",
	"alnum":     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	"lower":     "abcdefghijklmnopqrstuvwxyz",
	"digits":    "0123456789",
	"base32hex": "0123456789abcdefghijklmnopqrstuv",
}

func random(n int, name string) (string, error) {
	alphabet, ok := alphabets[name]
	if !ok {
		return "", fmt.Errorf("there is no alphabet %q", name)
	}
	if n < 1 || n > maxRandom {
		return "", fmt.Errorf("random gives 1 to %d characters", maxRandom)
	}
	// Every alphabet has at most 64 letters: six bits choose one, and those
	// beyond its end are drawn again, so that each letter is as likely.
	out, drawn := make([]byte, 0, n), make([]byte, 2*n)
	for len(out) < n {
		if _, err := rand.Read(drawn); err != nil {
			return "", err
		}
		for _, b := range drawn {
			if k := int(b & 63); k < len(alphabet)*(64/len(alphabet)) && len(out) < n {
				out = append(out, alphabet[k%len(alphabet)])
			}
		}
	}
	return string(out), nil
}

// saltedPrefix begins what `openssl enc` writes with a salt.
const saltedPrefix = "Salted__"

// opensslSalted encrypts text under AES-256-CBC with a key and IV from the
// passphrase and a random salt, as `openssl enc -aes-256-cbc -md md5 -base64`
// and CryptoJS.AES.encrypt do.
func opensslSalted(passphrase, text any) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key, iv := bytesToKey([]byte(toText(passphrase)), salt)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	plain := []byte(toText(text))
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	out := append([]byte(saltedPrefix), salt...)
	return base64.StdEncoding.EncodeToString(append(out, plain...)), nil
}

// opensslUnsalt undoes [opensslSalted]; ok is false for anything else.
func opensslUnsalt(passphrase, text string) (plain string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 16+aes.BlockSize || len(raw)%aes.BlockSize != 0 || string(raw[:8]) != saltedPrefix {
		return "", false
	}
	key, iv := bytesToKey([]byte(passphrase), raw[8:16])
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", false
	}
	body := raw[16:]
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(body, body)
	pad := int(body[len(body)-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.Equal(body[len(body)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return "", false
	}
	return string(body[:len(body)-pad]), true
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one round, for
// AES-256-CBC: 32 bytes of key and 16 of IV.
func bytesToKey(passphrase, salt []byte) (key, iv []byte) {
	var derived, last []byte
	for len(derived) < 48 {
		sum := md5.Sum(append(append(last, passphrase...), salt...)) //nolint:gosec // the format's own derivation
		last = sum[:]
		derived = append(derived, last...)
	}
	return derived[:32], derived[32:48]
}
