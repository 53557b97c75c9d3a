package config

import (
	"net/netip"
	"time"
)

// Config is the whole configuration. Every field has its default unless the
// file says otherwise; relative paths are resolved against the file's folder.
type Config struct {
	Issuer          string         `yaml:"issuer" default:"http://127.0.0.1:8080" doc:"URL under which everyone reaches this provider: any host, port and path, no trailing slash."`
	InsecureHTTP    bool           `yaml:"insecure_http" default:"false" doc:"Allows an http issuer that is not on loopback. Passwords and tokens then travel in clear."`
	Listen          string         `yaml:"listen" default:"127.0.0.1:8080" doc:"Address to listen on, as host:port. Port 0 picks a free one."`
	TLS             TLS            `yaml:"tls" doc:"Certificate for https without a proxy."`
	Certificates    Certificates   `yaml:"client_certificates" doc:"How OAuth clients show certificates of their own (RFC 8705). Empty: they cannot."`
	TrustedProxies  []netip.Prefix `yaml:"trusted_proxies" doc:"Networks whose X-Forwarded-For is believed. Empty: the peer's address is the client's."`
	Database        DSN            `yaml:"database" default:"keyway.db" doc:"A file for SQLite, or a postgres:// URL. May be env:NAME or file:PATH."`
	Secret          Secret         `yaml:"secret" required:"true" doc:"At least 32 random bytes, the same on every replica. Seals stored keys; other secrets are derived from it."`
	Log             Log            `yaml:"log" doc:"What is logged, to standard error."`
	Sessions        Sessions       `yaml:"sessions" doc:"How long browsers stay signed in."`
	SignIn          SignIn         `yaml:"sign_in" doc:"What the pages for signing in offer."`
	SecondFactor    SecondFactor   `yaml:"second_factor" doc:"Who needs a second factor beside the password, or may have one (docs/second-factor.md)."`
	Tokens          Tokens         `yaml:"tokens" doc:"Lifetimes, unless a client or a system has its own."`
	Passwords       Passwords      `yaml:"passwords" doc:"How passwords are hashed, and how many at a time."`
	Lockout         Lockout        `yaml:"lockout" doc:"When guessing is stopped."`
	Limits          Limits         `yaml:"limits" doc:"How long a slow client may take. Request bodies are always limited to 64 KiB."`
	Registration    Registration   `yaml:"registration" doc:"Whether clients may register themselves (RFC 7591), and as what."`
	Outbound        Outbound       `yaml:"outbound" doc:"What may be called of the URLs that clients and others name."`
	JanitorInterval time.Duration  `yaml:"janitor_interval" default:"5m" min:"1s" doc:"How often expired rows are removed."`
	EventRetention  time.Duration  `yaml:"event_retention" default:"2160h" min:"1h" doc:"How long audit events are kept."`
	UsersFile       string         `yaml:"users_file" doc:"JSON Lines of users, applied at every start; the format of keyway users import."`
	TemplatesDir    string         `yaml:"templates_dir" doc:"Folder with legacy systems of your own, one folder each, beside the built-in ones."`
	BrandingDir     string         `yaml:"branding_dir" doc:"Folder with pages, texts, styles and a logo of your own, which win over the built-in ones file by file and text by text."`
	Clients         []Client       `yaml:"clients" doc:"OAuth clients, applied at every start."`
	Connectors      []Connector    `yaml:"connectors" doc:"Identity providers that people can sign in at (docs/federation.md)."`
	Verifiers       []VerifierRule `yaml:"verifiers" doc:"Who is asked about a password: the first rule that fits a login says. Without one that fits, app passwords and then the passwords kept here."`
	TrustedIssuers  []Trusted      `yaml:"trusted_issuers" doc:"Others whose signed word on who a user is counts, in token exchange (RFC 8693) and as a grant (RFC 7523)."`
	Systems         []System       `yaml:"systems" doc:"Legacy systems to answer for."`
}

// SignIn says what the pages for signing in offer.
type SignIn struct {
	SignUpURL string `yaml:"sign_up_url" doc:"Where people make an account, such as an old site's form: the login page links there, and prompt=create leads there. It gets return_to, the URL by which the sign-in goes on."`
}

// Outbound says which calls go out to URLs that others name, such as a client's
// jwks_uri. Public addresses may always be called, by https.
type Outbound struct {
	Timeout       time.Duration  `yaml:"timeout" default:"5s" min:"100ms" max:"30s" doc:"For a whole call."`
	AllowHosts    []string       `yaml:"allow_hosts" doc:"Hosts, as name or name:port, that may be called although their addresses are private."`
	AllowNetworks []netip.Prefix `yaml:"allow_networks" doc:"Private networks that may be called."`
	AllowLoopback bool           `yaml:"allow_loopback" default:"false" doc:"Lets this machine itself be called, by http too; for development."`
}

// TLS names the files for https. Both or neither are set.
type TLS struct {
	Certificate string `yaml:"certificate" doc:"PEM file with the certificate and its chain."`
	Key         string `yaml:"key" doc:"PEM file with the private key."`
}

