package provider

import "keyway/provider/client"

// The clients are a package of their own; these are their names here.
type (
	// Client is an OAuth client of ours.
	Client = client.Client
	// AuthMethod is how a client authenticates at the token endpoint.
	AuthMethod = client.AuthMethod
	// TokenFormat is how an access token looks.
	TokenFormat = client.TokenFormat
)

// The client authentication methods.
const (
	AuthSecretBasic   = client.AuthSecretBasic
	AuthSecretPost    = client.AuthSecretPost
	AuthPrivateKeyJWT = client.AuthPrivateKeyJWT
	AuthTLS           = client.AuthTLS
	AuthSelfSignedTLS = client.AuthSelfSignedTLS
	AuthNone          = client.AuthNone
	AuthAdapter       = client.AuthAdapter
)

// The formats of access tokens.
const (
	FormatOpaque   = client.FormatOpaque
	FormatHex32    = client.FormatHex32
	FormatJWTHS256 = client.FormatJWTHS256
	FormatATJWT    = client.FormatATJWT
)

// The grant types.
const (
	grantCode              = client.GrantCode
	grantClientCredentials = client.GrantClientCredentials
	grantRefresh           = client.GrantRefresh
	grantPassword          = client.GrantPassword
	grantDevice            = client.GrantDevice
	grantExchange          = client.GrantTokenExchange
	grantBearer            = client.GrantJWTBearer
)
