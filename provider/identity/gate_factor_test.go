package identity_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// needy are the subjects that need a second factor.
type needy map[string]bool

func (n needy) NeedsFactor(_ context.Context, q identity.Question) (bool, error) {
	if q.Subject == "away" {
		return false, errors.New("away")
	}
	return n[q.Subject], nil
}

func TestGateSecondFactor(t *testing.T) {
	t.Parallel()
	g := newHouse(t).gate(t, func(o *identity.GateOptions) { o.Factors = needy{"careful": true} })
	const (
		try, enter, stay = identity.MomentTry, identity.MomentEnter, identity.MomentStay
		missing          = identity.FactorMissing
		proved           = identity.FactorProved
	)
	for _, tt := range []struct {
		name string
		q    identity.Question
		want identity.Reason
	}{
		{"nobody needs one who need not", identity.Question{Moment: enter, Subject: "alice", Factor: missing}, ""},
		{"who needs one may not enter without", identity.Question{Moment: enter, Subject: "careful", Factor: missing}, identity.ReasonSecondFactor},
		{"who needs one enters with it", identity.Question{Moment: enter, Subject: "careful", Factor: proved}, ""},
		{"who needs one may try", identity.Question{Moment: try, Subject: "careful", Factor: missing}, ""},
		{"who is asked for it afterwards may enter", identity.Question{Moment: enter, Subject: "careful"}, ""},
		{"a client that needs one lets nobody enter without", identity.Question{Moment: enter, Subject: "alice", Factor: missing, NeedFactor: true}, identity.ReasonSecondFactor},
		{"nor stay", identity.Question{Moment: stay, Subject: "alice", Factor: missing, NeedFactor: true}, identity.ReasonSecondFactor},
		{"and lets those stay who proved it", identity.Question{Moment: stay, Subject: "alice", Factor: proved, NeedFactor: true}, ""},
		{"who stays is not asked by the policy", identity.Question{Moment: stay, Subject: "careful", Factor: missing}, ""},
		{"a client that acts for itself has none", identity.Question{Moment: stay, Factor: missing, NeedFactor: true}, ""},
		{"an outage is no judgement", identity.Question{Moment: enter, Subject: "away", Factor: missing}, identity.ReasonUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.q.Subject != "" {
				tt.q.Status = identity.StatusActive
			}
			require.Equal(t, tt.want, identity.ReasonOf(g.Ask(t.Context(), tt.q)))
		})
	}
}

func TestProvingASecondFactor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice")
	g := h.gate(t, nil)
	used := 0
	wrong := func(context.Context) (func(context.Context) error, error) {
		return nil, identity.Failf(identity.ReasonSecondFactor, "wrong")
	}
	right := func(context.Context) (func(context.Context) error, error) {
		return func(context.Context) error { used++; return nil }, nil
	}
	prove := func(look identity.Look) identity.Reason {
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		return identity.ReasonOf(g.Prove(ctx, identity.Question{Subject: alice, Status: identity.StatusActive}, &identity.Event{At: h.Now(), Kind: "second_factor"}, func(ctx context.Context) (func(context.Context) error, error) {
			hangUp() // whoever hangs up is counted all the same
			return look(ctx)
		}))
	}
	require.Equal(t, identity.ReasonSecondFactor, prove(wrong))
	require.Equal(t, identity.ReasonSecondFactor, prove(wrong))
	require.Empty(t, prove(right))
	require.Equal(t, 1, used)
	for range 3 {
		require.Equal(t, identity.ReasonSecondFactor, prove(wrong))
	}
	require.Equal(t, identity.ReasonLocked, prove(right))
	require.Equal(t, 1, used, "nothing was used up")
	_, err := h.signIn(t, h.local(t, nil), nil).Authenticate(t.Context(), as("alice", "right"))
	require.NoError(t, err)
	require.Equal(t, identity.ReasonLocked, prove(right), "a right password takes nothing back")
}

// coded takes six characters from behind every password.
type coded struct {
	right bool
	err   error
}

func (x coded) Split(_ context.Context, c identity.Credentials, l *identity.Login) (*identity.CodedLogin, error) {
	if l == nil {
		return nil, nil
	}
	c.Password = c.Password[:len(c.Password)-6]
	return &identity.CodedLogin{Credentials: c, Right: x.right, Use: func(context.Context) error { return x.err }}, nil
}

func TestACodeBehindAPassword(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, system, password string
		codes                  coded
		want                   identity.Reason
	}{
		{"both are right", "faveo", "right123456", coded{right: true}, ""},
		{"the code is wrong", "faveo", "right123456", coded{}, identity.ReasonWrongPassword},
		{"the password is wrong", "faveo", "wrong123456", coded{right: true}, identity.ReasonWrongPassword},
		{"both are wrong", "faveo", "wrong123456", coded{}, identity.ReasonWrongPassword},
		{"the code was used before", "faveo", "right123456", coded{right: true, err: identity.ErrConflict}, identity.ReasonWrongPassword},
		{"storage is away", "faveo", "right123456", coded{right: true, err: errors.New("away")}, identity.ReasonUnavailable},
		{"a browser is asked afterwards", "", "right", coded{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			alice := h.user(t, identity.StatusActive, plain("right"), "alice")
			g := h.gate(t, nil)
			s := h.signIn(t, h.local(t, nil), func(o *identity.SignInOptions) { o.Codes, o.Gate = tt.codes, g })
			c := as("alice", tt.password)
			c.System = tt.system
			id, err := s.Authenticate(t.Context(), c)
			require.Equal(t, tt.want, identity.ReasonOf(err), "%v", err)
			if err == nil {
				require.Equal(t, tt.system != "", id.SecondFactor)
			}
			if tt.want == identity.ReasonWrongPassword {
				counts, err := h.store.CountFailures(t.Context(), []string{"user:" + alice, "factor:" + alice}, h.Now().Add(-1))
				require.NoError(t, err)
				require.Equal(t, 1, counts["user:"+alice], "one attempt is one guess")
				guessed := 0
				if tt.password[0] == 'r' {
					guessed = 1
				}
				require.Equal(t, guessed, counts["factor:"+alice])
			}
		})
	}
}