// Certificates says how OAuth clients show certificates of their own.
type Certificates struct {
	CA     string `yaml:"ca" doc:"PEM file with the authorities that vouch for clients, for auth_method tls_client_auth."`
	Header string `yaml:"header" doc:"Header in which a proxy of trusted_proxies passes the certificate on, as percent-encoded PEM (nginx) or as Client-Cert (RFC 9440). The proxy must remove the header of everybody else, and must have made sure that the client holds the key."`
	Listen string `yaml:"listen" doc:"Further address to listen on with tls.certificate, where clients are asked for a certificate."`
	URL    string `yaml:"url" doc:"URL by which clients with certificates reach the issuer there or at the proxy, with the issuer's path; published as mtls_endpoint_aliases."`
}

// Log says what is logged.
type Log struct {
	Level  string `yaml:"level" default:"info" enum:"debug info warn error" doc:"The least severe level that is logged."`
	Format string `yaml:"format" default:"text" enum:"text json" doc:"How a line is written."`
}

// Sessions are the lifetimes of browser sessions and of what begins one.
type Sessions struct {
	Idle   time.Duration `yaml:"idle" default:"12h" min:"1m" doc:"After which a browser that was not used is signed out."`
	Max    time.Duration `yaml:"max" default:"168h" min:"1m" doc:"After which it is, however much it was used."`
	SignIn time.Duration `yaml:"sign_in" default:"30m" min:"1m" max:"24h" doc:"In which a sign-in that was begun must be finished."`
}

// Tokens are the lifetimes of tokens and keys.
type Tokens struct {
	AccessLifetime  time.Duration `yaml:"access_lifetime" default:"15m" min:"10s" doc:"Lifetime of access tokens."`
	RefreshLifetime time.Duration `yaml:"refresh_lifetime" default:"720h" min:"1m" doc:"Lifetime of a refresh token that is not used."`
	RefreshMaxAge   time.Duration `yaml:"refresh_max_age" default:"2160h" min:"1m" doc:"Age at which a grant ends, however often it was refreshed."`
	IDLifetime      time.Duration `yaml:"id_lifetime" default:"1h" min:"10s" doc:"Lifetime of ID tokens."`
	DPoPNonce       bool          `yaml:"require_dpop_nonce" default:"false" doc:"Refuses DPoP proofs without a nonce of this provider, so that none can be made in advance. Clients repeat the request once."`
	CodeLifetime    time.Duration `yaml:"code_lifetime" default:"60s" min:"10s" max:"10m" doc:"Lifetime of authorization codes."`
	KeyRotation     time.Duration `yaml:"key_rotation" default:"2160h" min:"1h" doc:"Age at which a signing key is replaced."`
}

// Passwords says how passwords are hashed.
type Passwords struct {
	Argon2        Argon2        `yaml:"argon2" doc:"Cost of argon2id for new hashes. A hash of another kind or cost is replaced at the next good login."`
	Workers       int           `yaml:"workers" default:"0" min:"0" max:"1024" doc:"Hashes computed at a time; 0 is one for each core."`
	Queue         int           `yaml:"queue" default:"64" min:"1" max:"100000" doc:"Logins that may wait for a worker. Beyond it, a login is answered as unavailable."`
	Wait          time.Duration `yaml:"wait" default:"5s" min:"10ms" max:"1m" doc:"How long a login may wait for a worker."`
	KeepHashes    bool          `yaml:"keep_hashes" default:"false" doc:"Leaves imported hashes as they are, instead of replacing them by argon2id at the next good login; for as long as you may go back."`
	VerifiedCache time.Duration `yaml:"verified_cache" default:"0s" min:"0s" max:"10m" doc:"How long a verified password is remembered, for clients that repeat it; 0s is never."`
}

// Argon2 is the cost of argon2id (RFC 9106).
type Argon2 struct {
	MemoryKiB   int `yaml:"memory_kib" default:"19456" min:"8" max:"4194304" doc:"Memory for each hash, in KiB."`
	Iterations  int `yaml:"iterations" default:"2" min:"1" max:"1000" doc:"Passes over the memory."`
	Parallelism int `yaml:"parallelism" default:"1" min:"1" max:"255" doc:"Lanes."`
}

// Lockout says when guessing is stopped.
type Lockout struct {
	Failures       int           `yaml:"failures" default:"10" min:"1" max:"1000000" doc:"Failed logins of one user within the window before the user is locked."`
	SourceFailures int           `yaml:"source_failures" default:"300" min:"1" max:"1000000" doc:"Failed logins from one address within the window before the address is."`
	Window         time.Duration `yaml:"window" default:"15m" min:"1s" doc:"The sliding window in which failures count."`
}

// Limits are the timeouts of the HTTP server.
type Limits struct {
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" default:"5s" min:"100ms" max:"10m" doc:"For the header of a request."`
	ReadTimeout       time.Duration `yaml:"read_timeout" default:"15s" min:"100ms" max:"10m" doc:"For a whole request."`
	WriteTimeout      time.Duration `yaml:"write_timeout" default:"30s" min:"100ms" max:"10m" doc:"From the end of a request's header to the end of its answer."`
	IdleTimeout       time.Duration `yaml:"idle_timeout" default:"60s" min:"100ms" max:"1h" doc:"Between two requests of one connection."`
}
