package registration

// Request is the body of a registration, or of an update.
type Request struct {
	Metadata

	// ClientID and ClientSecret are for an update, which repeats them (RFC 7592,
	// section 2.2). A registration ignores them.
	ClientID, ClientSecret string
	// Managed is the first member that only the provider may set, "" for none
	// (RFC 7592, section 2.2).
	Managed string
}

// Refusal says why a client cannot be registered (RFC 7591, section 3.2.2).
type Refusal struct {
	Code        string
	Description string // names the member, and quotes nothing of what was sent
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// The codes of refusals.
const (
	invalidMetadata = "invalid_client_metadata"
	invalidRedirect = "invalid_redirect_uri"
	unapproved      = "unapproved_software_statement"
)

func refuse(member, why string) *Refusal {
	return &Refusal{Code: invalidMetadata, Description: member + ": " + why + "."}
}

func refuseRedirect(member, why string) *Refusal {
	return &Refusal{Code: invalidRedirect, Description: member + ": " + why + "."}
}
