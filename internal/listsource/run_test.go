package listsource

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/rules/list"
)

// inProcess answers without a network, whose waiting would hold virtual time.
type inProcess http.HandlerFunc

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	return w.Result(), nil
}

// TestEntriesEnd at their time although the server is gone, and the whole list at its age.
func TestEntriesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var gone atomic.Bool
		body := fmt.Sprintf(`{"type":"bundle","objects":[
			{"type":"indicator","pattern":"[domain-name:value = 'ends.example']","valid_until":%q},
			{"type":"indicator","pattern":"[domain-name:value = 'begins.example']","valid_from":%q},
			{"type":"indicator","pattern":"[domain-name:value = 'stays.example']"}]}`,
			begin.Add(90*time.Minute).Format(time.RFC3339Nano), begin.Add(150*time.Minute).Format(time.RFC3339Nano))
		var told []string
		var source *Source
		c := Config{
			Name: "bad", URL: "https://lists.example/x", Format: STIX, Every: time.Hour, MaxAge: 5 * time.Hour, MaxBytes: 1 << 20, Shrink: 0.5, Dir: t.TempDir(),
			Kind: func() (list.Kind, bool) { return list.Domain, true }, Now: time.Now, Log: zerolog.Nop(),
			Changed: func() { told = append(told, time.Since(begin).String()+" "+strings.Join(source.Values(), " ")) },
			Client: &http.Client{Transport: inProcess(func(w http.ResponseWriter, r *http.Request) {
				if gone.Load() {
					http.Error(w, "", http.StatusBadGateway)
					return
				}
				text(body)(w, r)
			})},
		}
		source = open(c)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { source.Run(ctx) })
		defer running.Wait()
		defer stop()
		synctest.Wait()
		gone.Store(true)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		want := []string{"0s ends.example stays.example", "1h30m0s stays.example", "2h30m0s begins.example stays.example", "5h0m0s "}
		if !slices.Equal(told, want) {
			t.Errorf("changes: %q, want %q", told, want)
		}
		if st := source.State(); !st.Since.Equal(begin.Add(time.Hour)) || !strings.Contains(st.Evidence, "no entry is in force") {
			t.Errorf("state: %+v", st)
		}
		gone.Store(false)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := source.Values(); !slices.Equal(got, words("begins.example stays.example")) || source.State().Failing {
			t.Errorf("with the server back: %v, %+v", got, source.State())
		}
	})
}

// running runs a source in virtual time until the test ends, and counts its requests. Its
// list was kept at a time.
func running(t *testing.T, confirmed time.Time, c Config, asked *atomic.Int64) {
	t.Helper()
	c.Name, c.URL, c.Format, c.Every, c.MaxBytes, c.Now, c.Log, c.Changed = "bad", "https://lists.example/x", Text, 24*time.Hour, 1<<20, time.Now, zerolog.Nop(), func() {}
	c.Client = &http.Client{Transport: inProcess(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		text(good)(w, r)
	})}
	keep(t, c, kept{Kind: list.Domain, Confirmed: confirmed, Entries: entriesOf(good)})
	source := open(c)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { source.Run(ctx) })
	t.Cleanup(func() {
		stop()
		run.Wait()
	})
	synctest.Wait()
}

// TestAnotherType of the list is asked for when it is seen, and not again for it.
func TestAnotherType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var is atomic.Value
		is.Store(list.Domain)
		running(t, time.Now(), Config{Dir: t.TempDir(), Kind: func() (list.Kind, bool) { return is.Load().(list.Kind), true }}, &asked)
		time.Sleep(time.Hour)
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests for a list that was confirmed now", n)
		}
		is.Store(list.Text)
		time.Sleep(look + time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests after the change, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests an hour after the change, want 1", n)
		}
	})
}

// TestClockThatWasAhead: a list that was confirmed in the future is asked for at once.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		running(t, time.Now().Add(time.Hour), Config{Dir: t.TempDir(), Kind: func() (list.Kind, bool) { return list.Domain, true }}, &asked)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		c := Config{Name: "bad", Dir: t.TempDir(), Now: time.Now, MaxAge: time.Hour, Client: http.DefaultClient, Log: zerolog.Nop()}
		keep(t, c, kept{Kind: list.Domain, Confirmed: time.Now().Add(1000 * time.Hour), Entries: entriesOf(good)})
		source := open(c)
		time.Sleep(time.Hour)
		if got := source.Values(); got != nil {
			t.Errorf("older than max_age, and in force: %v", got)
		}
	})
}

// TestStateCountsWhatIsInForce, not what was fetched.
func TestStateCountsWhatIsInForce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for inForce, want := range map[string]string{
		"a.example b.example c.example d.example": "bad: 4 entries from elsewhere, confirmed ",
		"":                              "bad: 0 entries from elsewhere are in force, 0 of them no longer in the server's list; 4 that",
		"a.example old.example":         "bad: 2 entries from elsewhere are in force, 1 of them no longer in the server's list; 3 that",
		"b.example u.example v.example": "bad: 3 entries from elsewhere are in force, 2 of them",
	} {
		c := s.config(t, t.TempDir())
		c.Taken = func() []string { return words(inForce) }
		source := Open(c)
		if err := source.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := source.State(); !strings.HasPrefix(st.Evidence, want) {
			t.Errorf("%q: %s", inForce, st.Evidence)
		}
	}
}
