// Package lrshell is the Live Response shell of `pipeline lr`: commands on one
// endpoint, typed at a prompt or given once by a script.
//
// To add a command write a file with a function that returns a Command, and add
// it to the table in commands.go; help and completion follow from it.
package lrshell
