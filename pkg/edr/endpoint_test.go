package edr_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
	"pgregory.net/rapid"
)

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]edr.Endpoint{
		"hq/42":                                 {Server: "hq", ID: "42"},
		"hq/0":                                  {Server: "hq", ID: "0"},
		"hq/a/b":                                {Server: "hq", ID: "a/b"},
		"edr-b.example/2f0e7d52-52a6-4c6e-9d8e": {Server: "edr-b.example", ID: "2f0e7d52-52a6-4c6e-9d8e"},
	} {
		got, err := edr.ParseEndpoint(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseEndpoint(%q) = %#v, %v, want %#v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "want SERVER/ID", "42": "want SERVER/ID", "/42": "name is empty", "hq/": "id is empty",
		"hq/4\n2": "control character", "h\xffq/42": "not UTF-8",
	} {
		if got, err := edr.ParseEndpoint(text); err == nil || !strings.Contains(err.Error(), want) || !got.IsZero() {
			t.Errorf("ParseEndpoint(%q) = %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestEndpointJSON(t *testing.T) {
	type record struct {
		Endpoint edr.Endpoint            `json:"endpoint,omitzero"`
		Slots    map[edr.Endpoint]string `json:"slots,omitempty"`
	}
	hq := edr.Endpoint{Server: "hq", ID: "42"}
	for _, r := range []struct {
		value record
		text  string
	}{
		{record{}, `{}`},
		{record{Endpoint: hq}, `{"endpoint":"hq/42"}`},
		{record{Slots: map[edr.Endpoint]string{hq: "x"}}, `{"slots":{"hq/42":"x"}}`},
	} {
		got, err := json.Marshal(r.value)
		if err != nil || string(got) != r.text {
			t.Errorf("Marshal(%+v) = %s, %v, want %s", r.value, got, err, r.text)
		}
		var back record
		if err := json.Unmarshal([]byte(r.text), &back); err != nil || back.Endpoint != r.value.Endpoint || len(back.Slots) != len(r.value.Slots) {
			t.Errorf("Unmarshal(%s) = %+v, %v", r.text, back, err)
		}
	}
	if _, err := json.Marshal(edr.Endpoint{Server: "hq"}); err == nil {
		t.Error("an endpoint without an id was written")
	}
	var e edr.Endpoint
	if err := json.Unmarshal([]byte(`42`), &e); err == nil {
		t.Error("a number was read as an endpoint")
	}
}

func TestEndpointOrder(t *testing.T) {
	want := []string{"a/2", "a/10", "a/007", "a/x", "b/1"}
	var got []edr.Endpoint
	for _, text := range []string{"b/1", "a/x", "a/10", "a/007", "a/2"} {
		e, err := edr.ParseEndpoint(text)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	slices.SortFunc(got, edr.Endpoint.Compare)
	for i, e := range got {
		if e.String() != want[i] {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
}

func TestEndpointRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := edr.Endpoint{Server: rapid.String().Draw(t, "server"), ID: rapid.String().Draw(t, "id")}
		if e.Validate() != nil {
			return
		}
		back, err := edr.ParseEndpoint(e.String())
		if err != nil || back != e {
			t.Fatalf("%#v came back as %#v, %v", e, back, err)
		}
	})
}
