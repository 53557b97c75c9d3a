package adapter

import "time"

// System is what a system.yaml says, after `extends` was resolved: the whole
// behaviour of one profile of one legacy system.
type System struct {
	System  string `yaml:"system"`  // the folder's name
	Profile string `yaml:"profile"` // a published version of the shape, such as "1.10"
	Extends string `yaml:"extends"` // the file that this one only differs from; maps merge, lists and scalars replace, null deletes
	Title   string `yaml:"title"`

	Settings map[string]Setting `yaml:"settings"` // what the operator may or must set
	JSON     JSONStyle          `yaml:"json"`     // how values in *.json.tmpl are written
	Headers  map[string]string  `yaml:"headers"`  // on every reply that does not say otherwise; templates
	Accounts string             `yaml:"accounts"` // the account namespace; default: System
	Login    LoginPolicy        `yaml:"login"`
	Input    Input              `yaml:"input"`
	Key      *Key               `yaml:"key"`   // the system's own API key, checked before anything of the user
	Token    Token              `yaml:"token"` // the format of access tokens, and how later calls present them
	Rate     *Rate              `yaml:"rate_limit"`
	Replies  map[Outcome]Reply  `yaml:"replies"` // for every route that does not say otherwise
	Routes   map[string]Route   `yaml:"routes"`

	prepared *prepared // by [Load]
}

// SettingType is the type of a setting's value.
type SettingType string

// The closed set of setting types.
const (
	SettingString   SettingType = "string"
	SettingSecret   SettingType = "secret" // never printed; given as env:NAME or file:PATH
	SettingBool     SettingType = "bool"
	SettingInt      SettingType = "int"
	SettingDuration SettingType = "duration"
	SettingURL      SettingType = "url"
)

// Setting declares one thing an operator sets for an instance of the system.
type Setting struct {
	Type     SettingType `yaml:"type"`
	Default  any         `yaml:"default"`
	Required bool        `yaml:"required"`
	OneOf    []string    `yaml:"one_of"`
	Comment  string      `yaml:"comment"` // one line
}

// JSONStyle says how the legacy system writes JSON values.
type JSONStyle struct {
	Style       string `yaml:"style"`        // "compact" (default) or "pretty": how nested values that come from data are laid out
	Indent      int    `yaml:"indent"`       // of "pretty"; default 4
	EscapeSlash bool   `yaml:"escape_slash"` // "/" as "\/"
	ASCII       bool   `yaml:"ascii"`        // non-ASCII as \uXXXX

	// RawLineSeparators leaves U+2028 and U+2029 as they are, as
	// JSON.stringify does. Without it they are escaped, as PHP does.
	RawLineSeparators bool `yaml:"raw_line_separators"`
}

// LoginPolicy is how the system judges a user, beside the gate.
type LoginPolicy struct {
	Directory       string `yaml:"directory"`        // a template over .Field; values of fields are path-escaped in it; default "default"
	StatusFirst     bool   `yaml:"status_first"`     // an unverified user is told so whatever the password
	AllowUnverified bool   `yaml:"allow_unverified"` // an unverified user may sign in
	NeedAccount     bool   `yaml:"need_account"`     // a user without an account here is unknown here
	Equivalent      string `yaml:"equivalent"`       // another reading of the password, tried where it is wrong as it was sent: "squeeze" (runs of spaces as one, none at the ends); "" for none
	EmailSetting    string `yaml:"email_setting"`    // a bool setting; while false, an e-mail address finds the user but no password is right for it
}

