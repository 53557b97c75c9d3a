// Command keyway keeps old login calls alive on top of an OpenID provider.
//
// One file is one command. Only serve.go knows all packages: it turns each
// section of the configuration into one package's Options.
package main
