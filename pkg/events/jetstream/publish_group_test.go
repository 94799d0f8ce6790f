package jetstream

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus/bustest"
)

// grouping is a publisher to a stream of its own that takes batches for the quicker way,
// and the stream.
func grouping(t *testing.T) (*Publisher, natsjs.Stream) {
	t.Helper()
	nc, err := nats.Connect("", bustest.Serve(t, natsd.Config{}).InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "E", Subjects: []string{"e.>"}, AllowAtomicPublish: true, Duplicates: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPublisher(PublisherConfig{JetStream: js})
	p.costs.Singles(2, time.Second)
	return p, s
}

func numbered(id int) *nats.Msg {
	m := nats.NewMsg("e.x")
	m.Header.Set(natsjs.MsgIDHeader, fmt.Sprint(id))
	m.Data = []byte(fmt.Sprint(id))
	return m
}

// TestWhatComesTogetherIsStoredTogether: of 600 messages each third came before, in the
// same group or in another one. Each is settled once, stored once and in order, and most
// are stored in batches.
func TestWhatComesTogetherIsStoredTogether(t *testing.T) {
	p, s := grouping(t)
	var settled atomic.Int64
	var want []string
	// The writer is held twice, so that what is sent meanwhile comes together.
	held := map[int]chan struct{}{0: make(chan struct{}), 299: make(chan struct{})}
	alone := make(chan struct{}) // closed when the first has been written
	for i := range 600 {
		if i == 300 {
			close(held[0])
		}
		id := i
		switch {
		case i%3 == 2 && i > 300 && i%2 == 1:
			id = i - 301 // in the group before: the batch is refused
		case i%3 == 2:
			id = i - 1 // in the same group
		}
		if data := fmt.Sprint(id); !slices.Contains(want, data) {
			want = append(want, data)
		}
		if err := p.send(t.Context(), numbered(id), func(err error) {
			if err != nil {
				t.Errorf("settled with %v", err)
			}
			if i == 0 {
				close(alone)
			}
			if hold := held[i]; hold != nil {
				<-hold
			}
			settled.Add(1)
		}); err != nil {
			t.Fatal(err)
		}
		<-alone
	}
	close(held[299])
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n := settled.Load(); n != 600 {
		t.Errorf("%d messages were settled, want 600", n)
	}
	var got []string
	batched := 0
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Data))
		for h := range m.Header {
			if strings.HasPrefix(h, "Nats-Batch") {
				batched++
				break
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	if batched < 150 {
		t.Errorf("%d were stored in a batch, want the first group at least", batched)
	}
	if st := p.Stats(); st.Published != 600 || st.Duplicates != int64(600-len(want)) {
		t.Errorf("stats %+v, want 600 published, %d of them duplicates", st, 600-len(want))
	}
}

// TestSendersAreAnsweredEach: many connections at once, of which each waits for its
// answer before it sends its next one.
func TestSendersAreAnsweredEach(t *testing.T) {
	p, s := grouping(t)
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := range 50 {
				answer := make(chan error, 1)
				if err := p.send(t.Context(), numbered(1000*sender+i), func(err error) { answer <- err }); err != nil {
					t.Error(err)
				}
				if err := <-answer; err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != 400 {
		t.Errorf("%+v, %v; want 400 messages", info, err)
	}
}
