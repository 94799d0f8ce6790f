package pager

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// validKey is what a bucket takes.
var validKey = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)

// marks are a bucket in memory.
type marks map[string]entry

type entry struct {
	jetstream.KeyValueEntry
	value    []byte
	revision uint64
}

func (e entry) Value() []byte    { return e.value }
func (e entry) Revision() uint64 { return e.revision }

func (m marks) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	if e, ok := m[key]; ok {
		return e, nil
	}
	return nil, jetstream.ErrKeyNotFound
}

func (m marks) Create(_ context.Context, key string, v []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	if !validKey.MatchString(key) {
		return 0, jetstream.ErrInvalidKey
	}
	if _, ok := m[key]; ok {
		return 0, jetstream.ErrKeyExists
	}
	m[key] = entry{value: v, revision: 1}
	return 1, nil
}

func (m marks) Update(_ context.Context, key string, v []byte, rev uint64) (uint64, error) {
	if m[key].revision != rev {
		return 0, &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
	}
	m[key] = entry{value: v, revision: rev + 1}
	return rev + 1, nil
}

func (m marks) Delete(_ context.Context, key string, _ ...jetstream.KVDeleteOpt) error {
	delete(m, key)
	return nil
}

// sent keeps messages.
type sent struct {
	texts []string
	err   error
}

func (*sent) Name() string { return "test" }

func (s *sent) Send(_ context.Context, m Message) error {
	if s.err == nil {
		s.texts = append(s.texts, m.Text())
	}
	return s.err
}

func TestPeopleAreToldOnceAndAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)
	var needs []web.Need
	out, store := &sent{}, marks{}
	pager := func() *Pager {
		return &Pager{
			Needs:   func(context.Context) ([]web.Need, error) { return needs, nil },
			Senders: []Sender{out}, Marks: store, Repeat: time.Hour, Service: "hq", Now: func() time.Time { return now }, Log: zerolog.Nop(),
			Quiet: Quiet{22 * 60, 6 * 60},
		}
	}
	one, two := pager(), pager() // two replicas
	step := func(name string, want int) {
		t.Helper()
		before := len(out.texts)
		for _, p := range []*Pager{one, two} {
			if err := p.round(t.Context()); err != nil && out.err == nil {
				t.Fatal(err)
			}
		}
		if got := len(out.texts) - before; got != want {
			t.Errorf("%s: %d messages, want %d: %q", name, got, want, out.texts)
		}
	}
	approval := web.Need{Kind: "approval", Text: "1 approval waits"}
	breaker := web.Need{Kind: "breaker", Text: "the breaker of rule x is open"}
	step("nothing", 0)
	needs = []web.Need{approval, breaker}
	step("two needs are one message, of one replica", 1)
	if last := out.texts[0]; !strings.Contains(last, "1 approval waits") || !strings.Contains(last, "breaker of rule x") {
		t.Errorf("the message says %q", last)
	}
	needs = []web.Need{{Kind: "approval", Text: "2 approvals wait"}, breaker}
	step("another number is no news", 0)
	now = now.Add(61 * time.Minute)
	step("it is repeated", 1)
	needs = nil
	step("nothing any more", 0)
	needs = []web.Need{{Kind: "failed", Of: "x", Text: "1 job of rule x failed"}, {Kind: "failed", Of: "", Text: "1 job that people submitted failed"}}
	step("jobs that failed are one message", 1)
	needs[0].Text, needs[1].Text = "9 jobs of rule x failed", "3 jobs that people submitted failed"
	step("more of the same is no news", 0)
	needs[1] = web.Need{Kind: "failed", Of: "y", Text: "1 job of rule y failed"}
	step("those of another rule are", 1)
	needs = nil
	step("nothing again", 0)
	needs = []web.Need{approval}
	step("its next time is told at once", 1)
	needs, out.err = []web.Need{{Kind: "unknown", Text: "1 job"}}, errors.New("down")
	step("the service for messages is down", 0)
	out.err = nil
	step("and comes back", 1)
	now = time.Date(2026, 1, 2, 23, 0, 0, 0, time.Local)
	needs = []web.Need{breaker}
	step("quiet hours", 0)
	needs = append(needs, web.Need{Kind: "check", Text: "edr does not work"})
	step("what cannot wait", 1)
	now = time.Date(2026, 1, 3, 6, 0, 0, 0, time.Local)
	step("in the morning", 2-1)
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"22", "22:00", "22:00-25:00", "a-b"} {
		if _, err := ParseQuiet(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	day, err := ParseQuiet("12:00-13:00")
	if err != nil || !day.Holds(time.Date(2026, 1, 1, 12, 30, 0, 0, time.Local)) || day.Holds(time.Date(2026, 1, 1, 13, 0, 0, 0, time.Local)) {
		t.Errorf("12:00-13:00: %+v, %v", day, err)
	}
	if (Quiet{}).Holds(time.Now()) {
		t.Error("no hours hold something back")
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	var got map[string]any
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = nil
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(status)
	}))
	defer s.Close()
	defer http.DefaultClient.CloseIdleConnections()
	m := Message{Service: "hq", Needs: []web.Need{{Kind: "stop", Text: "ada stopped everything"}}}
	if err := (Hook{URL: s.URL + "/secret", Chat: true}).Send(t.Context(), m); err != nil || !strings.Contains(got["text"].(string), "ada stopped") {
		t.Errorf("chat: %v, %v", got, err)
	}
	if err := (Hook{URL: s.URL + "/secret"}).Send(t.Context(), m); err != nil || got["service"] != "hq" {
		t.Errorf("webhook: %v, %v", got, err)
	}
	status = http.StatusForbidden
	if err := (Hook{URL: s.URL + "/secret"}).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("refused: %v", err)
	}
	if err := (Hook{URL: "http://127.0.0.1:1/secret"}).Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an error repeats the address: %v", err)
	}
}

func TestLettersKeepTextOutOfHeaders(t *testing.T) {
	t.Parallel()
	letter := string(Mail{From: "edrpipe@example.org", To: []string{"soc@example.org"}}.letter(Message{Service: "hq\r\nBcc: eve", Needs: []web.Need{{Text: "one\r\nBcc: eve"}}}))
	head, _, _ := strings.Cut(letter, "\r\n\r\n")
	if strings.Contains(head, "\r\nBcc:") {
		t.Errorf("a text became a header:\n%s", head)
	}
}

// TestEveryNeedHasAKeyThatABucketTakes: one that had none would keep all others from being
// sent, too.
func TestEveryNeedHasAKeyThatABucketTakes(t *testing.T) {
	t.Parallel()
	for _, n := range []web.Need{
		{Kind: "stop", Text: "ada stopped everything: nothing new starts until somebody resumes it"},
		{Kind: "stop", Text: "Zoë (\"on call\") stopped server hq: nothing new starts there until somebody resumes it"},
		{Kind: "health", Text: ""}, {Kind: "failed", Of: "règle.*"}, {Kind: "approval"},
		{Kind: "health", Text: strings.Repeat("ä", 40)},
	} {
		if key := keyOf(n); !validKey.MatchString(key) {
			t.Errorf("%+v has the key %q", n, key)
		}
	}
}