// Input says where a request's values are read.
type Input struct {
	Read        []string `yaml:"read"`         // "body", "query": the first that has the name wins; default both in this order
	BodyMethods []string `yaml:"body_methods"` // methods whose body is read; default all
	Form        bool     `yaml:"form"`         // application/x-www-form-urlencoded
	Multipart   bool     `yaml:"multipart"`
	JSON        string   `yaml:"json"`      // "no" (default), "exact" (application/json), "contains" (the type contains /json or +json), "any" (whatever the type says or without one, but for form and multipart; text/plain then is no body)
	Other       Outcome  `yaml:"other"`     // the outcome for a body of another type; "" ignores the body
	Malformed   Outcome  `yaml:"malformed"` // the outcome for a body that does not parse; "" treats it as empty
	Scalars     bool     `yaml:"scalars"`   // JSON numbers and booleans count as their text; otherwise as not a string
}

// Field says where one value of a request is and what becomes of it.
//
// A source is a plain name, looked up as Input.Read says (dots reach into JSON
// objects); or one of "body:NAME", "query:NAME", "header:NAME", "cookie:NAME",
// "basic:username", "basic:password", "bearer" (RFC 6750, section 2.1).
//
// A JSON null is as good as absent. Blank is the empty string after
// normalising. Where it counts that a value
// is a string, "name[]" in a form or query is an array called "name".
type Field struct {
	From      []string `yaml:"from"`       // the first source that has it wins
	Normalise []string `yaml:"normalise"`  // closed set: trim, trim_right, lower, ossn_input, sha256, md5, "openssl_unsalt:SETTING" (what the function opensslSalted made under that setting; anything else becomes ""; while it is empty nothing is done)
	Missing   Outcome  `yaml:"missing"`    // absent or blank; default invalid_request, "-" for "optional"
	NotString Outcome  `yaml:"not_string"` // an array, an object or (without Input.Scalars) another scalar; default: as Missing
	Default   string   `yaml:"default"`    // a template over .Settings, for an absent optional field
	Blank     Outcome  `yaml:"blank"`      // the empty string, where it is not as good as absent: another outcome, or "-" for a value like any other
	Pattern   string   `yaml:"pattern"`    // a regular expression (RE2) that the whole value, if given, must match; otherwise Mismatch
	Match     string   `yaml:"match"`      // the account attribute this value, if given, must equal or be contained in; otherwise the user is unknown
	Mismatch  Outcome  `yaml:"mismatch"`   // of Pattern, and of Match on whoami, validate and logout; default unknown_user
}

// Key is the system's own API key.
type Key struct {
	From      []string `yaml:"from"`
	Setting   string   `yaml:"setting"`   // the secret setting it must equal
	Normalise []string `yaml:"normalise"` // as in Field
	Mandatory string   `yaml:"mandatory"` // a bool setting; "" means always
	Unset     Outcome  `yaml:"unset"`     // while the setting is empty; default invalid_client
	Missing   Outcome  `yaml:"missing"`   // default invalid_client
}

// Token is the format of the access tokens this system's logins are granted,
// and where later calls present them.
type Token struct {
	Format   string     `yaml:"format"`   // provider.TokenFormat: opaque, hex32, jwt-hs256
	Upper    bool       `yaml:"upper"`    // hex32 in upper case
	Header   string     `yaml:"header"`   // jwt-hs256: the JOSE header as signed
	Claims   string     `yaml:"claims"`   // jwt-hs256: a *.json.tmpl whose output is signed as it is
	Secret   string     `yaml:"secret"`   // jwt-hs256: the name of the secret setting
	Lifetime string     `yaml:"lifetime"` // the name of a duration setting
	JSON     *JSONStyle `yaml:"json"`     // jwt-hs256: how values in Claims are written; default System.JSON
	Reuse    bool       `yaml:"reuse"`    // the same token again while it lives
	From     []string   `yaml:"from"`     // as in Field
}

// Rate is the legacy system's own request limit: a fixed window for each
// client address, counted over all its routes.
type Rate struct {
	Setting string        `yaml:"setting"` // an int setting: requests in a window; 0 is no limit
	Per     time.Duration `yaml:"per"`
}

// Action is what a route does.
type Action string

