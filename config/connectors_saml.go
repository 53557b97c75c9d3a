package config

import (
	"fmt"
	"time"
)

// ConnectorSAML says what there is to know of a SAML 2.0 identity provider, whose
// entity id is the connector's issuer.
type ConnectorSAML struct {
	Metadata         string        `yaml:"metadata" doc:"File with its metadata, read anew every minute."`
	MetadataURL      string        `yaml:"metadata_url" doc:"URL of its metadata, in place of metadata; read anew every hour."`
	EntityID         string        `yaml:"entity_id" doc:"This provider's entity id there; without, the URL of its metadata, ISSUER/login/saml/ID/metadata."`
	Key              Secret        `yaml:"key" doc:"RSA key in PEM, which signs requests; as file:PATH or env:NAME."`
	Certificate      string        `yaml:"certificate" doc:"File with the certificate of the key, in PEM; it may be self-signed."`
	Signed           string        `yaml:"signed" default:"any" enum:"any assertion response both" doc:"Which signatures an answer must have; any is one of the two."`
	NameFormat       string        `yaml:"name_format" default:"persistent" enum:"persistent email unspecified" doc:"The format of the NameID that says who somebody is. Of these, only persistent is never given to somebody else later."`
	SubjectAttribute string        `yaml:"subject_attribute" doc:"The attribute that says who somebody is, in place of the NameID; it must never change, nor be given to somebody else."`
	Lists            []string      `yaml:"lists" doc:"Attributes that are lists in the mapping even where they have one value, such as groups."`
	Skew             time.Duration `yaml:"skew" default:"1m" min:"1s" max:"90s" doc:"How far its clock may be off."`
}

const typeSAML = "saml"

func (s *ConnectorSAML) used() bool {
	return s.Metadata != "" || s.MetadataURL != "" || s.EntityID != "" || !s.Key.IsZero() || s.Certificate != ""
}

func (x *Connector) samlRules(at string) []rule {
	s := &x.SAML
	u, ok := parseURL(s.MetadataURL)
	fit := ok && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())) && u.User == nil && u.Fragment == ""
	return []rule{
		{at + "issuer", x.Issuer == "", "is required", "write the entityID of its metadata"},
		{at + "prompt", x.Prompt != "" && x.Prompt != "login", "must be login, or nothing: SAML knows no other", ""},
		{at + "saml.metadata", s.Metadata == "" && s.MetadataURL == "", "is required", "name the file, or write metadata_url"},
		{at + "saml.metadata_url", s.Metadata != "" && s.MetadataURL != "", "does not go with metadata", "keep one of them"},
		{at + "saml.metadata_url", s.MetadataURL != "" && !fit, "must be an https URL without user and fragment", ""},
		{at + "saml.key", s.Key.IsZero(), "is required", "make one with: openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj /CN=keyway -keyout saml.key -out saml.crt"},
		{at + "saml.certificate", s.Certificate == "", "is required", "it comes with the key"},
	}
}

func (w world) samlFiles(all []Connector) []rule {
	var rs []rule
	for i := range all {
		at := fmt.Sprintf("connectors[%d].saml.", i)
		rs = append(rs, w.fileRule(at+"metadata", all[i].SAML.Metadata), w.fileRule(at+"certificate", all[i].SAML.Certificate))
	}
	return rs
}
