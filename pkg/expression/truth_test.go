package expression_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

func TestTruth(t *testing.T) {
	e := sample()
	e.Sensor.Group, e.Sensor.Groups, e.Sensor.OS = "", nil, "windows"
	unknown := e.Sensor.Unknown()
	for source, want := range map[string]string{
		`sensor.os == "windows"`:                                                "true",
		`sensor.type == "server"`:                                               "unknown: sensor.type",
		`sensor.type != "server"`:                                               "unknown: sensor.type",
		`!(sensor.type == "server")`:                                            "unknown: sensor.type",
		`sensor.group not in ["Domain Controllers"]`:                            "unknown: sensor.group",
		`"Labs" in sensor.groups`:                                               "unknown: sensor.group",
		`sensor.type == "server" && process.pid == 1`:                           "false",
		`process.pid == 1 && sensor.type == "server"`:                           "false",
		`sensor.type == "server" && process.pid == 4711`:                        "unknown: sensor.type",
		`sensor.type == "server" || process.pid == 4711`:                        "true",
		`sensor.type == "server" || process.pid == 1`:                           "unknown: sensor.type",
		`sensor.type == "server" || sensor.group == "A" || process.pid == 4711`: "true",
		`sensor.type == "server" && sensor.group == "A"`:                        "unknown: sensor.group, sensor.type",
		`!(sensor.type == "server" && process.pid == 1)`:                        "true",
		`known(sensor.type)`:                                                    "false",
		`known(sensor.os)`:                                                      "true",
		`not known(sensor.type) || sensor.type == "server"`:                     "true",
		`known(sensor.type) && sensor.type != "server"`:                         "false",
		`"crown" in sensor.tags`:                                                "unknown: sensor.tags",
		`sensor.labels.site == "x"`:                                             "unknown: sensor.labels",
		`let g = sensor.group; g == "A"`:                                        "unknown: sensor.group",
		`sensor.type == "server" && sensor.ids[5] == "1"`:                       "unknown: sensor.type",
		`sensor.type == "server" && sensor.ids[5] == "1" && process.pid == 1`:   "false",
		`sensor.type == "server" ? true : process.pid == 4711`:                  "unknown: sensor.type",
		`sensor.hostname == ""`:                                                 "true",
		`sensor.criticality > 3`:                                                "unknown: sensor.criticality",
		`sensor.tenant != "acme"`:                                               "unknown: sensor.tenant",
		`any(sensor.tags, # startsWith "crown")`:                                "unknown: sensor.tags",
		`sensor["type"] == "server"`:                                            "unknown: sensor.type",
	} {
		p, err := expression.EventScope().Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		truth, missing, err := p.Truth(e, unknown)
		got := truth.String()
		if missing != 0 {
			got += ": " + missing.String()
		}
		if err != nil || got != want {
			t.Errorf("%s = %s, %v, want %s", source, got, err, want)
		}
	}
}

func TestKnownInItsPlace(t *testing.T) {
	for source, want := range map[string]string{
		`known(process.name)`:                             "for facts of the endpoint",
		`known(sensor.hostname)`:                          "for facts of the endpoint",
		`known(sensor.type) ? true : false`:               "stands by itself",
		`known(sensor.type) == false`:                     "stands by itself",
		`let k = known(sensor.type); k && process.pid==1`: "stands by itself",
	} {
		if _, err := expression.EventScope().Condition(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", source, err, want)
		}
	}
}

// TestTruthIsKleene compares with the value under every assignment of the unknown
// facts: what all of them agree on may be told, and nothing else may be.
func TestTruthIsKleene(t *testing.T) {
	leaves := []string{`sensor.type == "server"`, `sensor.os == "linux"`, `process.pid == 1`, `process.pid == 2`}
	rapid.Check(t, func(t *rapid.T) {
		var grow func(depth int) string
		grow = func(depth int) string {
			if depth == 0 {
				return rapid.SampledFrom(leaves).Draw(t, "leaf")
			}
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				return "!(" + grow(depth-1) + ")"
			case 1:
				return "(" + grow(depth-1) + ") && (" + grow(depth-1) + ")"
			case 2:
				return "(" + grow(depth-1) + ") || (" + grow(depth-1) + ")"
			}
			return grow(0)
		}
		source := grow(3)
		p, err := expression.EventScope().Lenient().Condition(source)
		if err != nil {
			t.Skip(err)
		}
		e := &events.Event{}
		e.Process.PID = rapid.IntRange(1, 2).Draw(t, "pid")
		truth, missing, err := p.Truth(e, events.FactType|events.FactOS)
		if err != nil {
			t.Fatal(err)
		}
		if (truth == expression.Unknown) != (missing != 0) {
			t.Fatalf("%s is %s with %s missing", source, truth, missing)
		}
		for _, typ := range []string{"server", "workstation"} {
			for _, os := range []string{"linux", "windows"} {
				world := *e
				world.Sensor.Type, world.Sensor.OS = typ, os
				got, err := p.Bool(&world)
				if err != nil {
					t.Fatal(err)
				}
				if truth != expression.Unknown && truth != expression.TruthOf(got) {
					t.Fatalf("%s was told %s, and is %v for a %s %s", source, truth, got, os, typ)
				}
			}
		}
	})
}
