package endpoints_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/events"
	"edrpipe/pkg/strictyaml"
)

const inventory = `endpoints:
  - host: "*"
    tags: []
  - host: ["srv-*", "db0?.corp.example"]
    type: server
  - address: [10.20.0.0/16, "10.30.0.5-10.30.0.9", "fd00::/8"]
    tags: [plant-2]
    labels: {site: lyon}
  - group: Domain Controllers
    type: domain_controller
    criticality: 5
    owner: identity team
  - host: srv-7
    server: hq
    type: workstation
    tags: [lab, plant-2]
    labels: {site: lille}
  - host: LONG-HOST-NAME-00142
    type: server
  - host: fs1.corp.example
    criticality: 4
`

// said is the facts in one line.
func said(f *endpoints.Facts) string {
	if f == nil {
		return ""
	}
	var s events.Sensor
	f.Fill(&s)
	return fmt.Sprintf("%s %v %v %v", s.Type, s.Criticality, s.Tags, s.Labels)
}

func TestFacts(t *testing.T) {
	t.Parallel()
	book, err := endpoints.Load("endpoints.yaml", []byte(inventory))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		of   edr.Sensor
		want string
	}{
		"known to have no tags":          {edr.Sensor{Hostname: "wks-1"}, " 0 [] map[]"},
		"by pattern":                     {edr.Sensor{Hostname: "SRV-12.corp.example"}, "server 0 [] map[]"},
		"by pattern with a domain":       {edr.Sensor{Hostname: "DB01", DNSName: "db01.corp.example"}, "server 0 [] map[]"},
		"another domain":                 {edr.Sensor{Hostname: "db01.lab.example"}, " 0 [] map[]"},
		"by network":                     {edr.Sensor{Hostname: "wks-1", IPs: []string{"192.168.0.1", "10.20.3.4"}}, " 0 [plant-2] map[site:lyon]"},
		"by the first of a range":        {edr.Sensor{IPs: []string{"10.30.0.5"}, Hostname: "a"}, " 0 [plant-2] map[site:lyon]"},
		"by the last of a range":         {edr.Sensor{IPs: []string{"10.30.0.9"}, Hostname: "a"}, " 0 [plant-2] map[site:lyon]"},
		"after a range":                  {edr.Sensor{IPs: []string{"10.30.0.10"}, Hostname: "a"}, " 0 [] map[]"},
		"by IPv6":                        {edr.Sensor{IPs: []string{"fd12::1"}, Hostname: "a"}, " 0 [plant-2] map[site:lyon]"},
		"by group, whose case is no one": {edr.Sensor{Hostname: "dc1", Group: "domain controllers"}, "domain_controller 5 [] map[owner:identity team]"},
		"a later entry wins":             {edr.Sensor{Hostname: "srv-7", IPs: []string{"10.20.0.1"}}, "workstation 0 [plant-2 lab] map[site:lille]"},
		"a name cut by Windows":          {edr.Sensor{Hostname: "LONG-HOST-NAME-"}, "server 0 [] map[]"},
		"a name longer than it":          {edr.Sensor{Hostname: "long-host-name-00142"}, "server 0 [] map[]"},
		"its domain":                     {edr.Sensor{Hostname: "FS1", DNSName: "fs1.Corp.example"}, " 4 [] map[]"},
		"a domain that is not known":     {edr.Sensor{Hostname: "FS1"}, " 4 [] map[]"},
		"the domain in one name":         {edr.Sensor{Hostname: "FS1.lab.example"}, " 0 [] map[]"},
		"the domain in the other name":   {edr.Sensor{Hostname: "FS1", DNSName: "fs1.lab.example"}, " 0 [] map[]"},
		"another long name":              {edr.Sensor{Hostname: "long-host-name-00143"}, " 0 [] map[]"},
	} {
		if got := said(book.Facts(endpoints.SubjectOf("hq", c.of))); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := said(book.Facts(endpoints.SubjectOf("plant", edr.Sensor{Hostname: "srv-7"}))); got != "server 0 [] map[]" {
		t.Errorf("an entry of another server counts: %q", got)
	}
}

