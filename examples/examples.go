// Package examples carries the example rules inside the binary, for `pipeline
// demo`. They are files first: open them, copy them, change them. docs/cookbook.md
// says what each is for.
package examples

import "embed"

// Rules holds the directory rules.
//
//go:embed rules
var Rules embed.FS

// Scripts holds the directory scripts: the files that the rules put on endpoints.
//
//go:embed scripts
var Scripts embed.FS
