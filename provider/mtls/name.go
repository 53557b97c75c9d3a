package mtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// attribute is one part of a relative distinguished name, made comparable.
type attribute struct{ oid, value string }

// dn is a distinguished name as certificates have it, the root first. The
// attributes of each part are in one order.
type dn [][]attribute

const maxDN = 4 << 10 // bytes of a distinguished name as text

var errDN = errors.New("not a distinguished name (RFC 4514)")

// oidOf knows the short names of RFC 4514, section 3, and those that tools for
// certificates write; "" for others.
func oidOf(short string) string {
	switch strings.ToUpper(short) {
	case "CN":
		return "2.5.4.3"
	case "SN", "SURNAME":
		return "2.5.4.4"
	case "SERIALNUMBER":
		return "2.5.4.5"
	case "C":
		return "2.5.4.6"
	case "L":
		return "2.5.4.7"
	case "ST", "S":
		return "2.5.4.8"
	case "STREET":
		return "2.5.4.9"
	case "O":
		return "2.5.4.10"
	case "OU":
		return "2.5.4.11"
	case "TITLE", "T":
		return "2.5.4.12"
	case "BUSINESSCATEGORY":
		return "2.5.4.15"
	case "POSTALCODE":
		return "2.5.4.17"
	case "GN", "GIVENNAME":
		return "2.5.4.42"
	case "ORGANIZATIONIDENTIFIER":
		return "2.5.4.97"
	case "UID":
		return "0.9.2342.19200300.100.1.1"
	case "DC":
		return "0.9.2342.19200300.100.1.25"
	case "EMAILADDRESS", "E":
		return "1.2.840.113549.1.9.1"
	case "JURISDICTIONL":
		return "1.3.6.1.4.1.311.60.2.1.1"
	case "JURISDICTIONST":
		return "1.3.6.1.4.1.311.60.2.1.2"
	case "JURISDICTIONC", "JURISDICTIONCOUNTRYNAME":
		return "1.3.6.1.4.1.311.60.2.1.3"
	}
	return ""
}

// parseDN reads the form of RFC 4514, whose first part is the last one of the
// certificate.
func parseDN(s string) (dn, error) {
	if s == "" || len(s) > maxDN || !utf8.ValidString(s) {
		return nil, errDN
	}
	var out dn
	for len(s) > 0 {
		var part []attribute
		for more := true; more; {
			a, rest, err := parseAttribute(s)
			if err != nil {
				return nil, err
			}
			part, s, more = append(part, a), rest, strings.HasPrefix(rest, "+")
			if s == "" {
				break
			}
			if s = s[1:]; s == "" { // a separator with nothing behind it
				return nil, errDN
			}
		}
		out = append(out, sorted(part))
	}
	slices.Reverse(out)
	return out, nil
}

// parseAttribute reads up to a separator, which it leaves.
func parseAttribute(s string) (attribute, string, error) {
	name, rest, found := strings.Cut(s, "=")
	name = strings.TrimSpace(name)
	oid := oidOf(name)
	if oid == "" {
		if oid = strings.TrimPrefix(strings.ToUpper(name), "OID."); !isOID(oid) {
			return attribute{}, "", errDN
		}
	}
	value, rest, err := parseValue(strings.TrimLeft(rest, " "))
	if !found || err != nil || value == "" {
		return attribute{}, "", errDN
	}
	return attribute{oid, folded(value)}, rest, nil
}

func isOID(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(p string) bool {
		n, err := strconv.ParseUint(p, 10, 31)
		return err != nil || strconv.FormatUint(n, 10) != p
	})
}

func parseValue(s string) (value, rest string, err error) {
	if strings.HasPrefix(s, "#") {
		return parseHexValue(s[1:])
	}
	var b strings.Builder
	kept := 0 // the length without spaces that nothing escapes at the end
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+', ';':
			return b.String()[:kept], s[i:], nil
		case '"', '<', '>', 0:
			return "", "", errDN
		case '\\':
			octet, used, err := parseEscape(s[i+1:])
			if err != nil {
				return "", "", err
			}
			b.WriteByte(octet)
			i += used
			kept = b.Len()
		default:
			b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept], "", nil
}

func parseEscape(s string) (octet byte, used int, err error) {
	if s == "" {
		return 0, 0, errDN
	}
	if strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1, nil
	}
	if len(s) < 2 {
		return 0, 0, errDN
	}
	b, err := hex.DecodeString(s[:2])
	if err != nil || b[0] == 0 {
		return 0, 0, errDN
	}
	return b[0], 2, nil
}

// parseHexValue reads the BER encoding of a text.
func parseHexValue(s string) (value, rest string, err error) {
	end := strings.IndexAny(s, ",+;")
	if end < 0 {
		end = len(s)
	}
	b, err := hex.DecodeString(strings.TrimSpace(s[:end]))
	if err != nil {
		return "", "", errDN
	}
	var decoded any
	if left, err := asn1.Unmarshal(b, &decoded); err != nil || len(left) > 0 {
		return "", "", errDN
	}
	text, ok := decoded.(string)
	if !ok {
		return "", "", errDN
	}
	return text, s[end:], nil
}

// folded prepares a value for caseIgnoreMatch (RFC 5280, section 7.1): case is
// ignored, and so is how many spaces there are.
func folded(value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}

func sorted(part []attribute) []attribute {
	slices.SortFunc(part, func(a, b attribute) int {
		if n := strings.Compare(a.oid, b.oid); n != 0 {
			return n
		}
		return strings.Compare(a.value, b.value)
	})
	return part
}

// subjectOf reads the subject of a certificate as it was signed.
func subjectOf(cert *x509.Certificate) (dn, error) {
	var names pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &names); err != nil || len(rest) > 0 {
		return nil, errDN
	}
	var out dn
	for _, set := range names {
		var part []attribute
		for _, a := range set {
			text, ok := a.Value.(string)
			if !ok {
				return nil, errDN
			}
			part = append(part, attribute{a.Type.String(), folded(text)})
		}
		out = append(out, sorted(part))
	}
	return out, nil
}

func (d dn) equal(other dn) bool {
	return slices.EqualFunc(d, other, func(a, b []attribute) bool { return slices.Equal(a, b) })
}
