// Package factor is the second proof that people give beside their password: codes
// of an authenticator app (TOTP, RFC 6238), passkeys (Web Authentication Level 3),
// and recovery codes for who has lost both.
//
//	Policy ──> who needs one, and what is asked of a session
//	Desk   ──> Prove(Try) ──> identity.Gate.Prove ──> look, ask the gate, use up
//	       ──> Begin/Finish ──> an Enrolment, and with the first one recovery codes
//	Codes  ──> a code behind the password of a legacy call
//
// Nothing works twice: not a time step, a recovery code, or a challenge. Each is used
// up by a conditional update.
package factor
