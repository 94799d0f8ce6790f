package s3

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// FuzzNotice reads messages of a queue: what is announced is of the source's bucket and
// prefix, and names an object.
func FuzzNotice(f *testing.F) {
	const one = `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"alerts/a%20b%3D1.gz"}}}]}`
	text, err := json.Marshal(one)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		one, `{"Type":"Notification","Message":` + string(text) + `}`, `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`,
		`{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"alerts/x"}}}]}`,
		`{"Records":null}`, `[]`, `{"Type":"Notification","Message":"{"}`, `{"Records":[{"s3":{"object":{"key":"alerts/%zz"}}}]}`,
	} {
		f.Add(seed)
	}
	r := &reader{Source: Source{Bucket: "b", Prefix: "alerts/"}}
	f.Fuzz(func(t *testing.T, body string) {
		keys, ours := r.announced(body)
		if len(keys) > 0 && !ours {
			t.Errorf("%q announces %q, and is not ours", body, keys)
		}
		for _, key := range keys {
			if !strings.HasPrefix(key, "alerts/") || strings.HasSuffix(key, "/") {
				t.Errorf("%q announces %q", body, key)
			}
		}
	})
}

// TestAnnounced: only notices of the source's bucket and prefix are its own; others stay in
// the queue.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	r := &reader{Source: Source{Bucket: "b", Prefix: "alerts/"}}
	record := func(event, bucket, key string) string {
		return `{"eventName":"` + event + `","s3":{"bucket":{"name":"` + bucket + `"},"object":{"key":"` + key + `"}}}`
	}
	for name, tc := range map[string]struct {
		body string
		keys []string
		ours bool
	}{
		"a new object":             {record("ObjectCreated:Put", "b", "alerts/a%3D1+x.gz"), []string{"alerts/a=1 x.gz"}, true},
		"by another name":          {record("s3:ObjectCreated:CompleteMultipartUpload", "b", "alerts/a"), []string{"alerts/a"}, true},
		"another bucket":           {record("ObjectCreated:Put", "c", "alerts/a"), nil, false},
		"another prefix":           {record("ObjectCreated:Put", "b", "events/a"), nil, false},
		"an object that is gone":   {record("ObjectRemoved:Delete", "b", "alerts/a"), nil, true},
		"a folder":                 {record("ObjectCreated:Put", "b", "alerts/"), nil, true},
		"ours and another's":       {record("ObjectCreated:Put", "c", "alerts/a") + "," + record("ObjectCreated:Put", "b", "alerts/b"), []string{"alerts/b"}, true},
		"a key that is no text":    {record("ObjectCreated:Put", "b", "alerts/%zz"), nil, false},
		"a record without a key":   {`{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"}}}`, nil, false},
		"a record of nothing":      {`{}`, nil, false},
		"no record":                {``, nil, false},
		"a record that is null":    {`null`, nil, false},
		"a bucket that is missing": {`{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"alerts/a"}}}`, nil, false},
	} {
		keys, ours := r.announced(`{"Records":[` + tc.body + `]}`)
		if !slices.Equal(keys, tc.keys) || ours != tc.ours {
			t.Errorf("%s: %q, ours %v; want %q, %v", name, keys, ours, tc.keys, tc.ours)
		}
	}
}

// FuzzObject reads an object's content, packed or not: its lines are all there, in order,
// and none is longer than permitted.
func FuzzObject(f *testing.F) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("{\"a\":1}\n{\"b\":2}\n")); err != nil {
		f.Fatal(err)
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(packed.Bytes())
	f.Add(packed.Bytes()[:packed.Len()-6])
	f.Add([]byte("{\"a\":1}\r\n\n{\"b\":2}"))
	f.Add([]byte("\x1f\x8b"))
	const most = 1 << 10
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := unpacked(bytes.NewReader(content))
		if err != nil {
			return
		}
		next := 0
		var lines [][]byte
		err = eachLine(in, most, func(n int, line []byte) error {
			if n != next || len(line) > most {
				t.Errorf("line %d of %d bytes, want number %d and at most %d bytes", n, len(line), next, most)
			}
			next++
			lines = append(lines, bytes.Clone(line))
			return nil
		})
		if err != nil || len(content) > 1 && content[0] == 0x1f && content[1] == 0x8b {
			return
		}
		want := bytes.Split(content, []byte("\n"))
		if len(bytes.TrimSpace(want[len(want)-1])) == 0 {
			want = want[:len(want)-1]
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines of %q, want %d", len(lines), content, len(want))
		}
		for i, line := range want {
			if cut := bytes.TrimSpace(line[:min(len(line), most)]); !bytes.Equal(cut, lines[i]) && len(line)+1 < most {
				t.Errorf("line %d is %q, want %q", i, lines[i], cut)
			}
		}
	})
}

// FuzzProgress reads the file of what has been read: it is refused with its name and the
// cure, or can be used.
func FuzzProgress(f *testing.F) {
	for _, seed := range []string{`{"watermark":"2025-11-20T09:14:02Z","done":{"a e":"2025-11-20T09:14:02Z"},"part":{"b e":3}}`, `{}`, `null`, `{"done":null,"part":{"a":-1}}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "place.json")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := loadProgress(file)
		if err != nil {
			if !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "delete it") {
				t.Errorf("error %v", err)
			}
			return
		}
		o := minio.ObjectInfo{Key: "k", ETag: "e", LastModified: time.Unix(1763630102, 0)}
		p.advance(o, 2)
		p.finish(o, time.Hour)
		if !p.done(o) {
			t.Error("an object that is finished is not done")
		}
	})
}
