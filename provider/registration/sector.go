package registration

import (
	"encoding/json"
	"slices"
)

// CheckSector holds redirect URIs to what stands at a sector_identifier_uri, a
// JSON list in which all of them must be (OpenID Connect Dynamic Client
// Registration 1.0, section 5). The error is a [*Refusal].
func CheckSector(body []byte, redirectURIs []string) error {
	var list []string
	if len(body) > MaxBody || json.Unmarshal(body, &list) != nil {
		return refuse("sector_identifier_uri", "what stands there is not a list of URIs")
	}
	for _, uri := range redirectURIs {
		if !slices.Contains(list, uri) {
			return refuse("sector_identifier_uri", "a redirect URI is not in the list that stands there")
		}
	}
	return nil
}
