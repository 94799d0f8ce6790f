// Package rules turns rule files into an immutable compiled Set and matches
// events against it: index, expressions, correlation, suppression, tests and
// explanations. It knows nothing of jobs: a Match says which rule wants which
// chain on which sensors, and why.
package rules
