// Package examples carries the example rules inside the binary, for `pipeline
// demo`. They are files first: open them, copy them, change them.
package examples

import "embed"

// Rules holds the directory rules.
//
//go:embed rules
var Rules embed.FS
