package keys

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Hint is what an id_token_hint says.
type Hint struct {
	Subject string // as the client knows the person
	Client  string
}

// Hint reads an ID token that issuer, which we are, issued, however long ago, with
// any key that is still published.
func (r *Ring) Hint(issuer, token string) (Hint, error) {
	t, err := r.Verify(token)
	if err != nil {
		return Hint{}, fmt.Errorf("id_token_hint is not a token of ours: %w", err)
	}
	var said struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
	}
	if err := json.Unmarshal(t.Payload, &said); err != nil || t.Type != "" && t.Type != "JWT" || said.Issuer != issuer {
		return Hint{}, errors.New("id_token_hint is not an ID token of ours")
	}
	h := Hint{Subject: said.Subject}
	var several []string
	if json.Unmarshal(said.Audience, &h.Client) != nil && json.Unmarshal(said.Audience, &several) == nil && len(several) == 1 {
		h.Client = several[0]
	}
	if h.Subject == "" || h.Client == "" {
		return Hint{}, errors.New("id_token_hint has no subject or no client")
	}
	return h, nil
}
