package lr

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

func TestTolerantDecoding(t *testing.T) {
	type all struct {
		N number
		T text
		F flag
		M moment
		L list[text]
	}
	day := time.Date(2018, 2, 6, 18, 44, 48, 495400000, time.UTC)
	tests := map[string]struct {
		in   string
		want all
		bad  bool
	}{
		"as documented":      {in: `{"N": 5, "T": "x", "F": true, "M": 1517942688.4954, "L": ["a"]}`, want: all{5, "x", true, moment{day}, list[text]{"a"}}},
		"as strings":         {in: `{"N": " 5", "T": 7, "F": "true", "M": "1517942688.4954", "L": ["a", 1]}`, want: all{5, "7", true, moment{day}, list[text]{"a", "1"}}},
		"null":               {in: `{"N": null, "T": null, "F": null, "M": null, "L": null}`},
		"empty":              {in: `{"N": "", "F": "", "M": "", "L": ""}`},
		"sensor's time":      {in: `{"M": "2018-02-06 12:44:48.495400-06:00"}`, want: all{M: moment{day}}},
		"float for integer":  {in: `{"N": 7.0, "F": 1}`, want: all{N: 7, F: true}},
		"no number":          {in: `{"N": "many"}`, bad: true},
		"number of infinity": {in: `{"N": "1e400"}`, bad: true},
		"no time":            {in: `{"M": "soon"}`, bad: true},
		"object for text":    {in: `{"T": {}}`, bad: true},
		"text for list":      {in: `{"L": "x"}`, bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got all
			err := json.Unmarshal([]byte(tt.in), &got)
			if (err != nil) != tt.bad {
				t.Fatalf("error %v, want one: %v", err, tt.bad)
			}
			if !tt.bad {
				same(t, got, tt.want)
			}
		})
	}
}

func TestCommandStatusSpellings(t *testing.T) {
	for in, want := range map[text]edr.CommandStatus{
		"complete": edr.CommandComplete, "Complete": edr.CommandComplete, "in progress": edr.CommandRunning, "error": edr.CommandError,
		"cancel": edr.CommandCancelled, "canceled": edr.CommandCancelled, "cancelled": edr.CommandCancelled, "pending": edr.CommandPending,
	} {
		if got := (commandJSON{Status: in}).status(); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
	if (commandJSON{Status: "something new"}).status().Done() {
		t.Error("an unknown status ends the wait")
	}
}

// FuzzAnswers decodes every object that a server sends. None may panic, and what
// is read must be usable.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"sensor_id":"1","status":"active","supported_commands":["kill"],"create_time":1465585409.632221,"storage_size":"48122"}`,
		`{"id":3,"name":"get file","object":"C:\\x","status":"complete","result_code":2147942402,"file_id":2,"completion":1517942688.6}`,
		`{"files":[{"filename":"a","attributes":["DIRECTORY"],"size":1,"alt_name":null}],"processes":[{"pid":4,"create_time":1463620778}]}`,
		`{"values":[{"value_name":"","value_type":"REG_QWORD","value_data":"18446744073709551615"}],"value":{"value_data":["a"]}}`,
		`{"id":1,"os_type":1,"last_checkin_time":"2016-06-10 12:03:01.120011-07:00","network_adapters":"10.0.0.1,0a|","is_isolating":1}`,
		`{"license_valid":true,"license_expired":"true","license_end_date":"2025-11-20"}`, `{"license_expired":1,"license_end_date":null}`,
		`{"errorMessage":"x"}`, `[]`, `null`, `{"total_results":"2","results":[{}]}`, `{"id":1e3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var (
			session sessionJSON
			command commandJSON
			sensor  sensorJSON
			file    fileJSON
			ban     banJSON
			licence licenceJSON
		)
		if json.Unmarshal(b, &licence) == nil {
			if l := licence.licence(); l.Expired == (l.Check(time.Now()) == nil) {
				t.Errorf("licence %+v, check: %v", l, l.Check(time.Now()))
			}
		}
		if json.Unmarshal(b, &session) == nil {
			session.info()
			session.live()
		}
		if json.Unmarshal(b, &command) == nil {
			if command.command("1").Status.Done() && command.status() == "" {
				t.Error("no status counts as done")
			}
			_ = liveresponse.NewError(edr.Where{}, uint32(command.Code), string(command.Type), string(command.Desc), edr.Windows).Error()
			for _, d := range command.Files {
				d.entry()
			}
			for _, v := range command.Values {
				if got, err := v.Decode(); err == nil && got.Type == "REG_DWORD" && got.Data == nil {
					t.Error("REG_DWORD without data")
				}
			}
		}
		if json.Unmarshal(b, &sensor) == nil {
			sensor.sensor()
		}
		_, _ = json.Unmarshal(b, &file), json.Unmarshal(b, &ban)
		errorMessage(b)
		if reason := liveresponse.Clean(reasonIn(b), testToken); len(reason) > liveresponse.MaxReason+len("…") || strings.ContainsAny(reason, "\n\x1b") {
			t.Errorf("reason %q", reason)
		}
	})
}
