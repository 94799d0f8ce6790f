package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/internal/config"
)

// TestValuesThatCannotWork sets one key after the other by flag: each mistake is found,
// under its key, and what is just allowed is not one.
func TestValuesThatCannotWork(t *testing.T) {
	t.Parallel()
	s3 := func(more ...string) []string {
		return append([]string{"sources.s3.bucket=b", "sources.s3.endpoint=https://s3.example", "sources.s3.poll=1m", "sources.s3.lookback=1h"}, more...)
	}
	for name, tt := range map[string]struct {
		flags []string
		key   string // that the mistake is told under; empty: none
		why   string
	}{
		"subject empty":             {[]string{"sources.nats.subject="}, "sources.nats.subject", "is no subject"},
		"subject with a blank":      {[]string{"sources.nats.subject=edr.events.a b"}, "sources.nats.subject", "is no subject"},
		"subject with two dots":     {[]string{"sources.nats.subject=edr.events..a"}, "sources.nats.subject", "is no subject"},
		"> before the end":          {[]string{"sources.nats.subject=edr.events.>.a"}, "sources.nats.subject", "at the end only"},
		"subject of no events":      {[]string{"sources.nats.subject=jobs.hq.>"}, "sources.nats.subject", "gets no events"},
		"subject of own records":    {[]string{"sources.nats.subject=jobs.>"}, "sources.nats.subject", "gets no events"},
		"second word of another":    {[]string{"sources.nats.subject=*.jobs.>"}, "sources.nats.subject", "gets no events"},
		"beginning of events":       {[]string{"sources.nats.subject=edr.events"}, "sources.nats.subject", "gets no events"},
		"too few words":             {[]string{"sources.nats.subject=*.*"}, "sources.nats.subject", "gets no events"},
		"rest behind the first":     {[]string{"sources.nats.subject=edr.>"}, "", ""},
		"sessions, none":            {[]string{"edr.sessions=0"}, "edr.sessions", "at least 1"},
		"first words by wildcard":   {[]string{"sources.nats.subject=*.events.hq"}, "", ""},
		"all subjects":              {[]string{"sources.nats.subject=>"}, "", ""},
		"one server's subjects":     {[]string{"sources.nats.subject=edr.events.hq.>"}, "", ""},
		"consumer empty":            {[]string{"sources.nats.consumer="}, "sources.nats.consumer", "consumer's name"},
		"consumer with a dot":       {[]string{"sources.nats.consumer=a.b"}, "sources.nats.consumer", "consumer's name"},
		"consumer with a backslash": {[]string{`sources.nats.consumer=a\b`}, "sources.nats.consumer", "consumer's name"},
		"both buses":                {[]string{"bus.url=nats://a", "bus.listen=127.0.0.1:4222"}, "bus.listen", "external one"},
		"replicas, none":            {[]string{"bus.replicas=0"}, "bus.replicas", "from 1 to 5"},
		"replicas, six":             {[]string{"bus.replicas=6"}, "bus.replicas", "from 1 to 5"},
		"replicas, five":            {[]string{"bus.replicas=5"}, "", ""},
		"no port":                   {[]string{"web.listen=127.0.0.1"}, "web.listen", "host:port"},
		"a port too high":           {[]string{"web.listen=127.0.0.1:65536"}, "web.listen", "is no port"},
		"a port by name":            {[]string{"web.listen=127.0.0.1:http"}, "", ""},
		"listener of syslog":        {[]string{"sources.syslog.listen=:x"}, "sources.syslog.listen", "is no port"},
		"mail without a sender":     {[]string{"notify.smtp=mail:25", "notify.to=a@example.test"}, "notify.smtp", "notify.from and notify.to"},
		"mail to nobody":            {[]string{"notify.smtp=mail:25", "notify.from=a@example.test"}, "notify.smtp", "notify.from and notify.to"},
		"mail":                      {[]string{"notify.smtp=mail:25", "notify.from=a@example.test", "notify.to=b@example.test"}, "", ""},
		"quiet hours, one time":     {[]string{"notify.quiet=22:00"}, "notify.quiet", "22:00-06:00"},
		"quiet hours, 24:00":        {[]string{"notify.quiet=22:00-24:00"}, "notify.quiet", "22:00-06:00"},
		"quiet hours, 60 minutes":   {[]string{"notify.quiet=21:60-06:00"}, "notify.quiet", "22:00-06:00"},
		"quiet hours":               {[]string{"notify.quiet=23:59-00:00"}, "", ""},
		"bucket without storage":    {[]string{"sources.s3.bucket=b", "sources.s3.poll=1m", "sources.s3.lookback=1h"}, "sources.s3.endpoint", "is not set"},
		"storage without bucket":    {[]string{"sources.s3.endpoint=https://s3.example"}, "sources.s3.bucket", "is not set"},
		"prefix without bucket":     {[]string{"sources.s3.prefix=a"}, "sources.s3.bucket", "is not set"},
		"storage in clear text":     {s3("sources.s3.endpoint=http://s3.example"), "sources.s3.endpoint", "clear text"},
		"storage on loopback":       {s3("sources.s3.endpoint=http://127.0.0.1:9000"), "", ""},
		"storage named 127":         {s3("sources.s3.endpoint=http://s3.example/127."), "sources.s3.endpoint", "clear text"},
		"queue":                     {s3("sources.s3.queue=https://sqs.x.amazonaws.com/1/n", "sources.s3.region=x"), "", ""},
		"queue without a name":      {s3("sources.s3.queue=https://sqs.x.amazonaws.com/", "sources.s3.region=x"), "sources.s3.queue", "not the address"},
		"queue by its name":         {s3("sources.s3.queue=cbc-alerts", "sources.s3.region=x"), "sources.s3.queue", "not the address"},
		"queue in clear text":       {s3("sources.s3.queue=http://sqs.example/1/n", "sources.s3.region=x"), "sources.s3.queue", "clear text"},
		"queue without a region":    {s3("sources.s3.queue=https://sqs.x.amazonaws.com/1/n"), "sources.s3.region", "signed"},
		"queue without a bucket":    {[]string{"sources.s3.queue=https://sqs.x.amazonaws.com/1/n"}, "sources.s3.bucket", "is not set"},
		"one key of two":            {s3("sources.s3.access_key_file=a"), "sources.s3.access_key_file", "belong together"},
		"the other key of two":      {s3("sources.s3.secret_key_file=a"), "sources.s3.access_key_file", "belong together"},
		"polls too often":           {s3("sources.s3.poll=999ms"), "sources.s3.poll", "at least 1s"},
		"looks back too little":     {s3("sources.s3.poll=2h"), "sources.s3.lookback", "not be shorter"},
		"looks back as far":         {s3("sources.s3.poll=1h"), "", ""},
		"password of a user, https": {[]string{"artifacts.endpoint=https://u:hunter2@s3"}, "artifacts.endpoint", "password_file"},
		"an address with an at":     {[]string{"artifacts.endpoint=https://s3/a@b:c"}, "", ""},
		"a pin and no check":        {[]string{"edr.url=https://e", "edr.pin=ab", "edr.insecure=true"}, "edr.insecure", "contradicts pin"},
		"lists that shrink":         {[]string{"lists.max_shrink=many"}, "lists.max_shrink", "many"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := map[string]string{}
			for _, f := range tt.flags {
				key, value, _ := strings.Cut(f, "=")
				flags[key] = value
			}
			_, _, err := config.Load(write(t, "{}"), nil, flags)
			switch {
			case tt.key == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.key != "" && err == nil:
				t.Error("taken")
			case tt.key != "" && (!strings.Contains(err.Error(), tt.key+" (from ") || !strings.Contains(err.Error(), tt.why)):
				t.Errorf("told as %v, want %s and %q", err, tt.key, tt.why)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// TestEveryKeyCanBeSet sets each key by its variable to a value of its kind, and reads
// it back in the form of the file.
func TestEveryKeyCanBeSet(t *testing.T) {
	t.Parallel()
	text := map[string][2]string{"text": {"a word", "a word"}, "number": {"3", "3"}, "true or false": {"true", "true"}, "duration": {"90m", "1h30m"}, "list": {" a, b ,", `["a","b"]`}}
	for _, k := range config.Keys() {
		pair, known := text[k.Kind]
		if !known {
			t.Errorf("%s is of the unknown kind %q", k.Path, k.Kind)
			continue
		}
		c := config.Default()
		if err := k.Set(&c, pair[0]); err != nil || k.Get(c) != pair[1] {
			t.Errorf("%s: %q becomes %q, %v; want %q", k.Path, pair[0], k.Get(c), err, pair[1])
		}
		if got := k.Text(c); k.Kind == "text" && got != "a word" || k.Kind != "text" && got != "" {
			t.Errorf("%s has the text %q", k.Path, got)
		}
		if k.Kind == "text" || k.Kind == "list" {
			continue // take anything
		}
		if err := k.Set(&c, "neither"); err == nil || !strings.Contains(err.Error(), k.Kind) {
			t.Errorf("%s takes %q: %v", k.Path, "neither", err)
		}
	}
}

func TestDurationsAreWrittenAsPeopleWrite(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", 15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		24 * time.Hour: "24h", 48 * time.Hour: "2d", 49 * time.Hour: "49h", 30 * 24 * time.Hour: "30d", 250 * time.Millisecond: "250ms", 10 * time.Second: "10s", 600 * time.Second: "10m",
	} {
		c := config.Default()
		c.Grace = d
		for _, k := range config.Keys() {
			if k.Path != "grace" {
				continue
			}
			if got := k.Get(c); got != want {
				t.Errorf("%d is written %q, want %q", d, got, want)
			}
			if err := k.Set(&c, want); err != nil || c.Grace != d {
				t.Errorf("%q is read as %v, %v", want, c.Grace, err)
			}
		}
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, origins, err := config.Load("", nil, nil); err != nil || origins["edr.name"] != "default" {
		t.Errorf("without a file: %v, %v", err, origins["edr.name"])
	}
	if _, _, err := config.Load("other.yaml", nil, nil); err == nil || !strings.Contains(err.Error(), "other.yaml") {
		t.Errorf("a file that was named and is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, config.DefaultFile), []byte("edr: { name: here }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, origins, err := config.Load("", nil, nil); err != nil || c.EDR.Name != "here" || origins["edr.name"] != "pipeline.yaml:1" {
		t.Errorf("the file of this directory: %q from %q, %v", c.EDR.Name, origins["edr.name"], err)
	}
}

// TestVariablesOfOthers: what tests, the simulator and clients are told by variables is
// not a mistake of the service; everything else with the prefix is.
func TestVariablesOfOthers(t *testing.T) {
	t.Parallel()
	file := write(t, "{}")
	for _, kv := range []string{"EDRPIPE_SIM_TOKEN=x", "EDRPIPE_TEST_X=1", "EDRPIPE_TOKEN=x", "EDRPIPE_URL=x", "EDRPIPE_CONFIG=x", "EDRPIPE_SECRET_X=y", "EDRPIPE_EDR_TOKEN=x", "EDRPIPES=1", "edrpipe_url=x"} {
		if _, _, err := config.Load(file, []string{kv}, nil); err != nil {
			t.Errorf("%s: %v", kv, err)
		}
	}
	for _, kv := range []string{"EDRPIPE_URLS=x", "EDRPIPE_TOKENS=x", "EDRPIPE_=x", "EDRPIPE_CONFIG_=x"} {
		_, _, err := config.Load(file, []string{kv}, nil)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(kv, "=x")) {
			t.Errorf("%s is taken: %v", kv, err)
		}
		if err != nil && strings.Contains(err.Error(), "=x") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

// TestBoundTo: events of a source without a server belong to the only one; with several
// servers they belong to none.
func TestBoundTo(t *testing.T) {
	t.Parallel()
	one, _, err := config.Load(write(t, "edr: { name: hq }\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := config.Load(write(t, twoServers), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c           config.Config
		named, want string
	}{{one, "", "hq"}, {one, "x", "x"}, {two, "", ""}, {two, "cloud", "cloud"}} {
		if got := tt.c.BoundTo(tt.named); got != tt.want {
			t.Errorf("%s: a source of %q is bound to %q, want %q", tt.c.Title(), tt.named, got, tt.want)
		}
	}
	if two.Title() != "hq, cloud" {
		t.Errorf("title %q", two.Title())
	}
	if diff := cmp.Diff([]string{"carbonblack-edr", "other"}, config.KindNames()); diff != "" {
		t.Error(diff)
	}
}

func TestKindsAreRegisteredOnce(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a second kind of the name other was taken")
		}
	}()
	config.RegisterKind("other", nil)
}
