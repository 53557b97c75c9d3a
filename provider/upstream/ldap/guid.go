package ldap

import (
	"encoding/hex"
	"slices"
	"strings"
)

// subjectIsGUID reports whether subjects are Active Directory's 16 bytes.
func (o *Options) subjectIsGUID() bool { return strings.EqualFold(o.Subject, "objectGUID") }

// textOfGUID writes a GUID as Microsoft does: the first three of its parts are
// little-endian (MS-DTYP, section 2.3.4).
func textOfGUID(raw []byte) (string, bool) {
	if len(raw) != 16 {
		return "", false
	}
	b := swapGUID(raw)
	part := func(from, to int) string { return hex.EncodeToString(b[from:to]) }
	return strings.Join([]string{part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)}, "-"), true
}

// bytesOfGUID takes nothing but what textOfGUID writes.
func bytesOfGUID(text string) ([]byte, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, false
	}
	raw := swapGUID(b)
	again, _ := textOfGUID(raw)
	return raw, again == text
}

func swapGUID(b []byte) []byte {
	out := slices.Clone(b)
	slices.Reverse(out[0:4])
	slices.Reverse(out[4:6])
	slices.Reverse(out[6:8])
	return out
}
