package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Names of streams and buckets, a contract with consumers and operators.
const (
	StreamEvents  = "EVENTS"
	StreamDead    = "DEAD"
	StreamJobs    = "JOBS"
	StreamResults = "RESULTS"
	StreamTenants = "TENANTS"
	StreamAudit   = "AUDIT"

	StreamBinaries = "BINARIES" // metadata of binaries, the service's own

	BucketJobs      = "jobs" // live job records
	BucketFinished  = "jobs-finished"
	BucketControl   = "control" // slot tables, stop switch, silences, suppression keys, budgets, correlation windows
	BucketArtifacts = "artifacts"
)

// Limits bound what the bus keeps. Zero fields take the defaults in brackets.
type Limits struct {
	EventsAge     time.Duration // [24 h]
	EventsBytes   int64         // [2 GiB]
	DeadAge       time.Duration // [30 days]
	DeadBytes     int64         // [256 MiB]
	ResultsAge    time.Duration // [90 days]
	ResultsBytes  int64         // [1 GiB]
	JobsAge       time.Duration // of transitions and of finished records [30 days]
	JobsBytes     int64         // of transitions, and as many of finished records [1 GiB]
	BinaryBytes   int64         // [64 MiB]: metadata of binaries; what was dropped is requested again
	AuditBytes    int64         // [unlimited]: audit is never dropped silently
	ArtifactBytes int64         // [unlimited]: the artifact store has quotas of its own
	Duplicates    time.Duration // window in which a re-published event is recognised [10 min]
}

func (l Limits) withDefaults() Limits {
	day := 24 * time.Hour
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&l.EventsAge, day}, {&l.DeadAge, 30 * day}, {&l.ResultsAge, 90 * day}, {&l.JobsAge, 30 * day}, {&l.Duplicates, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int64
		value int64
	}{
		{&l.EventsBytes, 2 << 30}, {&l.DeadBytes, 256 << 20}, {&l.ResultsBytes, 1 << 30}, {&l.JobsBytes, 1 << 30}, {&l.BinaryBytes, 64 << 20}, {&l.AuditBytes, -1}, {&l.ArtifactBytes, -1},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// streams lists the streams. Old events give way to new ones (an operator sees it
// in the stream's first sequence); results, and above all audit, are kept longer.
func (b *Bus) streams() []jetstream.StreamConfig {
	l := b.limits
	all := []jetstream.StreamConfig{
		{Name: StreamEvents, Subjects: []string{"edr.events.>"}, Description: "EDR events as they arrived", MaxAge: l.EventsAge, MaxBytes: l.EventsBytes},
		{Name: StreamDead, Subjects: []string{"edr.dead.>"}, Description: "input that could not be used", MaxAge: l.DeadAge, MaxBytes: l.DeadBytes},
		{Name: StreamJobs, Subjects: []string{"edr.jobs.>"}, Description: "life of each job", MaxAge: l.JobsAge, MaxBytes: l.JobsBytes},
		{Name: StreamResults, Subjects: []string{"edr.results.>", "edr.published.>"}, Description: "what came of each job", MaxAge: l.ResultsAge, MaxBytes: l.ResultsBytes, AllowDirect: true},
		{Name: StreamTenants, Subjects: []string{"edr.tenant.>"}, Description: "results again, by the tenant of their server", MaxAge: l.ResultsAge, MaxBytes: l.ResultsBytes, AllowDirect: true},
		{Name: StreamAudit, Subjects: []string{"edr.audit"}, Description: "hash-linked log of decisions and commands", MaxBytes: l.AuditBytes, Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true},
		{Name: StreamBinaries, Subjects: []string{binarySubject + "*"}, Description: "metadata of binaries, by hash", MaxBytes: l.BinaryBytes, MaxMsgsPerSubject: 1},
	}
	all[0].AllowMsgTTL = true // canaries leave by themselves
	for i := range all {
		all[i].Storage = jetstream.FileStorage
		all[i].Replicas = b.replicas
		all[i].Duplicates = l.Duplicates
		all[i].AllowAtomicPublish = true
	}
	return all
}

// buckets lists the key-value buckets, the service's own state.
func (b *Bus) buckets() []jetstream.KeyValueConfig {
	return []jetstream.KeyValueConfig{
		{Bucket: BucketJobs, Description: "live job records", History: 1, Replicas: b.replicas, Storage: jetstream.FileStorage, LimitMarkerTTL: jobMarkers},
		{Bucket: BucketFinished, Description: "finished job records", History: 1, Replicas: b.replicas, Storage: jetstream.FileStorage, TTL: b.limits.JobsAge, MaxBytes: b.limits.JobsBytes},
		{Bucket: BucketControl, Description: "slots, switches, budgets, suppression", History: 1, Replicas: b.replicas, Storage: jetstream.FileStorage, LimitMarkerTTL: time.Minute},
	}
}

// jobMarkers is how long the key of an archived job stays taken among the live ones.
const jobMarkers = 10 * time.Minute

// Streams names all streams of ours, with those below buckets.
func (b *Bus) Streams() []string {
	all := []string{"OBJ_" + BucketArtifacts}
	for _, s := range b.streams() {
		all = append(all, s.Name)
	}
	for _, k := range b.buckets() {
		all = append(all, "KV_"+k.Bucket)
	}
	return all
}

// SealedStore is where records that carry a seal are kept, one of each key: a bucket, or
// a stream.
type SealedStore struct {
	Name   string // that the seals name
	Stream string
	Prefix string // of the subjects; the key follows
}

// SealedStores lists them.
func SealedStores() []SealedStore {
	all := []SealedStore{{StreamBinaries, StreamBinaries, binarySubject}}
	for _, bucket := range []string{BucketControl, BucketJobs, BucketFinished} {
		all = append(all, SealedStore{bucket, "KV_" + bucket, "$KV." + bucket + "."})
	}
	return all
}

// Bucket opens one of the buckets. What is written to it is sealed, and a record that
// does not verify is read as an error that is seal.ErrForeign.
func (b *Bus) Bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := b.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("bucket %s is not on this bus: has the service ever run on it? %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	return Sealed(kv, b.seal), nil
}

// ArtifactBucket opens the object store of collected files.
func (b *Bus) ArtifactBucket(ctx context.Context) (jetstream.ObjectStore, error) {
	return b.js.ObjectStore(ctx, BucketArtifacts)
}
