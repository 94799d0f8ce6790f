// Package list reads the lists of values that rules look into: text files with one
// value a line, and CSV files with a column of values. What a list holds (hashes,
// addresses, domains, paths, text) is told by its entries or by a line "# type: …" at
// its top. An entry is understood as it is meant or refused with its place: one that
// could never be found is never taken in silence.
package list
