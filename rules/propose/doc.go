// Package propose writes a rule and its test from an event that really happened: a
// draft that loads, is tested, and decides only (mode shadow) until its author has
// read it.
//
// The condition compares what tells the event from others: names of programs, pieces
// of command lines, directories, keys, names of watchlists. It never compares what is
// different the next time: ids, times, hosts, people, addresses, random names.
package propose
