// Package nats holds the configuration of the bus that is shipped. The embedded
// server takes its accounts from the same file as a NATS of its own.
package nats

import _ "embed"

// Accounts is the text of accounts.conf: who may do what on the bus. It includes
// PasswordsFile, which sets the variables that it uses.
//
//go:embed accounts.conf
var Accounts string

// PasswordsFile is how Accounts includes the users' passwords.
const PasswordsFile = "include ./secrets/nats-passwords.conf"
