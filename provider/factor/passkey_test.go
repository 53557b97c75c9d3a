package factor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

const passkeyIssuer = "https://id.example.com:8443/tenant"

// The flags of authenticator data (Web Authentication Level 3, section 6.1).
const (
	userPresent, userVerified, backupEligible, backedUp, attested = 0x01, 0x04, 0x08, 0x10, 0x40
)

// authenticator is a passkey in software. It answers what it is told to.
type authenticator struct {
	key            *ecdsa.PrivateKey
	id             []byte
	count          uint32
	flags          byte
	origin, domain string
	lie            func(clientData map[string]any)
}

func newAuthenticator(t testing.TB) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &authenticator{key: key, id: id, flags: userPresent | userVerified, origin: "https://id.example.com:8443", domain: "id.example.com"}
}

// authData is what is signed, with the key itself where it is a new one.
func (a *authenticator) authData(t testing.TB, created bool) []byte {
	t.Helper()
	domain := sha256.Sum256([]byte(a.domain))
	data := append(domain[:], a.flags)
	if created {
		data[32] |= attested
	}
	data = binary.BigEndian.AppendUint32(data, a.count)
	if !created {
		return data
	}
	data = append(data, make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(data, a.id...)
	point, err := a.key.PublicKey.Bytes()
	require.NoError(t, err)
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20) // a COSE key: EC2, ES256, P-256
	data = append(data, point[1:33]...)
	data = append(data, 0x22, 0x58, 0x20)
	return append(data, point[33:]...)
}

func (a *authenticator) clientData(t testing.TB, kind, options string) []byte {
	t.Helper()
	var asked struct {
		Challenge string `json:"challenge"`
	}
	require.NoError(t, json.Unmarshal([]byte(options), &asked))
	said := map[string]any{"type": "webauthn." + kind, "challenge": asked.Challenge, "origin": a.origin, "crossOrigin": false}
	if a.lie != nil {
		a.lie(said)
	}
	b, err := json.Marshal(said)
	require.NoError(t, err)
	return b
}

func (a *authenticator) answer(t testing.TB, response map[string]any) string {
	t.Helper()
	id := base64.RawURLEncoding.EncodeToString(a.id)
	for k, v := range response {
		if b, ok := v.([]byte); ok {
			response[k] = base64.RawURLEncoding.EncodeToString(b)
		}
	}
	b, err := json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "response": response})
	require.NoError(t, err)
	return string(b)
}

// create answers with a new key.
func (a *authenticator) create(t testing.TB, options string) string {
	t.Helper()
	data := a.authData(t, true)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	return a.answer(t, map[string]any{"clientDataJSON": a.clientData(t, "create", options), "attestationObject": append(object, data...)})
}

// get answers with a signature.
func (a *authenticator) get(t testing.TB, options string) string {
	t.Helper()
	data, said := a.authData(t, false), a.clientData(t, "get", options)
	sum := sha256.Sum256(said)
	digest := sha256.Sum256(append(append([]byte{}, data...), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	require.NoError(t, err)
	return a.answer(t, map[string]any{"clientDataJSON": said, "authenticatorData": data, "signature": signature})
}

// enrolPasskey makes a the passkey of alice.
func (h *house) enrolPasskey(t testing.TB, a *authenticator) (*factor.Enrolled, error) {
	t.Helper()
	q, err := h.OfferPasskey(t.Context(), h.alice, "Alice", nil)
	require.NoError(t, err)
	return h.EnrolPasskey(t.Context(), h.alice, factor.Answer{Challenge: q.Challenge, Name: "Key", Passkey: a.create(t, q.Options)})
}

// asks is what alice's passkeys are asked.
func (h *house) asks(t testing.TB) *factor.Question {
	t.Helper()
	held, err := h.Held(t.Context(), h.alice.Subject)
	require.NoError(t, err)
	q, err := h.AskPasskey(t.Context(), h.alice, held.Enrolments)
	require.NoError(t, err)
	return q
}

func TestAPasskeyIsSetUpAndUsed(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			h, a := newHouse(t, dsn(t)), newAuthenticator(t)
			q, err := h.OfferPasskey(t.Context(), h.alice, "Alice", nil)
			require.NoError(t, err)
			for _, want := range []string{`"userVerification":"required"`, `"residentKey":"preferred"`, `"id":"id.example.com"`, `"attestation":"none"`} {
				require.Contains(t, q.Options, want)
			}
			done, err := h.enrolPasskey(t, a)
			require.NoError(t, err)
			require.Len(t, done.Codes, 10)
			require.Equal(t, []string{"hwk", "mfa"}, done.AMR)
			_, err = h.enrolPasskey(t, a)
			require.ErrorIs(t, err, factor.ProblemTooMany, "the same one twice")
			for range 3 { // many count no signatures
				q := h.asks(t)
				proof, err := h.Passkey(t.Context(), h.alice, q.Challenge, a.get(t, q.Options))
				require.NoError(t, err)
				require.Equal(t, []string{"hwk", "mfa"}, proof.AMR)
			}
			held, err := h.Held(t.Context(), h.alice.Subject)
			require.NoError(t, err)
			again, err := h.OfferPasskey(t.Context(), h.alice, "Alice", held.Enrolments)
			require.NoError(t, err)
			require.Contains(t, again.Options, `"excludeCredentials":[{`)
		})
	}
}

