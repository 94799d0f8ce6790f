package lines_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/lines"
)

func gzipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(content)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileIsReadFromTheRememberedPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json")
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place")}
	write(t, path, "1\n2\n3\n4\n")
	r := read(t, f)
	r.want("1", "2")
	three := r.next()
	r.want("4") // settled before 3 is
	r.end()
	three.Settle(errors.New("disk full"))

	if diff := cmp.Diff([]string{"3", "4"}, all(t, f)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	appendTo(t, path, "5\n")
	if diff := cmp.Diff([]string{"5"}, all(t, f)); diff != "" {
		t.Errorf("after the file grew (-want +got):\n%s", diff)
	}
	if got := all(t, f); got != nil {
		t.Errorf("with nothing new: %q", got)
	}
}

func TestPackedFileIsReadFromTheRememberedPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json.gz")
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "{\"n\":%d}\n", i)
	}
	if err := os.WriteFile(path, gzipped(t, text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place")}
	r := read(t, f)
	for i := range 700 {
		r.want(fmt.Sprintf(`{"n":%d}`, i))
	}
	r.end()
	if got := all(t, f); len(got) != 300 || got[0] != `{"n":700}` {
		t.Errorf("%d lines from %.20q, want 300 from 700", len(got), got)
	}
}

// long is a line that makes the beginnings of files differ.
func long(name string) string { return name + strings.Repeat(".", 50) }

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json")
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place"), Follow: true, Poll: 20 * time.Millisecond}
	r := read(t, f)
	write(t, path, long("a")+"\n"+"b") // it appears
	r.want(long("a"))
	appendTo(t, path, "b\nc\n") // half a line is finished
	r.want("bb", "c")

	rename(t, path, path+".20240905") // rotated, with a last line that has no end
	appendTo(t, path+".20240905", "d")
	write(t, path, long("e")+"\n")
	r.want("d", long("e"))

	write(t, path, "f\n") // cut and begun again (copytruncate)
	r.want("f")
	write(t, path, long("g")+"\n"+long("h")+"\n") // and again, longer than before
	r.want(long("g"), long("h"))
	r.end()

	// While nobody reads: two rotations.
	appendTo(t, path, "i\n")
	rename(t, path, path+".1")
	write(t, path, long("j")+"\n")
	if err := os.WriteFile(path+".2.gz", gzipped(t, long("j")+"\nk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path+".2.gz", later, later); err != nil {
		t.Fatal(err)
	}
	write(t, path, long("l")+"\n")
	r = read(t, f)
	r.want("i", long("j"), "k", long("l"))
	appendTo(t, path, "m\n")
	r.want("m")
	r.end()
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json.gz")
	if err := os.WriteFile(path, gzipped(t, "a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bad"), "{")
	for _, c := range []struct {
		name string
		f    lines.File
		want string
	}{
		{"missing", lines.File{Path: filepath.Join(dir, "none")}, "no such file"},
		{"packed and followed", lines.File{Path: path, Follow: true}, "cannot be followed"},
		{"damaged place", lines.File{Path: path, Place: filepath.Join(dir, "bad")}, "delete it to begin at the beginning"},
		{"place that cannot be written", lines.File{Path: path, Place: filepath.Join(dir, "none", "place")}, "remember the place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.Origin, c.f.Limits = origin, quick
			err := c.f.Read(t.Context(), func(_ context.Context, m events.Message) error { m.Settle(nil); return nil })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func ExampleFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "events.json")
	if err := os.WriteFile(path, []byte("{\"n\":1}\n{\"n\":2}\n"), 0o600); err != nil {
		panic(err)
	}
	f := &lines.File{Path: path, Place: filepath.Join(dir, "place")}
	for range 2 { // the second time there is nothing new
		err := f.Read(context.Background(), func(_ context.Context, m events.Message) error {
			fmt.Printf("%s\n", m.Body)
			m.Settle(nil)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// {"n":1}
	// {"n":2}
}
