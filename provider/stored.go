package provider

import "keyway/provider/storage"

// What is stored is a package of its own; these are its names here.
type (
	// PushedRequest is [storage.PushedRequest].
	PushedRequest = storage.PushedRequest
	// Hash is [storage.Hash].
	Hash = storage.Hash
	// TokenKind is [storage.TokenKind].
	TokenKind = storage.TokenKind
	// GrantRecord is [storage.GrantRecord].
	GrantRecord = storage.GrantRecord
	// TokenRecord is [storage.TokenRecord].
	TokenRecord = storage.TokenRecord
	// StoredToken is [storage.StoredToken].
	StoredToken = storage.StoredToken
	// Issue is [storage.Issue].
	Issue = storage.Issue
	// CodeRecord is [storage.CodeRecord].
	CodeRecord = storage.CodeRecord
	// StoredCode is [storage.StoredCode].
	StoredCode = storage.StoredCode
	// StoredDevice is [storage.StoredDevice].
	StoredDevice = storage.StoredDevice
	// Interaction is [storage.Interaction].
	Interaction = storage.Interaction
	// BrowserSession is [storage.BrowserSession].
	BrowserSession = storage.BrowserSession
	// SessionStart is [storage.SessionStart].
	SessionStart = storage.SessionStart
	// SessionQuery is [storage.SessionQuery].
	SessionQuery = storage.SessionQuery
	// SessionClient is [storage.SessionClient].
	SessionClient = storage.SessionClient
	// Consent is [storage.Consent].
	Consent = storage.Consent
	// RevokeQuery is [storage.RevokeQuery].
	RevokeQuery = storage.RevokeQuery
	// Storage is [storage.Storage].
	Storage = storage.Storage
)

// The kinds of stored tokens.
const (
	KindAccess  = storage.KindAccess
	KindRefresh = storage.KindRefresh
)

// How much there may be at once.
const (
	MaxInteractionsPerBrowser = storage.MaxInteractionsPerBrowser
	MaxInteractionsPerSource  = storage.MaxInteractionsPerSource
	MaxPushedPerSource        = storage.MaxPushedPerSource
)