func TestUnmentionedIsUnknown(t *testing.T) {
	t.Parallel()
	book, err := endpoints.Load("e.yaml", []byte("endpoints: [ { host: a, tags: [x] }, { host: b, criticality: 0 } ]"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]events.Facts{"a": events.FactTags, "b": events.FactCriticality, "c": 0} {
		var s events.Sensor
		book.Facts(endpoints.Subject{Hostname: host}).Fill(&s)
		if known := events.AllFacts &^ s.Unknown(); known != want {
			t.Errorf("of %s is known %s, want %s", host, known, want)
		}
	}
	var none *endpoints.Book
	if none.Facts(endpoints.Subject{Hostname: "a"}) != nil || none.Len() != 0 {
		t.Error("no file says something")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	book, err := endpoints.Load("endpoints.yaml", []byte(inventory))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(book.Explain(endpoints.SubjectOf("hq", edr.Sensor{Hostname: "srv-7", IPs: []string{"10.20.0.1"}})))
	for _, want := range []string{"{type workstation 13}", "{tags lab 13}", "{tags plant-2 13}", "{labels.site lille 13}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if strings.Contains(got, "lyon") || strings.Contains(got, "server") {
		t.Errorf("%s has what was overruled", got)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"key":             {"e.yaml", "endpoints: [ { host: a, typ: server } ]", `did you mean "type"`},
		"type":            {"e.yaml", "endpoints: [ { host: a, type: domain-controller } ]", "1:31"},
		"no selector":     {"e.yaml", "endpoints: [ { type: server } ]", "which endpoints"},
		"says nothing":    {"e.yaml", "endpoints: [ { host: a } ]", "says nothing"},
		"pattern":         {"e.yaml", `endpoints: [ { host: "a[", type: server } ]`, "not a pattern"},
		"network as host": {"e.yaml", "endpoints: [ { host: 10.0.0.0/8, type: server } ]", "write it as address"},
		"address":         {"e.yaml", "endpoints: [ { address: [10.0.0.0/8, 10.0.0.300], type: server } ]", `e.yaml:1:38: "10.0.0.300"`},
		"host bits":       {"e.yaml", "endpoints: [ { address: 10.1.2.3/8, type: server } ]", "inside of the network 10.0.0.0/8"},
		"range":           {"e.yaml", "endpoints: [ { address: 10.0.0.9-10.0.0.1, type: server } ]", "ends before"},
		"two families":    {"e.yaml", "endpoints: [ { address: 10.0.0.9-fd00::1, type: server } ]", "ends otherwise"},
		"criticality":     {"e.yaml", "endpoints: [ { host: a, criticality: high } ]", "criticality"},
		"owner twice":     {"e.yaml", "endpoints: [ { host: a, owner: x, labels: {owner: y} } ]", "owner"},
		"column":          {"e.csv", "host,typ\na,server\n", `did you mean "type"`},
		"label column":    {"e.csv", "host,site\na,lyon\n", "labels.site"},
		"column twice":    {"e.csv", "host,type,host\n", "twice"},
		"CSV type":        {"e.csv", "host,type\na,server\nb,servr\n", `e.csv:3:3: "servr"`},
		"CSV address":     {"e.csv", "address,type\n10.0.0.300,server\n", "e.csv:2"},
		"CSV fields":      {"e.csv", "host,type\na,server,x\n", "3 fields"},
		"CSV quotes":      {"e.csv", "host,type\n\"a,server\n", "quote"},
		"CSV criticality": {"e.csv", "host,criticality\na,NaN\n", "not a number"},
		"CSV no selector": {"e.csv", "host,type\n,server\n", "which endpoints"},
		"empty CSV":       {"e.csv", "", "is empty"},
	} {
		_, err := endpoints.Load(c.file, []byte(c.text))
		var problems strictyaml.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: got %v, want problems", name, err)
			continue
		}
		text := ""
		for _, p := range problems {
			text += p.Text()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %q lacks %q", name, text, c.want)
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\ufeffHost,Type,Tags,Criticality,labels.site,owner\r\ndc1,domain_controller,a;b,5,lyon,\r\nwks-2,Workstation,,,,it\r\n,,,,,\r\n",
		"host;type;tags;criticality;labels.site;owner\ndc1;domain_controller;a|b;5;lyon;\nwks-2;workstation;;;;it\n",
	} {
		book, err := endpoints.Load("inventory.CSV", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := said(book.Facts(endpoints.Subject{Hostname: "DC1.corp"})); got != "domain_controller 5 [a b] map[site:lyon]" {
			t.Errorf("dc1: %q", got)
		}
		if got := said(book.Facts(endpoints.Subject{Hostname: "wks-2"})); got != "workstation 0 [] map[owner:it]" {
			t.Errorf("wks-2: %q", got)
		}
	}
}

// TestRangesAreTheirAddresses: a range has every address from first to last and none
// beside it.
func TestRangesAreTheirAddresses(t *testing.T) {
	t.Parallel()
	first, last := netip.MustParseAddr("10.0.0.251"), netip.MustParseAddr("10.0.1.6")
	book, err := endpoints.Load("e.yaml", []byte(fmt.Sprintf("endpoints: [ { address: %s-%s, type: server } ]", first, last)))
	if err != nil {
		t.Fatal(err)
	}
	var in []netip.Addr
	for a := netip.MustParseAddr("10.0.0.0"); a.Less(netip.MustParseAddr("10.0.2.0")); a = a.Next() {
		if book.Facts(endpoints.Subject{Addresses: []netip.Addr{a}}) != nil {
			in = append(in, a)
		}
	}
	if len(in) != 12 || in[0] != first || !slices.IsSortedFunc(in, netip.Addr.Compare) || in[11] != last {
		t.Errorf("the range has %v", in)
	}
}
