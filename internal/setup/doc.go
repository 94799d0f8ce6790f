// Package setup writes the directory of a new deployment: a commented
// configuration, a first rule, guards, and secrets that only their owner reads.
package setup
