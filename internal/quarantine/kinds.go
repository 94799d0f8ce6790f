package quarantine

import (
	"strings"

	"edrpipe/pkg/bus"
)

// Kind is a kind of records that replicas share.
type Kind struct {
	Bucket string // as in Record
	Prefix string // that its keys begin with; empty: its keys are ids, without a dot
	Held   string // what is held while such a record does not verify
	Bare   bool   // it has no seal: nothing depends on its content
}

// Kinds lists every kind of records in the buckets, and in streams with seals. A record of
// no kind is a fault of the part that wrote it: nobody can say what depends on it.
var Kinds = []Kind{
	{Bucket: bus.BucketControl, Prefix: "guard.control", Held: "everything is stopped"},
	{Bucket: bus.BucketControl, Prefix: "guard.budget.", Held: "the budget holds"},
	{Bucket: bus.BucketControl, Prefix: "guard.quota.", Held: "the rule's limit is reached"},
	{Bucket: bus.BucketControl, Prefix: "guard.breaker.", Held: "the rule's breaker is open"},
	{Bucket: bus.BucketControl, Prefix: "slots.", Held: "no endpoint of the server is worked on"},
	{Bucket: bus.BucketControl, Prefix: "rules.suppress.", Held: "no job of that key; its messages are dead letters"},
	{Bucket: bus.BucketControl, Prefix: "rules.correlate.", Held: "no job of that key; its messages are dead letters"},
	{Bucket: bus.BucketControl, Prefix: "rules.jobs.", Held: "no job of events of that endpoint; its messages are dead letters"},
	{Bucket: bus.BucketControl, Prefix: "containment.", Held: "isolation or ban of that target waits"},
	{Bucket: bus.BucketControl, Prefix: "types.", Held: "the types that events said of some endpoints are unknown"},
	{Bucket: bus.BucketControl, Prefix: "servers.", Held: "jobs of servers that are not configured any more are not listed"},
	{Bucket: bus.BucketControl, Prefix: checkKey, Held: "no replica takes new events"},
	{Bucket: bus.BucketControl, Prefix: "notified.", Held: "nothing: people are notified again"},
	{Bucket: bus.BucketControl, Prefix: "probe.", Held: "nothing: it is written again"},
	{Bucket: bus.BucketJobs, Held: "the job does not run"},
	{Bucket: bus.BucketJobs, Prefix: "format.", Bare: true},
	{Bucket: bus.BucketJobs, Prefix: "watch.", Bare: true},
	{Bucket: bus.BucketFinished, Held: "the job is not shown"},
	{Bucket: bus.BucketArtifacts, Held: "the file is not shown"},
	{Bucket: bus.StreamBinaries, Held: "what is known of the binary is not renewed"},
}

// KindOf returns the kind of a record.
func KindOf(bucket, key string) (Kind, bool) {
	for _, k := range Kinds {
		if k.Bucket != bucket {
			continue
		}
		if k.Prefix == "" && !strings.Contains(key, ".") || k.Prefix != "" && strings.HasPrefix(key, k.Prefix) {
			return k, true
		}
	}
	return Kind{}, false
}

// held is what is held because of a record.
func held(bucket, key string) string {
	if k, ok := KindOf(bucket, key); ok {
		return k.Held
	}
	return "nothing: no record of ours has such a key"
}
