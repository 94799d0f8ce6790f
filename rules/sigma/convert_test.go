package sigma

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const watched = `title: Watched
name: watched
id: 11111111-2222-4333-8444-555555555555
status: test
date: 2024-01-02
modified: 2025-03-04
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\a.exe'}
  condition: selection
`

func TestCorrelationOfAnotherFile(t *testing.T) {
	t.Parallel()
	many := "title: Many\ncorrelation: {type: event_count, rules: [watched], group-by: [Computer], timespan: 5m, condition: {gte: 3}}\n"
	results := ConvertAll([]File{{"many", []byte(many)}, {"watched", []byte(watched)}}, Options{})
	if len(results) != 2 || results[0].Err != nil || results[0].File != 0 || results[1].File != 1 {
		t.Fatalf("results %+v", results)
	}
	if r := results[0].Rule; r.Correlate.GTE != 3 || !strings.Contains(r.When, `\a.exe`) {
		t.Errorf("correlation %+v when %s", r.Correlate, r.When)
	}
	results = ConvertAll([]File{{"many", []byte(many)}, {"watched", []byte(watched)}, {"watched", []byte(watched)}}, Options{})
	if results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "there twice") {
		t.Errorf("of two rules of one name: %v", results[0].Err)
	}
	if results[1].Rule.ID == results[2].Rule.ID {
		t.Errorf("two rules have the id %s", results[1].Rule.ID)
	}
}

func TestOriginIsKept(t *testing.T) {
	t.Parallel()
	o := Convert("watched", []byte(watched))[0].Rule.Source
	if o.ID != "11111111-2222-4333-8444-555555555555" || o.Status != "test" || o.Date != "2024-01-02" || o.Modified != "2025-03-04" || o.Digest != digest([]byte(watched)) {
		t.Errorf("origin %+v", o)
	}
}

func TestManyValuesBecomeAList(t *testing.T) {
	t.Parallel()
	var names, hashes []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("'tool%d.exe'", i))
		hashes = append(hashes, fmt.Sprintf("'MD5=%032x'", i), fmt.Sprintf("'SHA256=%064x'", i))
	}
	file := func(search string) []byte {
		return []byte("title: T\nlogsource: {category: process_creation}\ndetection:\n  selection: " + search + "\n  condition: selection\n")
	}
	r := Convert("t", file("{OriginalFileName: ["+strings.Join(names, ", ")+"]}"))[0]
	if r.Err != nil || !strings.Contains(r.Rule.When, `in_list(image.original_name, "t-1")`) || len(r.Rule.Lists["t-1"]) != 400 {
		t.Errorf("names: %v, %+v", r.Err, r.Rule)
	}
	r = Convert("t", file("{Hashes|contains: ["+strings.Join(hashes, ", ")+"]}"))[0]
	if r.Err != nil || !strings.Contains(r.Rule.When, `(in_list(process.md5, "t-1") || in_list(process.sha256, "t-2"))`) || len(r.Rule.Lists["t-2"]) != 400 {
		t.Errorf("hashes: %v, %+v", r.Err, r.Rule)
	}
	names[7] = "'tool*.exe'"
	r = Convert("t", file("{OriginalFileName: ["+strings.Join(names, ", ")+"]}"))[0]
	if r.Err != nil || len(r.Rule.Lists) != 0 || !strings.Contains(r.Rule.When, "tool399.exe") {
		t.Errorf("with a wildcard: %v, lists %v", r.Err, r.Rule.Lists)
	}
}

func TestUpdateKeepsWhatIsLocal(t *testing.T) {
	t.Parallel()
	first := Convert("watched", []byte(watched))[0].Rule
	text, err := yaml.Marshal(map[string]any{"rules": []*Rule{first}})
	if err != nil {
		t.Fatal(err)
	}
	local := strings.NewReplacer("mode: shadow", "mode: enforce\n      max_age: 1h", "id: watched\n", "id: ours\n", "uses: publish", "uses: notify").Replace(string(text))
	upstream := strings.Replace(strings.Replace(watched, `\a.exe`, `\b.exe`, 1), "title: Watched", "title: Watched more", 1)
	for name, tt := range map[string]struct {
		edit       func(string) string
		want, kept string
	}{
		"as converted": {func(s string) string { return s }, `\b.exe` + "`))", ""},
		"an exception": {func(s string) string { return strings.Replace(s, "`))", "`)) && !(process.user == \"svc\")", 1) }, `!(process.user == "svc")`, ""},
		"another":      {func(s string) string { return strings.Replace(s, "iendswith", "icontains", 1) }, `\a.exe`, "ours: its condition was changed"},
	} {
		var file yaml.Node
		if err := yaml.Unmarshal([]byte(tt.edit(local)), &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept, err := Update(&file, []*Rule{Convert("renamed", []byte(upstream))[0].Rule})
		if err != nil {
			t.Fatal(err)
		}
		out, _ := yaml.Marshal(&file)
		var got struct {
			Rules []struct {
				ID, Mode, When, Title string
				MaxAge                string `yaml:"max_age"`
				Steps                 []struct{ Uses string }
			}
		}
		if err := yaml.Unmarshal(out, &got); err != nil || len(got.Rules) != 1 {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		r := got.Rules[0]
		if r.ID != "ours" || r.Mode != "enforce" || r.MaxAge != "1h" || r.Steps[0].Uses != "notify" || !strings.Contains(r.When, tt.want) {
			t.Errorf("%s: %+v", name, r)
		}
		if strings.Join(kept, "\n") != "" != (tt.kept != "") || !strings.HasPrefix(strings.Join(kept, "\n"), tt.kept) {
			t.Errorf("%s: kept %q", name, kept)
		}
		if updated := r.Title == "Watched more" && strings.Contains(r.When, `\b.exe`); updated != (tt.kept == "") {
			t.Errorf("%s: updated %v: %+v", name, updated, r)
		}
	}
}
