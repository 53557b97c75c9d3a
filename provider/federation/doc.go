// Package federation takes people to an upstream and back.
//
//	Begin: state by chance, its hash stored with browser, connector, interaction ── redirect to the upstream
//	Return: the trip is taken out of storage, once ── same connector? same browser? ── Exchange ── Map ── SaveFederated
//
// or asks one about a password that was typed here.
//
//	Password: bounds ── Verify ── whose is the name? ── Map ── SaveFederated ──> identity.Identity
//
// nonce and PKCE verifier are derived from the state under a key of the
// provider's, so that storage holds nothing by which a trip could be finished.
package federation
