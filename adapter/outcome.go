package adapter

import "keyway/provider/identity"

// Outcome is the key of a reply: a [identity.Reason], or one of the outcomes
// that only a legacy request can have.
type Outcome string

// The outcomes beside the reasons.
const (
	OutcomeSuccess          Outcome = "success"
	OutcomeOptions          Outcome = "options"            // an OPTIONS request to a route that does not take it
	OutcomeMethodNotAllowed Outcome = "method_not_allowed" // any other method it does not take
	OutcomeNotFound         Outcome = "not_found"
	OutcomeTooLarge         Outcome = "too_large"       // the body is over the limit
	OutcomeMalformed        Outcome = "malformed"       // the body does not parse
	OutcomeTokenMissing     Outcome = "token_missing"   // no token was presented
	OutcomeTokenMalformed   Outcome = "token_malformed" // the token has not the format's shape
	OutcomeTokenRevoked     Outcome = "token_revoked"   // it was good, and was ended before its time

	OutcomeUnknownUser    = Outcome(identity.ReasonUnknownUser)
	OutcomeWrongPassword  = Outcome(identity.ReasonWrongPassword)
	OutcomeInvalidRequest = Outcome(identity.ReasonInvalidRequest)
	OutcomeInvalidClient  = Outcome(identity.ReasonInvalidClient)
	OutcomeInvalidToken   = Outcome(identity.ReasonInvalidToken)
	OutcomeExpiredToken   = Outcome(identity.ReasonExpiredToken)
	OutcomeUnverified     = Outcome(identity.ReasonUnverified)
	OutcomeDisabled       = Outcome(identity.ReasonDisabled)
	OutcomeLocked         = Outcome(identity.ReasonLocked)
	OutcomeSecondFactor   = Outcome(identity.ReasonSecondFactor)
	OutcomeRateLimited    = Outcome(identity.ReasonRateLimited)
	OutcomeUnavailable    = Outcome(identity.ReasonUnavailable)
	OutcomeInternal       = Outcome(identity.ReasonInternal)
)

// fallback is the one fixed chain: an outcome without a reply of its own is
// answered as the one it points to, until internal, which every system must
// have.
var fallback = map[Outcome]Outcome{
	OutcomeUnknownUser:      OutcomeWrongPassword,
	OutcomeUnverified:       OutcomeDisabled,
	OutcomeDisabled:         OutcomeWrongPassword,
	OutcomeLocked:           OutcomeWrongPassword,
	OutcomeSecondFactor:     OutcomeWrongPassword,
	OutcomeWrongPassword:    OutcomeInvalidRequest,
	OutcomeInvalidClient:    OutcomeInvalidRequest,
	OutcomeTokenRevoked:     OutcomeExpiredToken,
	OutcomeTokenMalformed:   OutcomeInvalidToken,
	OutcomeTokenMissing:     OutcomeInvalidToken,
	OutcomeExpiredToken:     OutcomeInvalidToken,
	OutcomeInvalidToken:     OutcomeInvalidRequest,
	OutcomeMalformed:        OutcomeInvalidRequest,
	OutcomeTooLarge:         OutcomeInvalidRequest, // but with HTTP status 413 unless it has a reply of its own
	OutcomeMethodNotAllowed: OutcomeNotFound,       // but with HTTP status 405 and Allow
	OutcomeOptions:          OutcomeMethodNotAllowed,
	OutcomeNotFound:         OutcomeInvalidRequest, // but with HTTP status 404
	OutcomeInvalidRequest:   OutcomeInternal,
	OutcomeRateLimited:      OutcomeUnavailable,
	OutcomeUnavailable:      OutcomeInternal,
}
