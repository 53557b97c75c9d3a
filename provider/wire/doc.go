// Package wire is how OAuth endpoints read requests and write answers: one
// parser of forms, one vocabulary of errors and one writer of them, and the
// wrapper that turns the error of a handler into the answer and one log line.
//
//	func(*gin.Context) error ── Endpoints.Wrap ── From: any error -> *Error ── Write
//
// What an error says of its cause goes to the log and never into an answer.
package wire
