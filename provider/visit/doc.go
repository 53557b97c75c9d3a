// Package visit is what is known of the browser that sends a request.
//
//	the browser ── a cookie of chance ── what one began can only be finished there
//	who is signed in ── a cookie, whose hash is stored ── Gate ── the session
//	what they are about to do ── an id in the URL, whose hash is stored ── the interaction
//	a form ── a code over page, browser and session, against being posted from elsewhere
package visit
