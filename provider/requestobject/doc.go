// Package requestobject reads signed request objects (RFC 9101; OpenID Connect
// Core 1.0, section 6.1): authorization requests in a JWT that the client
// signed. What it returns replaces the parameters beside it.
package requestobject
