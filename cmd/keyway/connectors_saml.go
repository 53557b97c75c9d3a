package main

import (
	"cmp"
	"fmt"
	"time"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/outbound"
	"keyway/provider/upstream/saml"
)

const maxCertificate = 64 << 10 // bytes

// samlConnector makes a service provider for one identity provider. A file of metadata
// is read anew each minute, for that costs nobody anything.
func (p *program) samlConnector(c *config.Connector, calls *outbound.Client, one *federation.Connector) error {
	s := c.SAML
	certificate, err := readLimited(s.Certificate, maxCertificate)
	if err != nil {
		return fmt.Errorf("saml.certificate: %w", err)
	}
	read, refresh := saml.FromFile(s.Metadata), time.Minute
	if s.MetadataURL != "" {
		read, refresh = saml.FromURL(calls.HTTP(), s.MetadataURL), time.Hour
	}
	one.Posted = true
	one.Upstream, err = saml.New(saml.Options{
		Issuer: c.Issuer, EntityID: cmp.Or(s.EntityID, p.cfg.Issuer+"/login/saml/"+c.ID+"/metadata"), ACS: p.cfg.Issuer + "/login/callback/" + c.ID,
		Metadata: read, Refresh: refresh, Key: s.Key.Reveal(), Certificate: certificate,
		Signed: s.Signed, NameFormat: s.NameFormat, SubjectAttribute: s.SubjectAttribute, Lists: s.Lists,
		ACRValues: c.ACRValues, RequireACR: c.RequireACR, Force: c.Prompt == "login", Skew: s.Skew, Remember: p.store.RememberOnce, Now: p.now,
	})
	return err
}

// checkSAML tries the key and the certificate of a connector.
func checkSAML(c *config.Connector) error {
	certificate, err := readLimited(c.SAML.Certificate, maxCertificate)
	if err != nil {
		return err
	}
	_, _, err = saml.KeyPair(c.SAML.Key.Reveal(), certificate)
	return err
}
