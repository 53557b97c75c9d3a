// Package provider is the OpenID provider: one file an endpoint, over fosite.
package provider
