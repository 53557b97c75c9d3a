package provider

import "keyway/provider/storage"

// What is stored is a package of its own; these are its names here.
type (
	// PushedStorage is [storage.PushedStorage].
	PushedStorage = storage.PushedStorage
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
	// TokenStorage is [storage.TokenStorage].
	TokenStorage = storage.TokenStorage
	// GrantStorage is [storage.GrantStorage].
	GrantStorage = storage.GrantStorage
	// CodeStorage is [storage.CodeStorage].
	CodeStorage = storage.CodeStorage
	// StoredDevice is [storage.StoredDevice].
	StoredDevice = storage.StoredDevice
	// DeviceStorage is [storage.DeviceStorage].
	DeviceStorage = storage.DeviceStorage
	// Interaction is [storage.Interaction].
	Interaction = storage.Interaction
	// InteractionStorage is [storage.InteractionStorage].
	InteractionStorage = storage.InteractionStorage
	// BrowserSession is [storage.BrowserSession].
	BrowserSession = storage.BrowserSession
	// SessionStart is [storage.SessionStart].
	SessionStart = storage.SessionStart
	// SessionQuery is [storage.SessionQuery].
	SessionQuery = storage.SessionQuery
	// SessionClient is [storage.SessionClient].
	SessionClient = storage.SessionClient
	// SessionStorage is [storage.SessionStorage].
	SessionStorage = storage.SessionStorage
	// Consent is [storage.Consent].
	Consent = storage.Consent
	// AccountStorage is [storage.AccountStorage].
	AccountStorage = storage.AccountStorage
	// RevokeQuery is [storage.RevokeQuery].
	RevokeQuery = storage.RevokeQuery
	// ClientStorage is [storage.ClientStorage].
	ClientStorage = storage.ClientStorage
	// ReplayStorage is [storage.ReplayStorage].
	ReplayStorage = storage.ReplayStorage
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
