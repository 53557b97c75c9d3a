//go:build upstreams

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simpleSAMLRoot is where Debian's package puts SimpleSAMLphp.
const simpleSAMLRoot = "/usr/share/simplesamlphp"

// simpleSAML is SimpleSAMLphp as an identity provider, in which alice is known. It is at
// localhost, which is another site than 127.0.0.1 to a browser.
type simpleSAML struct {
	URL string
	dir string
}

func startSimpleSAML(t *testing.T) *simpleSAML {
	t.Helper()
	if _, err := os.Stat(simpleSAMLRoot); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("SimpleSAMLphp is not here; scripts/test-upstreams-needs.sh installs it")
		}
		t.Skip("SimpleSAMLphp is not here")
	}
	_, port, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	s := &simpleSAML{URL: "http://localhost:" + port, dir: t.TempDir()}
	for _, name := range []string{"config", "metadata", "cert", "log", "data", "tmp", "sessions"} {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, name), 0o700))
	}
	writeSAMLKey(t, filepath.Join(s.dir, "cert"), "idp")
	s.write(t, "config/config.php", fmt.Sprintf(simpleSAMLConfig, s.URL, s.dir))
	s.write(t, "config/authsources.php", simpleSAMLPeople)
	s.write(t, "metadata/saml20-idp-hosted.php", simpleSAMLHosted)
	s.write(t, "metadata/saml20-sp-remote.php", "<?php\n")
	s.serve(t, "localhost:"+port)
	return s
}

func (s *simpleSAML) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

// serve ends with the test.
func (s *simpleSAML) serve(t *testing.T, address string) {
	t.Helper()
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	php := exec.CommandContext(ctx, "php", "-d", "opcache.enable=0", "-S", address, "-t", filepath.Join(simpleSAMLRoot, "www"))
	php.Env = append(os.Environ(), "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(s.dir, "config"))
	php.Stdout, php.Stderr = &log, &log
	require.NoError(t, php.Start())
	t.Cleanup(func() {
		stop()
		_ = php.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		res, err := http.Get(s.metadataURL())
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, 20*time.Second, 50*time.Millisecond)
}

func (s *simpleSAML) metadataURL() string { return s.URL + "/saml2/idp/metadata.php" }

// learn has SimpleSAMLphp read our metadata by its own parser.
func (s *simpleSAML) learn(t *testing.T, metadata []byte, more string) {
	t.Helper()
	s.write(t, "metadata/sp.xml", string(metadata))
	php := exec.CommandContext(t.Context(), "php", "-r", simpleSAMLLearn, s.dir+"/metadata", more)
	php.Env = append(os.Environ(), "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(s.dir, "config"))
	out, err := php.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

const simpleSAMLConfig = `<?php
$config = [
    'baseurlpath' => '%[1]s/', 'certdir' => '%[2]s/cert/', 'loggingdir' => '%[2]s/log/', 'datadir' => '%[2]s/data/', 'tempdir' => '%[2]s/tmp',
    'metadatadir' => '%[2]s/metadata/', 'metadata.sources' => [['type' => 'flatfile', 'directory' => '%[2]s/metadata/']],
    'secretsalt' => 'b7c2d94e0f6a4d1c', 'auth.adminpassword' => '5f1e7a90c3d84b62', 'timezone' => 'UTC',
    'technicalcontact_name' => 'Administrator', 'technicalcontact_email' => 'na@example.org',
    'showerrors' => true, 'errorreporting' => false, 'logging.handler' => 'errorlog', 'logging.level' => SimpleSAML\Logger::INFO,
    'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'session.phpsession.savepath' => '%[2]s/sessions',
    'language.cookie.secure' => false, 'language.cookie.samesite' => null, 'store.type' => 'phpsession', 'admin.checkforupdates' => false,
];
`

const simpleSAMLPeople = `<?php
$config = ['people' => ['exampleauth:UserPass',
    'alice:correct-horse' => ['uid' => ['u-17'], 'mail' => ['alice@corp.example'], 'givenName' => ['Alice'], 'groups' => ['staff', 'admins']],
    'bob:correct-horse' => ['uid' => ['u-18'], 'mail' => ['bob@corp.example'], 'givenName' => ['Bob'], 'groups' => ['guests']],
]];
`

const simpleSAMLHosted = `<?php
$metadata['urn:corp:idp'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.crt', 'auth' => 'people',
    'redirect.validate' => true, 'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'authproc' => [3 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid']],
];
`

const simpleSAMLLearn = `require '` + simpleSAMLRoot + `/lib/_autoload.php';
$sp = SimpleSAML\Metadata\SAMLParser::parseFile($argv[1] . '/sp.xml')->getMetadata20SP();
unset($sp['metadata-set'], $sp['expire']);
$sp = array_merge($sp, json_decode($argv[2], true));
file_put_contents($argv[1] . '/saml20-sp-remote.php', '<?php $metadata[' . var_export($sp['entityid'], true) . '] = ' . var_export($sp, true) . ';');
`
