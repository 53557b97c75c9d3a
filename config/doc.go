// Package config is what the operator says: one YAML file, read strictly.
//
//	keyway.yaml ──> syntax ──> keys and types ──> secrets by reference ──> rules ──> *Config, []Warning
//	                   └────────────┴──────────────────┴────────────────────┴──────> Problems
//
// Everything wrong with a file is reported at once, as [Problems], each with
// its line and the source around it. A value that is fit for development only
// is a [Warning] and not an error.
//
// The struct tags of [Config] are the one place for a key's name, default,
// range and comment; [Default], [Reference] and [Schema] read them from there:
//
//	yaml      the key
//	default   its value when it is absent; lists are separated by spaces
//	doc       one line for the reference and for editors
//	enum      the values it may have, separated by spaces
//	min, max  its range, in its own notation
//	required  "true" if it must be given
//
// The package imports nothing else of this module.
package config

//go:generate go test -run Generated -update .
