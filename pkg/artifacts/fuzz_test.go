package artifacts

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// FuzzDescribed: a description never gives a file another name than its place has, and a
// whole one is read as it was written.
func FuzzDescribed(f *testing.F) {
	info := jetstream.ObjectInfo{ObjectMeta: jetstream.ObjectMeta{Name: "job/a.txt", Metadata: map[string]string{"host": "WS & <1>"}}, Size: 3, Digest: "SHA-256=x"}
	data, err := json.Marshal(info)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("job/a.txt", data)
	f.Add("job/b.txt", data)
	f.Add("", []byte(`{"name":""`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		got := described(base64.URLEncoding.EncodeToString([]byte(name)), data)
		if got == nil || got.Name != name {
			t.Fatalf("file %q has the description %+v", name, got)
		}
		var whole jetstream.ObjectInfo
		if err := json.Unmarshal(data, &whole); err != nil || whole.Name != name {
			if got.Size != 0 || got.Digest != "" || len(got.Metadata) != 0 || got.Deleted {
				t.Errorf("file %q has a part of what cannot be read: %+v", name, got)
			}
		} else if got.Size != whole.Size || got.Digest != whole.Digest || len(got.Metadata) != len(whole.Metadata) || got.Deleted != whole.Deleted {
			t.Errorf("file %q: %+v, want %+v", name, got, whole)
		}
		if described(name, data) != nil {
			if _, err := base64.URLEncoding.DecodeString(name); err != nil {
				t.Errorf("the word %q is no name, and has a description", name)
			}
		}
	})
}
