// Package liveresponse has what the Live Response of Carbon Black EDR and that of
// Carbon Black Cloud have in common: the walk of a directory tree, transfers that
// resume and keep a digest, result codes, registry values, the output of a process,
// and JSON whose types vary.
//
// It knows nothing of sessions, routes or tokens: see pkg/lr and pkg/cbc.
package liveresponse
