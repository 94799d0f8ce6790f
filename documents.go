// Package edrpipe carries its documentation inside the binary, for `pipeline docs serve`.
package edrpipe

import "embed"

// Documents holds README.md, CHANGELOG.md, docs, and the examples that these link to,
// under the names that they have in the repository.
//
//go:embed README.md CHANGELOG.md SECURITY.md docs editors examples/rules examples/guards.yaml examples/endpoints.yaml
var Documents embed.FS
