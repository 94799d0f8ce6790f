package bus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestWhatTellsOfAFailingStream(t *testing.T) {
	full := &jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "no space left on device"}
	conflict := &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
	type write struct {
		after time.Duration
		err   error
	}
	for name, c := range map[string]struct {
		writes []write
		then   time.Duration
		want   bool
	}{
		"no answer for a while":                   {[]write{{0, context.DeadlineExceeded}, {10 * time.Second, nats.ErrTimeout}}, 0, true},
		"the disk is full":                        {[]write{{0, full}, {5 * time.Second, full}, {5 * time.Second, full}}, 0, true},
		"one alone":                               {[]write{{0, full}}, 20 * time.Second, false},
		"an election":                             {[]write{{0, jetstream.ErrNoStreamResponse}, {5 * time.Second, jetstream.ErrNoStreamResponse}}, 0, false},
		"it works again":                          {[]write{{0, full}, {10 * time.Second, full}, {time.Second, nil}}, 0, false},
		"a conflict is an answer":                 {[]write{{0, full}, {10 * time.Second, full}, {time.Second, conflict}}, 0, false},
		"a lost connection tells nothing":         {[]write{{0, full}, {10 * time.Second, nats.ErrConnectionClosed}}, 0, false},
		"nor does the end of who wrote":           {[]write{{0, context.Canceled}, {10 * time.Second, context.Canceled}}, 0, false},
		"nobody has written since":                {[]write{{0, full}, {10 * time.Second, full}}, time.Minute, false},
		"what failed long ago is no beginning":    {[]write{{0, full}, {2 * time.Minute, full}, {5 * time.Second, full}}, 0, false},
		"an answer in between begins from anew":   {[]write{{0, full}, {5 * time.Second, nil}, {5 * time.Second, full}}, 0, false},
		"another's answer in between changes not": {[]write{{0, full}, {10 * time.Second, full}}, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Bus{replicas: 1}
				w := writes{streams: b.streams(), fail: map[string]*failure{}}
				for _, x := range c.writes {
					time.Sleep(x.after)
					w.published("edr.events.edr01.watchlist", x.err)
					w.published("edr.results.rule.job", nil)
				}
				time.Sleep(c.then)
				failing := w.failing()
				if got := slices.ContainsFunc(failing, func(f Failing) bool { return f.Stream == StreamEvents }); got != c.want || len(failing) > 1 {
					t.Errorf("failing = %+v, want EVENTS among them: %v", failing, c.want)
				}
				w.forget()
				if got := w.failing(); got != nil {
					t.Errorf("after a restart of the server: %+v", got)
				}
			})
		})
	}
}

func TestStreamOf(t *testing.T) {
	b := &Bus{replicas: 1}
	w := writes{streams: b.streams()}
	for subject, want := range map[string]string{
		"edr.events.a.b": StreamEvents, "edr.published.x": StreamResults, "edr.audit": StreamAudit, "edr.audit.x": "", "$KV.jobs-finished.0a1b": "KV_jobs-finished", "other": "", "edr.eventsx": "",
	} {
		if got := w.streamOf(subject); got != want {
			t.Errorf("%s is in %q, want %q", subject, got, want)
		}
	}
}

// TestWritesAreNoted: each way in which a stream is written to.
func TestWritesAreNoted(t *testing.T) {
	dead := &nothing{err: errors.Join(nats.ErrTimeout)}
	b := &Bus{replicas: 1}
	w := &writes{streams: b.streams(), fail: map[string]*failure{}}
	js := bounded{dead, time.Second, w}
	kv, err := js.KeyValue(t.Context(), BucketControl)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, write := range map[string]func() error{
		"message": func() error { _, err := js.PublishMsg(ctx, nats.NewMsg("edr.audit")); return err },
		"publish": func() error { _, err := js.Publish(ctx, "edr.audit", nil); return err },
		"put":     func() error { _, err := kv.Put(ctx, "k", nil); return err },
		"create":  func() error { _, err := kv.Create(ctx, "k", nil); return err },
		"update":  func() error { _, err := kv.Update(ctx, "k", nil, 1); return err },
		"delete":  func() error { return kv.Delete(ctx, "k") },
		"purge":   func() error { return kv.Purge(ctx, "k") },
	} {
		w.forget()
		if err := write(); !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.fail) != 1 || w.fail[StreamAudit] == nil && w.fail["KV_"+BucketControl] == nil {
			t.Errorf("%s: noted %v", name, w.fail)
		}
	}
}

// nothing is a JetStream that stores nothing.
type nothing struct {
	jetstream.JetStream
	err error
}

func (n *nothing) PublishMsg(context.Context, *nats.Msg, ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return nil, n.err
}

func (n *nothing) Publish(context.Context, string, []byte, ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return nil, n.err
}

func (n *nothing) KeyValue(_ context.Context, bucket string) (jetstream.KeyValue, error) {
	return nothingKV{bucket: bucket, err: n.err}, nil
}

type nothingKV struct {
	jetstream.KeyValue
	bucket string
	err    error
}

func (n nothingKV) Bucket() string { return n.bucket }

func (n nothingKV) Put(context.Context, string, []byte) (uint64, error) { return 0, n.err }

func (n nothingKV) Create(context.Context, string, []byte, ...jetstream.KVCreateOpt) (uint64, error) {
	return 0, n.err
}

func (n nothingKV) Update(context.Context, string, []byte, uint64) (uint64, error) { return 0, n.err }

func (n nothingKV) Delete(context.Context, string, ...jetstream.KVDeleteOpt) error { return n.err }

func (n nothingKV) Purge(context.Context, string, ...jetstream.KVDeleteOpt) error { return n.err }