func TestASynchronisedPasskeySaysSo(t *testing.T) {
	h, a := newHouse(t, storetest.SQLite(t)), newAuthenticator(t)
	a.flags |= backupEligible | backedUp
	done, err := h.enrolPasskey(t, a)
	require.NoError(t, err)
	require.Equal(t, []string{"swk", "mfa"}, done.AMR)
}

func TestAPasskeyThatDoesNotHoldIsNotSetUp(t *testing.T) {
	for name, change := range map[string]func(a *authenticator){
		"nobody was verified":      func(a *authenticator) { a.flags = userPresent },
		"nobody was there":         func(a *authenticator) { a.flags = userVerified },
		"another site":             func(a *authenticator) { a.origin = "https://evil.example" },
		"another port":             func(a *authenticator) { a.origin = "https://id.example.com" },
		"another party":            func(a *authenticator) { a.domain = "example.com" },
		"another challenge":        func(a *authenticator) { a.lie = func(c map[string]any) { c["challenge"] = "AAAA" } },
		"an answer of another use": func(a *authenticator) { a.lie = func(c map[string]any) { c["type"] = "payment.get" } },
		"a frame of another site":  func(a *authenticator) { a.lie = func(c map[string]any) { c["crossOrigin"] = true } },
	} {
		t.Run(name, func(t *testing.T) {
			h, a := newHouse(t, storetest.SQLite(t)), newAuthenticator(t)
			change(a)
			_, err := h.enrolPasskey(t, a)
			require.ErrorIs(t, err, factor.ProblemPasskey)

			good := newAuthenticator(t)
			_, err = h.enrolPasskey(t, good)
			require.NoError(t, err)
			change(good)
			q := h.asks(t)
			_, err = h.Passkey(t.Context(), h.alice, q.Challenge, good.get(t, q.Options))
			require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err))
		})
	}
}

// Dex issue 4884 names passkeys, too: nobody looked at the flag that says that one was
// cloned.
func TestDex4884AClonedPasskeyIsRefused(t *testing.T) {
	h, a := newHouse(t, storetest.SQLite(t)), newAuthenticator(t)
	a.count = 5
	_, err := h.enrolPasskey(t, a)
	require.NoError(t, err)
	use := func(count uint32) identity.Reason {
		a.count = count
		q := h.asks(t)
		_, err := h.Passkey(t.Context(), h.alice, q.Challenge, a.get(t, q.Options))
		return identity.ReasonOf(err)
	}
	require.Empty(t, use(9))
	require.Equal(t, identity.ReasonSecondFactor, use(9))
	require.Equal(t, identity.ReasonSecondFactor, use(6))
	require.Empty(t, use(10))
	require.Equal(t, identity.ReasonSecondFactor, use(0))
	events, err := h.store.ListEvents(t.Context(), storeQuery(h, "passkey_cloned"))
	require.NoError(t, err)
	require.Len(t, events, 3)
}

func TestAChallengeToAPasskeyIsOneSessionsAndOnce(t *testing.T) {
	h, a := newHouse(t, storetest.SQLite(t)), newAuthenticator(t)
	_, err := h.enrolPasskey(t, a)
	require.NoError(t, err)
	q := h.asks(t)
	answer := a.get(t, q.Options)
	other := *h.alice
	other.Session = [32]byte{2}
	_, err = h.Passkey(t.Context(), &other, q.Challenge, answer)
	require.ErrorIs(t, err, factor.ProblemExpired, "another session")
	_, err = h.Passkey(t.Context(), h.alice, q.Challenge, answer)
	require.ErrorIs(t, err, factor.ProblemExpired, "it was taken")
	q = h.asks(t)
	answer = a.get(t, q.Options)
	_, err = h.Passkey(t.Context(), h.alice, q.Challenge, answer)
	require.NoError(t, err)
	fresh := h.asks(t)
	_, err = h.Passkey(t.Context(), h.alice, fresh.Challenge, answer)
	require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err), "an answer to an earlier challenge")

	stranger := newAuthenticator(t)
	for range 2 {
		q = h.asks(t)
		_, err = h.Passkey(t.Context(), h.alice, q.Challenge, stranger.get(t, q.Options))
		require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err))
	}
	q = h.asks(t)
	_, err = h.Passkey(t.Context(), h.alice, q.Challenge, a.get(t, q.Options))
	require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err), "wrong ones count as wrong codes do")
}

func TestWhereThereAreNoPasskeys(t *testing.T) {
	for issuer, there := range map[string]bool{
		"https://id.example.com": true, "http://localhost:8080": true, "https://localhost": true,
		"http://127.0.0.1:8080": false, "https://192.0.2.1": false, "https://[::1]:1": false, "http://id.example.com": false,
	} {
		k, err := factor.NewPasskeys(issuer, "Example")
		require.NoError(t, err)
		require.Equal(t, there, k != nil, issuer)
	}
}
