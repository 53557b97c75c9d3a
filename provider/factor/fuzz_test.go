package factor

import (
	"testing"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/stretchr/testify/require"
)

// FuzzPasskey presents answers that no passkey gave.
func FuzzPasskey(f *testing.F) {
	k, err := NewPasskeys("https://id.example.com", "Example")
	require.NoError(f, err)
	h := &holder{subject: "alice", name: "Alice", credentials: []webauthn.Credential{{ID: []byte{0}, PublicKey: []byte{0xa5, 1, 2, 3, 0x26}}}}
	_, creating, err := k.party.BeginRegistration(h)
	require.NoError(f, err)
	_, getting, err := k.party.BeginLogin(h)
	require.NoError(f, err)
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUEA"}}`)
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`)
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0","authenticatorData":"SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAA","signature":"MAA"}}`)
	f.Fuzz(func(t *testing.T, answer string) {
		_, err := k.create("alice", *creating, answer)
		require.Error(t, err)
		_, err = k.get(h, *getting, answer)
		require.Error(t, err)
	})
}
