package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"edrpipe/internal/config"
)

// other is a second kind, with keys of its own.
type other struct {
	Org string `yaml:"org_key,required" doc:"the organisation"`
}

func (o *other) Check(bad func(key, format string, args ...any)) {
	if o.Org == "bad" {
		bad("org_key", "%q is no organisation", o.Org)
	}
}

func init() { config.RegisterKind("other", func() config.KindKeys { return new(other) }) }

const twoServers = `servers:
  - name: hq
    url: https://edr.example
    token_file: hq.token
    accept: [hq, cbserver]
    tenant: acme
    amqp: { url: "amqp://cb@edr.example:5004/" }
  - { name: cloud, kind: other, org_key: ABC, sessions: 4, reserve: 0, host_mismatch: deny }
`

func TestServers(t *testing.T) {
	t.Parallel()
	c, origins, err := config.Load(write(t, twoServers), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	hq, cloud := c.Servers[0], c.Servers[1]
	if hq.Kind != config.DefaultKind || hq.Sessions != 10 || hq.Reserve != 1 || hq.SensorPoll != 15*time.Second || hq.HostMismatch != "hold" || hq.AMQP.Prefetch != 200 {
		t.Errorf("defaults of an entry: %+v", hq)
	}
	if diff := cmp.Diff(&config.CarbonBlack{URL: "https://edr.example", Token: "hq.token"}, hq.Own); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cloud"}, cloud.Accepts()); diff != "" {
		t.Errorf("accepted without accept: %s", diff)
	}
	if cloud.Sessions != 4 || cloud.Reserve != 0 || cloud.HostMismatch != "deny" || cloud.Own.(*other).Org != "ABC" {
		t.Errorf("an entry of another kind: %+v, %+v", cloud, cloud.Own)
	}
	var b strings.Builder
	if err := config.Print(&b, c, origins); err != nil {
		t.Fatal(err)
	}
	again, _, err := config.Load(write(t, b.String()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Servers, again.Servers, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is printed is another configuration: %s\n%s", diff, b.String())
	}
}

func TestTheShortFormIsOneServer(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load(write(t, "edr: { name: hq, url: \"https://edr.example\", token_file: t, accept: [cbserver], tenant: acme }\nsources: { amqp: { url: \"amqp://edr.example/\" } }\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := c.AllServers()
	if len(all) != 1 || all[0].Name != "hq" || all[0].Tenant != "acme" || all[0].AMQP.URL == "" || all[0].Own.(*config.CarbonBlack).Token != "t" {
		t.Errorf("servers = %+v", all)
	}
	if diff := cmp.Diff([]string{"cbserver"}, all[0].Accepts()); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInServers(t *testing.T) {
	t.Parallel()
	entry := func(text string) string {
		return "servers:\n  - { name: a, url: \"https://a.example\", token_file: t }\n  - { " + text + " }\n"
	}
	for name, tc := range map[string]struct {
		file string
		want []string
	}{
		"no name":                     {entry(`url: "https://b.example", token_file: t`), []string{"pipeline.yaml:3", "name"}},
		"no token":                    {entry(`name: b, url: "https://b.example"`), []string{"pipeline.yaml:3", "token_file"}},
		"unknown kind":                {entry(`name: b, kind: carbonblack-edt`), []string{"pipeline.yaml:3", "carbonblack-edt", `did you mean "carbonblack-edr"`}},
		"a common key misspelt":       {entry(`name: b, url: "https://b.example", token_file: t, acept: [x]`), []string{"pipeline.yaml:3", "acept", "accept"}},
		"a key of another kind":       {entry(`name: b, kind: other, org_key: ABC, token_file: t`), []string{"pipeline.yaml:3", "token_file"}},
		"checked by the kind":         {entry(`name: b, kind: other, org_key: bad`), []string{"servers[1].org_key", "pipeline.yaml:3", "no organisation"}},
		"clear-text token":            {entry(`name: b, url: "http://b.example", token_file: t`), []string{"servers[1].url", "https://"}},
		"no scheme":                   {entry(`name: b, url: b.example, token_file: t`), []string{"servers[1].url", "https://host"}},
		"one name twice":              {entry(`name: a, url: "https://b.example", token_file: t`), []string{"servers[1].name", `"a"`}},
		"one accepted name twice":     {entry(`name: b, url: "https://b.example", token_file: t, accept: [x, A]`), []string{"servers[1].accept", `"A" is accepted by a`}},
		"another's name accepted":     {entry(`name: b, url: "https://b.example", token_file: t, accept: [a]`) + "  - { name: c, url: \"https://c.example\", token_file: t, accept: [b] }\n", []string{"servers[2].accept", `"b" is the name of another server`}},
		"one word in subjects":        {entry(`name: b.c, url: "https://b.example", token_file: t`) + "  - { name: B_c, url: \"https://c.example\", token_file: t }\n", []string{"servers[2].name", "same word in subjects"}},
		"nothing left to use":         {entry(`name: b, url: "https://b.example", token_file: t, sessions: 2, reserve: 2`), []string{"servers[1].reserve"}},
		"a word of no mismatch":       {entry(`name: b, url: "https://b.example", token_file: t, host_mismatch: never`), []string{"pipeline.yaml:3", "never", "hold"}},
		"a slash in a name":           {entry(`name: b/c, url: "https://b.example", token_file: t`), []string{"servers[1].name", "slashes"}},
		"a password in amqp":          {entry(`name: b, url: "https://b.example", token_file: t, amqp: { url: "amqp://cb:hunter2@b/" }`), []string{"servers[1].amqp.url", "password_file"}},
		"both forms":                  {"edr: { url: \"https://a.example\" }\n" + entry(`name: b, kind: other, org_key: x`), []string{"edr.url", "short form"}},
		"amqp of no server":           {"sources: { amqp: { url: \"amqp://a/\" } }\n" + entry(`name: b, kind: other, org_key: x`), []string{"sources.amqp.url", "servers"}},
		"a source of no server":       {"sources: { http: { server: c } }\n" + entry(`name: b, kind: other, org_key: x`), []string{"sources.http.server", `"c"`}},
		"the name in the short form":  {"edr: { name: \"a b\" }\n", []string{"edr.name", "pipeline.yaml:1"}},
		"a source's, with short form": {"sources: { tcp: { server: c } }\n", []string{"sources.tcp.server", `"c"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load(write(t, tc.file), nil, nil)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error says nothing of %q:\n%v", want, err)
				}
			}
		})
	}
}
