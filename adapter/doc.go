// Package adapter is legacy HTTP in, legacy HTTP out. It knows nothing of
// OAuth beyond "grant this login" (see [Granter]); what a legacy system
// expects is data, read from its folder (see [System]).
//
//	request ─> Handler ─> Route ─> fields ─> Credentials ─> Granter
//	                                                           │
//	bytes <─ buffer <─ Reply of the Outcome <─ *Grant or *Failure
package adapter
