package oidc

// ParseClaims is what the fuzz test calls.
var ParseClaims = parseClaims
