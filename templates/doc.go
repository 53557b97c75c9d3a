// Package templates holds the legacy systems that ship with Keyway: a folder
// each, with no Go inside. A folder has
//
//	system.yaml         the published shape: routes, fields, token, replies
//	<profile>.yaml      another version, which says only what differs
//	database.yaml       how its people are found in its own database, where somebody wrote that down
//	*.tmpl              bodies and parts of bodies
//	examples/*.txtar    recorded and documented exchanges: the contract
//	README.md           where each fact came from, and what deliberately differs
//
// The folder web is none of them: it holds the pages for people (docs/pages.md).
//
// A folder of the same make in the operator's own directory needs no build.
package templates
