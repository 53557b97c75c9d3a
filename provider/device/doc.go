// Package device is the device authorization grant (RFC 8628) as far as it
// is about codes: a device gets two of them, a person types one of them into
// their browser, and the device asks with the other until they have decided.
//
//	POST /oauth2/device ── Codes.Begin ── Storage.AddDevice
//	/device ────────────── Codes.Enter ── the record, which a person then allows or denies
//	POST /oauth2/token ─── Record.Judge, Storage.PollDevice
//
// Who the person is, what they see, and what the tokens are is the provider's.
package device
