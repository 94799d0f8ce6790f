package events

import "fmt"

// A Reason names why input, or a part of it, gave no event. Reasons are few and
// stable: they are metric labels and what dead-letter lists are sorted by.
type Reason string

// The reasons.
const (
	BadJSON          Reason = "bad_json"          // not JSON, or cut short
	BadEnvelope      Reason = "bad_envelope"      // a wrapper (CloudEvent, HEC, capture line) without an event in it
	BadProtobuf      Reason = "bad_protobuf"      // not a sensor event
	BadZip           Reason = "bad_zip"           // a damaged archive
	ZipBomb          Reason = "zip_bomb"          // an archive that unpacks to more than the limit
	TruncatedBundle  Reason = "truncated_bundle"  // a length that goes beyond the end; what came before is kept
	TooLarge         Reason = "too_large"         // beyond a size limit
	TooDeep          Reason = "too_deep"          // JSON or envelopes nested beyond the limit
	NoType           Reason = "no_type"           // JSON with neither routing key nor type
	NotAnEvent       Reason = "not_an_event"      // a sensor message that reports no event (vtwrite, process metadata, blocked connection)
	UnknownFormat    Reason = "unknown_format"    // neither JSON nor protobuf nor zip
	UnsupportedInput Reason = "unsupported_input" // a recognised format that is not supported (LEEF)
)

// keptBytes bounds what a Reject keeps of the rejected input.
const keptBytes = 64 << 10

// A Reject is a part of a message that gave no event. It is an error, so that
// it can stand beside an event in an iteration; it never ends one.
type Reject struct {
	Reason Reason
	Err    error  // what exactly was wrong
	Offset int    // where the part begins, in bytes from the start of the (unzipped) body
	Data   []byte // the part itself, its first 64 KiB
}

func (r *Reject) Error() string {
	if r.Err == nil {
		return string(r.Reason)
	}
	return fmt.Sprintf("%s: %v", r.Reason, r.Err)
}

func (r *Reject) Unwrap() error { return r.Err }

// Harmless reports whether the input is valid and only has no event in it. Such rejects
// are counted and not kept.
func (r *Reject) Harmless() bool { return r.Reason == NotAnEvent }

// The flaws: what can be wrong with a message that gives an event all the same.
const (
	FlawTime        = "time_out_of_range" // not understood, before 1990 or more than a day ahead: the time is left unknown
	FlawUTF8        = "invalid_utf8"      // text had bytes that are not UTF-8, now U+FFFD
	FlawNUL         = "nul_in_text"       // text had NULs, now U+FFFD
	FlawUnknownType = "unknown_type"      // a type without a decoder, of kind other
)
