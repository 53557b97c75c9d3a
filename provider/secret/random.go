package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
)

// Scannable completes a token of a prefix and 32 bytes with a checksum, by
// which a secret scanner tells it from chance.
func Scannable(prefix string, random []byte) string {
	body := prefix + base64.RawURLEncoding.EncodeToString(random)
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	return body + base64.RawURLEncoding.EncodeToString(sum)
}

// Token is a prefix and 256 random bits, with a checksum. It never fails: crypto/rand ends the program rather than give
// less than it promises.
func Token(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return Scannable(prefix, b[:])
}

// ID is 128 random bits in hexadecimal.
func ID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Alnum returns 16 letters and digits; 62 does not divide 256, and the
// bytes that would make some likelier are thrown away.
func Alnum() string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, 16)
	var b [32]byte
	for len(out) < cap(out) {
		_, _ = rand.Read(b[:])
		for _, v := range b {
			if v < 248 && len(out) < cap(out) {
				out = append(out, letters[v%62])
			}
		}
	}
	return string(out)
}
