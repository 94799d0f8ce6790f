// Package list reads the lists of values that rules look into: text files with one
// value a line, and CSV files with a column of values. The type of a list (hash, ip,
// domain, path, text) is inferred from its entries or set by a line "# type: …" at its
// top. An entry is accepted in its normal form or refused with its position: one that
// could never match is never accepted silently.
package list
