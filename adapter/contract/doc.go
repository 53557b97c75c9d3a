// Package contract replays recorded exchanges: what was asked of a legacy
// system and what it answered, byte for byte.
//
// An example is a txtar file:
//
//	A wrong password is refused.        <- the sentence it proves
//	-- given.yaml --                    <- profile, settings, users
//	-- request --                       <- raw HTTP
//	-- response --                      <- raw HTTP; <<*>> is any run of characters
//
// or with several exchanges, numbered 1.request, 1.response, 2.request, ...
// The same files are the tests of our templates, what `keyway check` replays,
// and what can be sent to a real server.
package contract
