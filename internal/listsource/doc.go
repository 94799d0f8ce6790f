// Package listsource fetches values for the lists of rules from servers elsewhere: text,
// a column of CSV, or the indicators of a STIX 2.1 bundle.
//
// What was fetched last and was sound is kept in a file, and stays in force while the
// server is away, answers nonsense or answers too much. Neither the start nor matching
// waits for a server.
package listsource