// The closed set of actions.
const (
	ActionLogin    Action = "login"    // grants the credentials
	ActionWhoAmI   Action = "whoami"   // the user behind the presented token, or the one named (Route.Lookup)
	ActionValidate Action = "validate" // whether the presented token is good
	ActionLogout   Action = "logout"   // revokes the presented token
	ActionStatic   Action = "static"   // the reply of Route.Outcome, whatever is asked
)

// Route is one legacy call.
type Route struct {
	Path          string              `yaml:"path"`           // below the instance's base path; a last segment "*" takes every path below
	Also          []string            `yaml:"also"`           // further paths
	Methods       []string            `yaml:"methods"`        // empty: any
	IgnoreCase    bool                `yaml:"ignore_case"`    // of the path
	TrailingSlash string              `yaml:"trailing_slash"` // "refuse" (default), "accept", "redirect" (301 to the path without, whatever the method; of a path with "*", below it)
	Yield         bool                `yaml:"yield"`          // where another instance has a route for the same requests, that one answers
	When          map[string]string   `yaml:"when"`           // source -> value: several routes may share a path; one without When comes last. "" is absent or blank, "*" is any other value; "setting:NAME" is a source here too
	Action        Action              `yaml:"action"`
	Outcome       Outcome             `yaml:"outcome"` // of a static route; default success
	NoKey         bool                `yaml:"no_key"`  // System.Key is not asked here
	Key           *Key                `yaml:"key"`     // instead of System.Key
	Input         *Input              `yaml:"input"`   // instead of System.Input
	Fields        map[string]Field    `yaml:"fields"`  // checked in this order: username, password, then the others by name
	Credentials   []CredentialVariant `yaml:"credentials"`
	Lookup        *Lookup             `yaml:"lookup"`     // whoami: by account id or login name instead of by token
	TokenFrom     []string            `yaml:"token_from"` // instead of Token.From
	Lifetime      string              `yaml:"lifetime"`   // instead of Token.Lifetime
	Headers       map[string]string   `yaml:"headers"`
	Replies       map[Outcome]Reply   `yaml:"replies"`
}

// CredentialVariant is one way to say who signs in. The first variant whose
// fields in Given are all present is used. Without any variant, the fields
// "username" and "password" are the credentials and LoginPolicy.Directory is
// the directory.
type CredentialVariant struct {
	Given     []string         `yaml:"given"`
	Directory string           `yaml:"directory"`
	Username  string           `yaml:"username"` // a field's name
	Password  string           `yaml:"password"` // a field's name
	Fields    map[string]Field `yaml:"fields"`   // beside Route.Fields, for this variant only
}

// Lookup names the fields by which a user is looked up; the first that is
// given is used.
type Lookup struct {
	AccountID []string `yaml:"account_id"`
	LoginName []string `yaml:"login_name"`
}

// Reply is one answer. Exactly one of Body, JSON, XML, HTML and Text may be
// set (a profile that replaces an inherited one by one of another kind deletes
// the inherited one with null, or with `extends` simply says its own: the kind
// of the nearest file counts); none is an empty body.
//
// Content-Type defaults to application/json, text/xml, text/html or text/plain,
// the last three with charset=utf-8. A 405 and the answer to OPTIONS get the
// header Allow, unless the reply names it.
type Reply struct {
	Status  string            `yaml:"status"`  // a number, or a template that gives one; default 200
	Headers map[string]string `yaml:"headers"` // templates; "" removes an inherited one
	Body    string            `yaml:"body"`    // a file beside system.yaml: *.json.tmpl, *.xml.tmpl, *.html.tmpl, *.txt.tmpl; one newline at its end is the file's and not the body's
	JSON    string            `yaml:"json"`    // inline, as a *.json.tmpl
	XML     string            `yaml:"xml"`
	HTML    string            `yaml:"html"`
	Text    string            `yaml:"text"`
	ETag    string            `yaml:"etag"` // "" or "express": a weak ETag as Express makes it
}
