package mtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/require"
)

// certOf is a certificate of which only the subject matters.
func certOf(t testing.TB, name pkix.Name) *x509.Certificate {
	t.Helper()
	raw, err := asn1.Marshal(name.ToRDNSequence())
	require.NoError(t, err)
	return &x509.Certificate{RawSubject: raw}
}

func service() pkix.Name {
	return pkix.Name{
		Country: []string{"DE"}, Organization: []string{`Acme, Inc. + "Söhne"`}, OrganizationalUnit: []string{"Payments"},
		CommonName: "pay.example.com", SerialNumber: "HRB 1234",
	}
}

func TestADistinguishedNameIsComparedByItsParts(t *testing.T) {
	has, err := subjectOf(certOf(t, service()))
	require.NoError(t, err)
	const rest = `,CN=pay.example.com,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`
	for _, text := range []string{
		`SERIALNUMBER=HRB 1234` + rest,
		`serialNumber=hrb  1234` + rest,
		`2.5.4.5=HRB 1234` + rest,
		`OID.2.5.4.5=HRB\ 1234` + rest,
		`SERIALNUMBER=#13084852422031323334` + rest,
		`serialNumber = HRB 1234 , CN = pay.example.com, OU=PAYMENTS, O=Acme\2C Inc. \2b \"S\C3\B6hne\", C=DE`,
	} {
		want, err := parseDN(text)
		require.NoError(t, err, text)
		require.True(t, has.equal(want), text)
	}
}

func TestAnotherDistinguishedNameDoesNotMatch(t *testing.T) {
	has, err := subjectOf(certOf(t, service()))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"a part less":                `CN=pay.example.com,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
		"a part more":                `L=Bonn,SERIALNUMBER=HRB 1234,CN=pay.example.com,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
		"the other way round":        `C=DE,O=Acme\, Inc. \+ \"Söhne\",OU=Payments,CN=pay.example.com,SERIALNUMBER=HRB 1234`,
		"the attributes changed":     `SERIALNUMBER=HRB 1234,OU=pay.example.com,CN=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
		"two parts as one":           `SERIALNUMBER=HRB 1234+CN=pay.example.com,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
		"a name that only begins so": `SERIALNUMBER=HRB 1234,CN=pay.example.com.evil.example,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
		"the rest within one value":  `SERIALNUMBER=HRB 1234\,CN=pay.example.com\,OU=Payments,O=Acme\, Inc. \+ \"Söhne\",C=DE`,
	} {
		want, err := parseDN(text)
		require.NoError(t, err, name)
		require.False(t, has.equal(want), name)
	}
}

func TestPartsOfSeveralAttributesHaveNoOrder(t *testing.T) {
	raw, err := asn1.Marshal(pkix.RDNSequence{{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "x"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "y"},
	}})
	require.NoError(t, err)
	has, err := subjectOf(&x509.Certificate{RawSubject: raw})
	require.NoError(t, err)
	for _, text := range []string{"CN=x+O=y", "O=y+CN=x"} {
		want, err := parseDN(text)
		require.NoError(t, err)
		require.True(t, has.equal(want), text)
	}
}

func TestWhatIsNoDistinguishedNameIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "CN", "CN=", "=x", "CN=x,", "CN=x+", ",CN=x", "CN=x,,O=y", "NOPE=x", "1=x", "1.02=x", "1..2=x", `CN=x\`, `CN=\zz`,
		`CN=\00`, `CN="x"`, "CN=<x>", "CN=a\x00b", "CN=\xff", "CN=#", "CN=#zz", "CN=#020101", "CN=#0c0161ff", "OID.=x",
	} {
		_, err := parseDN(text)
		require.ErrorIs(t, err, errDN, "%q", text)
	}
	_, err := parseDN("CN=" + string(make([]byte, maxDN)))
	require.ErrorIs(t, err, errDN)
	_, err = subjectOf(&x509.Certificate{RawSubject: []byte{1}})
	require.ErrorIs(t, err, errDN)
}

func FuzzDN(f *testing.F) {
	f.Add(`CN=a\,b+OU=c, O = #0c0161 ;C=DE`)
	f.Fuzz(func(t *testing.T, text string) {
		name, err := parseDN(text)
		if err != nil {
			require.ErrorIs(t, err, errDN)
			return
		}
		require.NotEmpty(t, name)
		for _, part := range name {
			require.NotEmpty(t, part)
			for _, a := range part {
				require.NotEmpty(t, a.oid)
			}
		}
		require.True(t, name.equal(name))
	})
}
