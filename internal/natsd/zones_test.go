package natsd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
)

// crossing says what each credential of another zone may send into the service's
// account and hear from it. It is written down here a second time on purpose.
var crossing = map[string]struct{ send, hear []string }{
	"ingest": {send: []string{"edr.events.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.EVENTS"}},
	"reader": {
		send: []string{
			"edrpipe.api.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.RESULTS", "$JS.API.CONSUMER.INFO.RESULTS.*", "$JS.API.CONSUMER.MSG.NEXT.RESULTS.*",
			"$JS.API.DIRECT.GET.RESULTS", "$JS.API.DIRECT.GET.RESULTS.>", "$JS.ACK.RESULTS.>",
		},
		hear: []string{"edr.results.>", "edr.jobs.>", "edr.published.>"},
	},
}

// answers are the subjects to which the server delivers what crossed as an answer.
const answers = "_R_.>"

// subjects lists one subject of every kind that there is on the bus.
func subjects(b *bus.Bus) []string {
	all := []string{
		"edr.events.edr-a.x", "edr.dead.bad_json", "edr.jobs.j.queued", "edr.results.rule.job", "edr.published.x", "edr.audit", "edr.other",
		"edr.tenant.t.results.rule.job", "edrpipe.api.get.me", "edrpipe.api.post.stop", "edrpipe.other", "other",
		"$KV.control.guard.control", "$KV.control.guard.budget.b", "$KV.control.slots.edr", "$KV.jobs.00", "$KV.jobs-finished.00", "$KV.quarantine.x",
		"$O.artifacts.C.x", "$O.artifacts.M.x", "$SRV.PING", "$SRV.INFO.edrpipe", "_INBOX.service.x", "_INBOX.ingest.x", "_INBOX.reader.x", "_INBOX.x", "_R_.x",
		"$SYS.REQ.USER.INFO", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.EDR.CONNZ", "$SYS.ACCOUNT.EDR.CONNECT", "$JS.FC.RESULTS.x", "$NRG.x",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.EDR", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE",
		"$JS.API.STREAM.CREATE.NEW", "$JS.API.STREAM.RESTORE.NEW", "$JS.API.CONSUMER.CREATE.RESULTS", "$JS.API.CONSUMER.CREATE.RESULTS.x.edr.results.rule.job",
	}
	streams := b.Streams()
	for _, stream := range streams {
		for _, verb := range []string{"STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.INFO", "STREAM.MSG.GET", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT", "STREAM.LEADER.STEPDOWN", "STREAM.PEER.REMOVE", "CONSUMER.LIST", "CONSUMER.NAMES", "DIRECT.GET"} {
			all = append(all, "$JS.API."+verb+"."+stream)
		}
		for _, verb := range []string{"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.PAUSE", "CONSUMER.UNPIN", "CONSUMER.RESET", "CONSUMER.LEADER.STEPDOWN", "CONSUMER.MSG.NEXT"} {
			all = append(all, "$JS.API."+verb+"."+stream+".siem")
		}
		all = append(all, "$JS.ACK."+stream+".siem.1.1.1.1.1")
	}
	return all
}

// zonesUnderTest is a bus with a witness in each account, who has all rights there.
type zonesUnderTest struct {
	url      string
	password func(user string) string
	service  *bus.Bus
	witness  map[string]*nats.Conn // by account
	subjects []string
}

