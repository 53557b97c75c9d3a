package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"
)

// Report tells the gate how a try ended, which e.Reason says: "" when a proof
// was right, else the reason of the failure. A failure is stored as e; success
// is not, for its event is written together with the grant. Errors are
// [*Failure].
//
// A wrong proof counts against the user and the source; that of a calling
// application (invalid_client), and a status that was found out without a
// proof, count against the source. What [Gate.Ask] refused before anything was
// looked at is not counted, and may come in floods: of these at most one event
// a minute is stored for each user, name or source, by each process.
//
// Report outlives ctx by up to 10 s: who hangs up is counted all the same.
func (g *Gate) Report(ctx context.Context, q Question, e Event) error {
	ctx, cancel := outliving(ctx)
	defer cancel()
	if e.Reason == "" {
		user := g.userKey(&q)
		if user == "" {
			return nil
		}
		if err := g.attempts.ClearFailures(ctx, []string{user}); err != nil {
			return storageFailure(err)
		}
		return nil
	}
	keys := g.failureKeys(&q, e.Reason)
	if len(keys) == 0 && cheapRefusal(q.Moment, e.Reason) && !g.refusals.allow(g.refusalKey(&q, e.Reason), g.now()) {
		return nil
	}
	if err := g.attempts.RecordFailure(ctx, keys, e); err != nil {
		return storageFailure(err)
	}
	return nil
}

// outliving returns a context for what must be done even if the client goes
// away in the middle of it: else who hangs up in time would guess without being
// counted.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// failureKeys is what a failure counts against.
func (g *Gate) failureKeys(q *Question, reason Reason) []string {
	var user, person, source, code string
	if q.wrongCode && g.failures >= 0 {
		code = codeKey(q.Subject)
	}
	switch reason {
	case ReasonSecondFactor:
		if q.Moment != MomentEnter { // else it is missing behind a right password: an old app that goes on calling must lock nobody out
			user, source = g.userKey(q), g.sourceKey(q)
		}
	case ReasonWrongPassword, ReasonUnknownUser:
		user, person, source = g.userKey(q), g.personKey(q), g.sourceKey(q)
	case ReasonInvalidClient:
		if g.askNetwork(q) == nil { // else Ask refused before there was a proof
			source = g.sourceKey(q)
		}
	case ReasonUnverified, ReasonDisabled:
		if q.Moment == MomentTry {
			source = g.sourceKey(q)
		}
	default:
	}
	keys := make([]string, 0, 4)
	for _, k := range [...]string{user, person, source, code} {
		if k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// cheapRefusal reports whether a refusal may have cost next to nothing: no
// password was looked at before it.
func cheapRefusal(m Moment, reason Reason) bool {
	switch reason {
	case ReasonWrongPassword, ReasonUnknownUser, ReasonSecondFactor:
		return false
	case ReasonUnverified, ReasonDisabled:
		return m == MomentTry
	default:
		return true
	}
}

// refusalKey is under what the events of cheap refusals are held back: the user
// or name where that is what is locked, else the source. A client may choose
// names, so that a refusal of the source must not go by them.
func (g *Gate) refusalKey(q *Question, reason Reason) string {
	key := ""
	if reason != ReasonInvalidClient {
		key = g.userKey(q)
	}
	if key == "" {
		key = sourceOf(q.RemoteAddr)
	}
	return string(reason) + " " + q.System + " " + key
}

// userKey is under what failures of the user, or of the unknown name, count;
// "" when they do not.
func (g *Gate) userKey(q *Question) string {
	switch {
	case g.failures < 0:
		return ""
	case q.Code && q.Subject != "":
		return codeKey(q.Subject)
	case q.Subject != "":
		return "user:" + q.Subject
	case q.Name == "":
		return ""
	}
	return "name:" + g.hidden(q.Directory, FoldName(q.Name))
}

// personKey is under what failures of somebody count whom an upstream knows by many
// names; "" when they do not.
func (g *Gate) personKey(q *Question) string {
	if g.failures < 0 || q.person == "" {
		return ""
	}
	return "person:" + g.hidden("", q.person)
}

func (g *Gate) hidden(directory, name string) string {
	mac := hmac.New(sha256.New, g.nameKey)
	mac.Write([]byte(directory))
	mac.Write([]byte{0})
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil))
}

// codeKey is under what wrong second factors of a user count.
func codeKey(subject string) string { return "factor:" + subject }

// sourceKey is under what failures of the source address count.
func (g *Gate) sourceKey(q *Question) string {
	if g.sourceFailures < 0 || !q.RemoteAddr.IsValid() {
		return ""
	}
	return sourceOf(q.RemoteAddr)
}

func sourceOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return "addr:" + addr.String()
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return "addr:" + addr.String()
	}
	return "addr:" + network.String()
}
