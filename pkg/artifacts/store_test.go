package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"go.uber.org/goleak"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func open(t testing.TB, c Config) *Store {
	t.Helper()
	if c.Backend == nil {
		c.Backend = Directory(t.TempDir())
	}
	if c.Now == nil {
		c.Now = func() time.Time { return epoch }
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Store, job, text string) actions.Artifact {
	t.Helper()
	a, err := s.Put(t.Context(), actions.Artifact{Name: "a.exe", Path: `c:\a.exe`, Sensor: "42", Job: job, Rule: "r"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func get(t testing.TB, s *Store, id string, identities ...age.Identity) string {
	t.Helper()
	r, _, err := s.Open(t.Context(), id, identities...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestBackends holds every backend to the same contract.
func TestBackends(t *testing.T) {
	for name, backend := range map[string]func(*testing.T) Backend{
		"directory": func(t *testing.T) Backend { return Directory(t.TempDir()) },
		"objects":   objects,
		"s3":        fakeS3,
	} {
		t.Run(name, func(t *testing.T) {
			b := backend(t)
			ctx := t.Context()
			large := strings.Repeat("0123456789abcdef", 400_000) // 6.4 MB: several chunks
			for name, text := range map[string]string{"empty": "", "small.data": "x", "large.data": large} {
				// Readers give what they have: a backend may not depend on full reads.
				if err := b.Put(ctx, name, iotest.HalfReader(strings.NewReader(text))); err != nil {
					t.Fatalf("put %s: %v", name, err)
				}
				if got := slurp(t, b, name); got != text {
					t.Errorf("%s: %d bytes came back of %d", name, len(got), len(text))
				}
			}
			if err := b.Put(ctx, "small.data", strings.NewReader("y")); err != nil || slurp(t, b, "small.data") != "y" {
				t.Errorf("replace: %v", err)
			}
			broken := errors.New("sensor went away")
			if err := b.Put(ctx, "broken.data", io.MultiReader(strings.NewReader(large), iotest.ErrReader(broken))); !errors.Is(err, broken) {
				t.Errorf("a source that breaks: %v", err)
			}
			if _, err := b.Open(ctx, "broken.data"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what is left of it: %v", err)
			}
			var names []string
			var size int64
			if err := b.List(ctx, func(b Blob) error { names = append(names, b.Name); size += b.Size; return nil }); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(names); got != "[empty large.data small.data]" || size != int64(len(large))+1 {
				t.Errorf("list = %s, %d bytes", got, size)
			}
			for range 2 {
				if err := b.Delete(ctx, "small.data"); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
			if _, err := b.Open(ctx, "small.data"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after delete: %v", err)
			}
		})
	}
}

func slurp(t *testing.T, b Backend, name string) string {
	t.Helper()
	r, err := b.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func objects(t *testing.T) Backend {
	b := bustest.Start(t)
	store, err := b.ArtifactBucket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return Objects{JetStream: b.JetStream(), Store: store}
}

// TestADescriptionThatCannotBeReadIsNamedAndHidesNoOther, wherever in the list it is.
func TestADescriptionThatCannotBeReadIsNamedAndHidesNoOther(t *testing.T) {
	b := objects(t).(Objects)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, name := range []string{"one", "two"} {
		if err := b.Put(ctx, name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, noise := range []string{"no JSON", "{}", "[]"} {
		if _, err := b.JetStream.Publish(ctx, "$O.artifacts.M.bm9pc2U=", []byte(noise)); err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := b.List(ctx, func(b Blob) error { names = append(names, b.Name); return nil }); err != nil || fmt.Sprint(names) != "[noise one two]" {
			t.Errorf("behind %q: %v, %v", noise, names, err)
		}
	}
}

func TestStoreKeepsWhatItSays(t *testing.T) {
	s := open(t, Config{Retain: time.Hour})
	a := put(t, s, "j", "evil")
	sum := sha256.Sum256([]byte("evil"))
	if a.Size != 4 || a.SHA256 != hex.EncodeToString(sum[:]) || !a.Expires.Equal(epoch.Add(time.Hour)) || a.ID == "" {
		t.Errorf("artifact = %+v", a)
	}
	if got := get(t, s, a.ID); got != "evil" {
		t.Errorf("content = %q", got)
	}
	all, err := s.List(t.Context(), Filter{Job: "j", Sensor: "42"})
	if err != nil || len(all) != 1 || all[0].Artifact != a {
		t.Errorf("list = %+v, %v", all, err)
	}
	if none, err := s.List(t.Context(), Filter{Job: "k"}); err != nil || len(none) != 0 {
		t.Errorf("list of another job = %+v, %v", none, err)
	}
	for _, id := range []string{"", "../../etc/passwd", "x", `a\b`} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%q): %v", id, err)
		}
	}
}

func TestEncryption(t *testing.T) {
	own, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := Directory(t.TempDir())
	s := open(t, Config{Backend: dir, Recipients: []age.Recipient{own.Recipient()}})
	a := put(t, s, "j", "evil")
	if raw := slurp(t, dir, a.ID+dataEnding); strings.Contains(raw, "evil") {
		t.Error("it is stored in the clear")
	}
	if got := get(t, s, a.ID, own); got != "evil" {
		t.Errorf("content = %q", got)
	}
	if _, _, err := s.Open(t.Context(), a.ID); !errors.Is(err, ErrEncrypted) {
		t.Errorf("without an identity: %v", err)
	}
	if _, _, err := s.Open(t.Context(), a.ID, other); err == nil {
		t.Error("with another identity it opens")
	}
	raw, rec, err := s.OpenStored(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	h := sha256.New()
	if n, err := io.Copy(h, raw); err != nil || n != rec.StoredSize || hex.EncodeToString(h.Sum(nil)) != rec.StoredSHA256 {
		t.Errorf("stored bytes differ from the record: %v", err)
	}
}

func TestDamageIsFoundOnReading(t *testing.T) {
	dir := Directory(t.TempDir())
	s := open(t, Config{Backend: dir})
	a := put(t, s, "j", "evil")
	if err := dir.Put(t.Context(), a.ID+dataEnding, strings.NewReader("good")); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Open(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, ErrDamaged) {
		t.Errorf("error = %v, want ErrDamaged", err)
	}
}

// forgetful is a backend that loses a byte on the way.
type forgetful struct{ Directory }

func (f forgetful) Put(ctx context.Context, name string, r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	sent := newStream(bytes.NewReader(text))
	if _, err := io.Copy(io.Discard, sent); err != nil {
		return err
	}
	return sent.compare(bytes.NewReader(text[:len(text)-1]))
}

// claimed is a stream that says what its own digest is.
type claimed struct {
	io.Reader
	sum string
}

func (c claimed) SHA256() string { return c.sum }

// TestADigestThatIsBroughtAlongIsHeldTo: what comes back has to be what the origin
// says that it gave, on every backend, and nothing is left of what is not.
func TestADigestThatIsBroughtAlongIsHeldTo(t *testing.T) {
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	for name, backend := range map[string]func(*testing.T) Backend{
		"directory": func(t *testing.T) Backend { return Directory(t.TempDir()) },
		"objects":   objects,
		"s3":        fakeS3,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{Backend: backend(t)})
			large := strings.Repeat("0123456789abcdef", 400_000)
			a, err := s.Put(t.Context(), actions.Artifact{Path: "a"}, claimed{strings.NewReader(large), digest(large)})
			if err != nil || a.SHA256 != digest(large) || a.Size != int64(len(large)) || get(t, s, a.ID) != large {
				t.Errorf("a true digest: %+v, %v", a, err)
			}
			for _, wrong := range []string{digest("good"), ""} {
				if _, err := s.Put(t.Context(), actions.Artifact{Path: "a"}, claimed{strings.NewReader(large), wrong}); !errors.Is(err, ErrDamaged) {
					t.Errorf("the digest %q: %v, want ErrDamaged", wrong, err)
				}
			}
			if all, err := s.List(t.Context(), Filter{}); err != nil || len(all) != 1 {
				t.Errorf("%d artifacts are kept, %v; want one", len(all), err)
			}
		})
	}
}

func TestWhatIsNotStoredIsNotKept(t *testing.T) {
	dir := Directory(t.TempDir())
	s := open(t, Config{Backend: forgetful{dir}})
	if _, err := s.Put(t.Context(), actions.Artifact{Path: "a"}, strings.NewReader("evil")); !errors.Is(err, ErrDamaged) {
		t.Errorf("error = %v, want ErrDamaged", err)
	}
	own, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("sensor went away")
	for _, recipients := range [][]age.Recipient{nil, {own.Recipient()}} {
		s = open(t, Config{Backend: dir, Recipients: recipients})
		_, err := s.Put(t.Context(), actions.Artifact{Path: "a"}, io.MultiReader(strings.NewReader("evil"), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("error = %v, want the sensor's", err)
		}
		if all, err := s.List(t.Context(), Filter{}); err != nil || len(all) != 0 {
			t.Errorf("a half collected file is kept: %+v, %v", all, err)
		}
	}
}

func TestLimits(t *testing.T) {
	s := open(t, Config{MaxFile: 3})
	if _, err := s.Put(t.Context(), actions.Artifact{}, strings.NewReader("evil")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large file: %v", err)
	}
	s = open(t, Config{MaxBytes: 1000})
	if _, err := s.Put(t.Context(), actions.Artifact{}, strings.NewReader(strings.Repeat("x", 1001))); !errors.Is(err, ErrFull) {
		t.Errorf("beyond the quota: %v", err)
	}
	put(t, s, "j", strings.Repeat("x", 800))
	if _, err := s.Put(t.Context(), actions.Artifact{}, strings.NewReader("x")); !errors.Is(err, ErrFull) {
		t.Errorf("in a full store: %v", err)
	}
}

func TestSweep(t *testing.T) {
	now := epoch
	dir := Directory(t.TempDir())
	s := open(t, Config{Backend: dir, Retain: time.Hour, Now: func() time.Time { return now }})
	old, needed := put(t, s, "done", "old"), put(t, s, "live", "needed")
	now = now.Add(2 * time.Hour)
	young := put(t, s, "done", "young")
	live := func(job string) bool { return job == "live" }
	swept, err := s.Sweep(t.Context(), live)
	if err != nil || len(swept.Expired) != 1 || swept.Expired[0].ID != old.ID || swept.Kept != 1 {
		t.Fatalf("%+v, %v", swept, err)
	}
	if get(t, s, needed.ID) != "needed" || get(t, s, young.ID) != "young" {
		t.Error("more is gone")
	}
	if err := s.Delete(t.Context(), needed.ID, live); !errors.Is(err, ErrNeeded) {
		t.Errorf("delete what a live job needs: %v", err)
	}
	// Over its quota the store gives up what no live job needs, and no more.
	s.MaxBytes = 10
	swept, err = s.Sweep(t.Context(), live)
	if !errors.Is(err, ErrFull) || len(swept.Squeezed) != 1 || swept.Squeezed[0].ID != young.ID {
		t.Errorf("%+v, %v", swept, err)
	}
	if get(t, s, needed.ID) != "needed" {
		t.Error("what a live job needs is gone")
	}
}

func TestSweepRemovesAbandonedData(t *testing.T) {
	dir := Directory(t.TempDir())
	if err := dir.Put(t.Context(), "lost"+dataEnding, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		gone  int
	}{{time.Hour, 0}, {25 * time.Hour, 1}} {
		s := open(t, Config{Backend: dir, Now: func() time.Time { return time.Now().Add(c.after) }})
		if swept, err := s.Sweep(t.Context(), func(string) bool { return false }); err != nil || len(swept.Abandoned) != c.gone {
			t.Errorf("after %v: %+v, %v", c.after, swept, err)
		}
	}
}