func newZones(t *testing.T, version string) *zonesUnderTest {
	t.Helper()
	z := &zonesUnderTest{witness: map[string]*nats.Conn{}}
	z.url, z.password = serve(t, version)
	var err error
	service := "service"
	if version == embedded {
		service = operatorUser
	}
	if z.service, err = bus.Connect(t.Context(), bus.Config{URL: z.url, User: service, Password: z.password("service"), Readers: []string{"siem"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.service.Close)
	if err := z.service.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{"EDR", "INGEST", "READER"} {
		z.witness[account] = z.connect(t, "witness-"+account, witnessPassword)
	}
	z.subjects = subjects(z.service)
	return z
}

func (z *zonesUnderTest) connect(t *testing.T, user, password string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(z.url, nats.UserInfo(user, password), nats.CustomInboxPrefix("_INBOX."+user), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(user, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func matches(patterns []string, subject string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchesOne(strings.Split(p, "."), strings.Split(subject, ".")) })
}

func matchesOne(pattern, subject []string) bool {
	for i, p := range pattern {
		switch {
		case p == ">":
			return len(subject) > i
		case i >= len(subject) || p != "*" && p != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}

// TestZones tries each credential with each subject and each reply subject, as
// publication, request and subscription, on the oldest NATS that is supported and on
// the one that is shipped: nothing crosses a zone but what the table above has.
func TestZones(t *testing.T) {
	for _, version := range []string{oldestVersion, shippedVersion, embedded} {
		t.Run(version, func(t *testing.T) {
			z := newZones(t, version)
			before := z.state(t)
			tried := 0
			for _, user := range slices.Sorted(maps.Keys(crossing)) {
				tried += z.publish(t, user)
				tried += z.subscribe(t, user)
			}
			after := z.state(t)
			for stream, was := range before {
				if stream != bus.StreamEvents && after[stream] != was {
					t.Errorf("stream %s changed: %s, was %s", stream, after[stream], was)
				}
			}
			if after[bus.StreamEvents] == before[bus.StreamEvents] {
				t.Error("no event arrived: the test tries nothing")
			}
			t.Logf("nats-server %s: %d combinations tried", version, tried)
		})
	}
}

// state is what there is of each stream: its messages and its consumers.
func (z *zonesUnderTest) state(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info := range z.service.JetStream().ListStreams(t.Context()).Info() {
		var consumers []string
		stream, err := z.service.JetStream().Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for name := range stream.ConsumerNames(t.Context()).Name() {
			consumers = append(consumers, name)
		}
		all[info.Config.Name] = fmt.Sprintf("%d to %d, %d bytes, consumers %v, %+v", info.State.FirstSeq, info.State.LastSeq, info.State.Bytes, consumers, info.Config)
	}
	return all
}

// seen collects what a witness of an account sees that it must not.
type seen struct {
	mu   sync.Mutex
	all  map[string]string // subject → what
	more int
}

func (s *seen) add(subject, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= 20 {
		s.more++
		return
	}
	s.all[subject] = what
}

// watch has the witness of an account note messages that ok does not accept.
func (z *zonesUnderTest) watch(t *testing.T, account string, ok func(subject string) bool) *seen {
	t.Helper()
	s := &seen{all: map[string]string{}}
	sub, err := z.witness[account].Subscribe(">", func(m *nats.Msg) {
		if !ok(m.Subject) {
			s.add(m.Subject, fmt.Sprintf("%.80q, reply %q", m.Data, m.Reply))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed already
	if err := z.witness[account].Flush(); err != nil {
		t.Fatal(err)
	}
	return s
}

// settle returns once what was sent has been seen by the witness of the account.
func (z *zonesUnderTest) settle(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	for range 3 { // an answer may take another turn through JetStream
		if _, err := z.service.JetStream().Stream(t.Context(), bus.StreamAudit); err != nil {
			t.Fatal(err)
		}
		for _, w := range z.witness {
			if err := w.FlushTimeout(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// publish sends on each subject with each reply subject, in each way in which a
// message can name a subject that the server publishes to.
func (z *zonesUnderTest) publish(t *testing.T, user string) (tried int) {
	t.Helper()
	account := strings.ToUpper(user)
	served := z.serveAPI(t)
	watched := map[string]*seen{"EDR": z.watch(t, "EDR", func(subject string) bool {
		return matches(append([]string{answers, "$JS.EVENT.>", "_INBOX.service.>", "_INBOX.operator.>", "$JS.API.STREAM.INFO.AUDIT"}, crossing[user].send...), subject)
	})}
	for other := range crossing {
		if other != user {
			watched[strings.ToUpper(other)] = z.watch(t, strings.ToUpper(other), func(string) bool { return false })
		}
	}
	nc := z.connect(t, user, z.password(user))
	for _, subject := range z.subjects {
		for _, reply := range append([]string{""}, z.subjects...) {
			for _, header := range []string{"", "Nats-Trace-Dest", "Nats-Schedule-Target"} {
				m := nats.NewMsg(subject)
				m.Reply, m.Data = reply, body(subject, reply)
				if header != "" && reply != "" {
					m.Header.Set(header, reply)
					m.Header.Set("Nats-Schedule", "@at 2020-01-01T00:00:00Z")
				}
				if err := nc.PublishMsg(m); err != nil {
					t.Fatalf("%s, reply %s: %v", subject, reply, err)
				}
				tried++
			}
		}
	}
	z.settle(t, nc)
	served()
	for _, other := range slices.Sorted(maps.Keys(watched)) {
		s := watched[other]
		for subject, what := range s.all {
			t.Errorf("%s (account %s) made this appear in account %s: %s %s", user, account, other, subject, what)
		}
		if s.more > 0 {
			t.Errorf("and %d more in account %s", s.more, other)
		}
	}
	return tried
}

// body is a request that does harm where its subject takes it: a consumer that
// publishes to the reply subject, a purge, a stream that takes everything.
func body(subject, reply string) []byte {
	switch {
	case strings.Contains(subject, "CONSUMER.CREATE"), strings.Contains(subject, "DURABLE.CREATE"):
		return fmt.Appendf(nil, `{"stream_name":"RESULTS","config":{"name":"siem2","deliver_subject":%q,"ack_policy":"none","deliver_policy":"all"}}`, reply)
	case strings.Contains(subject, "STREAM.CREATE"), strings.Contains(subject, "STREAM.UPDATE"):
		return fmt.Appendf(nil, `{"name":"NEW","subjects":["edr.stolen.>"],"storage":"memory","republish":{"src":">","dest":%q}}`, reply)
	case strings.Contains(subject, "MSG.NEXT"):
		return []byte(`{"batch":1,"no_wait":true}`)
	case strings.Contains(subject, "GET"):
		return []byte(`{"last_by_subj":"edr.results.rule.job"}`)
	}
	return []byte(`{}`)
}

// serveAPI answers calls as the service does.
func (z *zonesUnderTest) serveAPI(t *testing.T) (stop func()) {
	t.Helper()
	sub, err := z.service.Conn().Subscribe("edrpipe.api.>", func(m *nats.Msg) {
		if m.Reply != "" {
			_ = m.Respond([]byte(`{}`)) // the witness sees what matters
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = sub.Unsubscribe() } // ends with the connection too
}

// subscribe listens to each subject and to all, while something is said on each
// subject of the other accounts.
func (z *zonesUnderTest) subscribe(t *testing.T, user string) (tried int) {
	t.Helper()
	nc := z.connect(t, user, z.password(user))
	heard := &seen{all: map[string]string{}}
	listened := append([]string{">", "*.>", "$KV.>", "$JS.>", "_INBOX.>", "_R_.>", "edr.>", "edrpipe.>", "$SYS.>"}, z.subjects...)
	for _, subject := range listened {
		sub, err := nc.Subscribe(subject, func(m *nats.Msg) {
			if string(m.Data) == "said elsewhere" && !matches(crossing[user].hear, m.Subject) {
				heard.add(m.Subject, "by "+subject)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	for account, w := range z.witness {
		if account == strings.ToUpper(user) {
			continue
		}
		for _, subject := range z.subjects {
			if account == "EDR" && writes(subject) {
				continue // it would write into the streams whose state is compared
			}
			if err := w.Publish(subject, []byte("said elsewhere")); err != nil {
				t.Fatal(err)
			}
			tried += len(listened)
		}
	}
	z.settle(t, nc)
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	for subject, by := range heard.all {
		t.Errorf("%s hears %s %s", user, subject, by)
	}
	return tried
}

// writes reports whether a message of the service's account on the subject changes
// a stream.
func writes(subject string) bool {
	for _, p := range []string{"$JS.", "$KV.", "$O.", "edr.audit", "edr.results.", "edr.published.", "edr.tenant.", "edr.jobs.", "edr.dead."} {
		if strings.HasPrefix(subject, p) {
			return true
		}
	}
	return false
}

// TestReaderConsumes: what crosses serves its purpose, on both versions.
func TestReaderConsumes(t *testing.T) {
	for _, version := range []string{oldestVersion, shippedVersion, embedded} {
		t.Run(version, func(t *testing.T) {
			z := newZones(t, version)
			reader := z.connect(t, "reader", z.password("reader"))
			live, err := reader.SubscribeSync("edr.results.>")
			if err != nil {
				t.Fatal(err)
			}
			if err := reader.Flush(); err != nil {
				t.Fatal(err)
			}
			if _, err := z.service.JetStream().Publish(t.Context(), "edr.results.rule.job", []byte("a result")); err != nil {
				t.Fatal(err)
			}
			if m, err := live.NextMsg(10 * time.Second); err != nil || string(m.Data) != "a result" {
				t.Fatalf("live: %v, %v", m, err)
			}
			js, err := jetstream.New(reader)
			if err != nil {
				t.Fatal(err)
			}
			consumer, err := js.Consumer(t.Context(), bus.StreamResults, "siem")
			if err != nil {
				t.Fatal(err)
			}
			m, err := consumer.Next(jetstream.FetchMaxWait(10 * time.Second))
			if err != nil || string(m.Data()) != "a result" {
				t.Fatalf("pulled: %v, %v", m, err)
			}
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
			if info, err := consumer.Info(t.Context()); err != nil || info.AckFloor.Stream != 1 {
				t.Errorf("acknowledged up to %+v, %v, want 1", info, err)
			}
			stream, err := js.Stream(t.Context(), bus.StreamResults)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := stream.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "a result" {
				t.Errorf("got directly: %v, %v", m, err)
			}
		})
	}
}
