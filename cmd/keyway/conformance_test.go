package main

import "testing"

// TestConformance asks one running program every sentence that a certified
// provider and an attacked one must hold. Each test is named after its row.
func TestConformance(t *testing.T) {
	s := startSite(t, callLoopback)
	posted := *s
	posted.mode = "form_post"
	t.Run("Config OP", func(t *testing.T) { configRows(t, s) })
	t.Run("Truth", func(t *testing.T) { truthRows(t, s) })
	t.Run("Basic OP", func(t *testing.T) { basicRows(t, s); againRows(t, s) })
	t.Run("Form Post OP", func(t *testing.T) { basicRows(t, &posted); againRows(t, &posted); formPostRows(t, &posted) })
	t.Run("Logout OP", func(t *testing.T) { logoutRows(t, s); channelRows(t, s) })
	t.Run("Attacks", func(t *testing.T) {
		redirectAttacks(t, s)
		codeAttacks(t, s)
		signatureAttacks(t, s)
		pageAttacks(t, s)
		deviceAttacks(t, s)
		pushedAttacks(t, s)
		fositeRows(t, s)
		leakRows(t, s)
	})
}
