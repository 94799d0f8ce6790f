// Package liveresponse is shared by the Live Response clients of Carbon Black EDR and
// Carbon Black Cloud: directory walks, resumable transfers with a digest, result
// codes, registry values, process output, and JSON whose types vary.
//
// Sessions, routes and tokens belong to pkg/lr and pkg/cbc.
package liveresponse
