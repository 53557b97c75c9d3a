package factor_test

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// house is a desk over a real database, with one user.
type house struct {
	*factor.Desk
	store *store.Store
	gate  *identity.Gate
	at    time.Time
	alice *factor.Person
}

func newHouse(t testing.TB, dsn string) *house {
	t.Helper()
	h := &house{at: time.Unix(1_800_000_000, 0)}
	now := func() time.Time { return h.at }
	h.store = storetest.Open(t, store.Options{DSN: dsn, Now: now})
	saved, err := h.store.SaveRecords(t.Context(), []identity.Record{
		{User: identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}},
	})
	require.NoError(t, err)
	h.alice = &factor.Person{
		Subject: saved[0].Subject, Status: identity.StatusActive, Session: [32]byte{1}, From: netip.MustParseAddr("192.0.2.1"), Client: "app", RequestID: "r1",
	}
	h.gate, err = identity.NewGate(identity.GateOptions{Attempts: h.store, Failures: 3, Now: now})
	require.NoError(t, err)
	passkeys, err := factor.NewPasskeys(passkeyIssuer, "Example")
	require.NoError(t, err)
	h.Desk, err = factor.New(factor.Options{
		Passkeys: passkeys,
		Storage:  h.store, Recovery: h.store, Challenges: h.store, Gate: h.gate, Product: "Example", Now: now,
	})
	require.NoError(t, err)
	return h
}

func storeQuery(h *house, kind string) store.EventQuery {
	return store.EventQuery{Subject: h.alice.Subject, Kind: kind}
}

func (h *house) code(t *testing.T, key string) string {
	t.Helper()
	code, err := totp.GenerateCode(key, h.at)
	require.NoError(t, err)
	return code
}

// enrol sets up an app, and waits for its next code.
func (h *house) enrol(t *testing.T) (key string, codes []string) {
	t.Helper()
	offer, err := h.OfferTOTP(t.Context(), h.alice, "alice")
	require.NoError(t, err)
	done, _, err := h.EnrolTOTP(t.Context(), h.alice, factor.Answer{Challenge: offer.Challenge, Name: " Phone ", Code: h.code(t, offer.Secret)})
	require.NoError(t, err)
	require.Equal(t, "Phone", done.Enrolment.Name)
	h.at = h.at.Add(30 * time.Second)
	return offer.Secret, done.Codes
}

func TestAnOfferIsOnePersonsInOneSessionAndOnce(t *testing.T) {
	h := newHouse(t, storetest.SQLite(t))
	for name, change := range map[string]func(p *factor.Person, a *factor.Answer){
		"another session":     func(p *factor.Person, _ *factor.Answer) { p.Session = [32]byte{2} },
		"somebody else":       func(p *factor.Person, _ *factor.Answer) { p.Subject = "bob" },
		"another challenge":   func(_ *factor.Person, a *factor.Answer) { a.Challenge = "x" },
		"no challenge at all": func(_ *factor.Person, a *factor.Answer) { a.Challenge = "" },
		"after its time":      func(*factor.Person, *factor.Answer) { h.at = h.at.Add(11 * time.Minute) },
	} {
		offer, err := h.OfferTOTP(t.Context(), h.alice, "alice")
		require.NoError(t, err)
		who, answer := *h.alice, factor.Answer{Challenge: offer.Challenge, Name: "x"}
		change(&who, &answer)
		answer.Code = h.code(t, offer.Secret)
		_, _, err = h.EnrolTOTP(t.Context(), &who, answer)
		require.ErrorIs(t, err, factor.ProblemExpired, name)
	}
	held, err := h.Held(t.Context(), h.alice.Subject)
	require.NoError(t, err)
	require.Empty(t, held.Enrolments)
}

func TestAWrongAnswerOffersTheSameKeyAgain(t *testing.T) {
	h := newHouse(t, storetest.SQLite(t))
	offer, err := h.OfferTOTP(t.Context(), h.alice, "alice")
	require.NoError(t, err)
	for _, tt := range []struct {
		name, code string
		want       factor.Problem
	}{{"x", "000000", factor.ProblemCode}, {"", "", factor.ProblemCode}, {" ", "right", factor.ProblemName}, {string(make([]byte, 61)), "right", factor.ProblemName}} {
		if tt.code == "right" {
			tt.code = h.code(t, offer.Secret)
		}
		_, again, err := h.EnrolTOTP(t.Context(), h.alice, factor.Answer{Challenge: offer.Challenge, Name: tt.name, Code: tt.code})
		require.ErrorIs(t, err, tt.want)
		require.Equal(t, offer.Secret, again.Secret)
		require.NotEqual(t, offer.Challenge, again.Challenge)
		offer = again
	}
}

func TestACodeIsRightOnce(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, dsn(t))
			key, codes := h.enrol(t)
			first := h.code(t, key)
			proof, err := h.Code(t.Context(), h.alice, first)
			require.NoError(t, err)
			require.Equal(t, []string{"otp", "mfa"}, proof.AMR)
			_, err = h.Code(t.Context(), h.alice, first)
			require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err))
			proof, err = h.Code(t.Context(), h.alice, codes[3])
			require.NoError(t, err)
			require.True(t, proof.Recovery)
			require.Equal(t, 9, proof.Left)
			_, err = h.Code(t.Context(), h.alice, codes[3])
			require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err))
		})
	}
}

func TestWrongCodesCountOnTheirOwn(t *testing.T) {
	h := newHouse(t, storetest.SQLite(t))
	key, _ := h.enrol(t)
	try := func(code string) identity.Reason {
		_, err := h.Code(t.Context(), h.alice, code)
		return identity.ReasonOf(err)
	}
	require.Equal(t, identity.ReasonSecondFactor, try("000000"))
	require.Equal(t, identity.ReasonSecondFactor, try("no code"))
	require.Empty(t, try(h.code(t, key)), "a right one takes the wrong ones back")
	for range 3 {
		require.Equal(t, identity.ReasonSecondFactor, try("000000"))
	}
	h.at = h.at.Add(30 * time.Second)
	require.Equal(t, identity.ReasonLocked, try(h.code(t, key)))
	about := identity.Question{Moment: identity.MomentTry, Subject: h.alice.Subject}
	require.NoError(t, h.gate.Ask(t.Context(), about), "their password is not locked")
	require.NoError(t, h.gate.Report(t.Context(), about, identity.Event{}))
	require.Equal(t, identity.ReasonLocked, try(h.code(t, key)), "nor does it unlock anything")
	h.alice.Status = identity.StatusDisabled
	h.at = h.at.Add(time.Hour)
	require.Equal(t, identity.ReasonDisabled, try(h.code(t, key)))

	events, err := h.store.ListEvents(t.Context(), store.EventQuery{Subject: h.alice.Subject, Kind: "second_factor"})
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1", events[0].RemoteAddr)
	require.Equal(t, "app", events[0].ClientID)
	require.Equal(t, "r1", events[0].RequestID)
}

func TestNothingSecretIsPrinted(t *testing.T) {
	e := factor.Enrolment{ID: "1", Subject: "alice", Kind: factor.KindTOTP, Secret: []byte("canary")}
	require.NotRegexp(t, regexp.MustCompile("canary|99 97 110"), e.String()+e.GoString())
}
