package expression

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
)

// TestContradictions: what is said of conditions that have one outcome; "" where
// both are possible.
func TestContradictions(t *testing.T) {
	t.Parallel()
	tests := []struct{ condition, want string }{
		{`process.name == "a.exe" && process.name == "b.exe"`, `process.name == "a.exe" and process.name == "b.exe" cannot both be true (write process.name in ["a.exe", "b.exe"])`},
		{`process.name != "a.exe" || process.name != "b.exe"`, `is always true (write process.name not in ["a.exe", "b.exe"])`},
		{`process.already_running && !process.already_running`, "cannot both be true"},
		{`process.already_running || !process.already_running`, "always true"},
		{`process.pid == 1 && process.pid == 2`, "cannot both be true"},
		{`process.pid > 4 && process.pid < 5`, "cannot both be true"},
		{`process.pid > 4 && process.pid < 6`, ""},
		{`process.pid > 4 && process.pid < 6 && process.pid != 5`, "never be true"},
		{`feed.score > 4 && feed.score < 5`, ""},
		{`process.pid <= 4 || process.pid >= 5`, "always true"},
		{`process.name in ["a.exe", "b.exe"] && process.name == "c.exe"`, "cannot both be true"},
		{`process.name in ["a.exe", "b.exe"] && process.name != "a.exe"`, ""},
		{`process.name in ["a.exe", "b.exe"] && process.name not in ["b.exe", "a.exe"]`, "cannot both be true"},
		{`process.name == "a.exe" && process.name contains "b"`, "cannot both be true"},
		{`process.name startsWith "a" && process.name startsWith "b"`, "cannot both be true"},
		{`process.name startsWith "a" && process.name startsWith "ab"`, ""},
		{`process.name endsWith ".exe" && process.name endsWith ".dll"`, "cannot both be true"},
		{`process.path contains "temp" && !(process.path contains "tem")`, "cannot both be true"},
		{`has(process.name) && process.name == ""`, "cannot both be true"},
		{`process.name == "" || has(process.name)`, "always true"},
		{`icontains(process.name, "a") && !icontains(process.name, "a")`, "cannot both be true"},
		{`(process.name == "a.exe" || process.name == "b.exe") && process.name == "c.exe"`, "cannot both be true"},
		{`(process.name == "a.exe" || process.pid == 1) && process.name == "c.exe"`, ""},
		{`process.pid == 1 || process.name == "a.exe" && process.name == "b.exe"`, "cannot both be true"},
		{`let n = process.name; n == "a.exe" && n == "b.exe"`, "cannot both be true"},
		{`any(sensor.groups, # == "a" && # == "b")`, "cannot both be true"},
		{`any(sensor.groups, # == "a") && any(sensor.groups, # == "b")`, ""},
		{`net.remote_port == 70000`, "can never be true"},
		{`net.remote_port > 65535`, "can never be true"},
		{`net.remote_port >= 0`, "is always true"},
		{`net.remote_port == 443 && net.remote_port == 80`, "cannot both be true"},
		{`event.age > duration("1h") && event.age < duration("15m")`, "cannot both be true"},
		{`event.age > duration("15m") && event.age < duration("1h")`, ""},
		{`net.direction != "inbound" && net.direction != "outbound" && has(net.direction)`, "never be true"},
		{`net.direction != "inbound" && net.direction != "outbound"`, ""},
		{`process.pid == process.parent.pid && process.pid == 4`, ""},
		{`process.pid == 1 ? process.pid == 2 : process.pid == 1`, ""},
		{`"a.exe" == process.name && "b.exe" == process.name`, "cannot both be true"},
		{`2 < process.pid && process.pid < 2`, "cannot both be true"},
		{`2 < process.pid && process.pid == 2`, "cannot both be true"},
		{`2 <= process.pid && process.pid == 2`, ""},
		{`process.user startsWith "ab" && !(process.user startsWith "a")`, "cannot both be true"},
		{`process.user startsWith "a" && !(process.user startsWith "ab")`, ""},
		{`process.user endsWith "ab" && !(process.user endsWith "b")`, "cannot both be true"},
		{`process.user endsWith "b" && !(process.user endsWith "ab")`, ""},
		{`net.bytes_sent > 9007199254740992 && net.bytes_sent < 9007199254740994`, ""}, // beyond what a float64 tells apart
		{`(process.already_running ? process.pid == 2 : process.pid == 1) && process.pid == 1`, ""},
		{`(process.already_running ? process.pid == 2 : process.pid == 3) && process.pid == 1`, "cannot both be true"},
		{`process.already_running == true && process.already_running == false`, "cannot both be true"},
	}
	for _, tt := range tests {
		_, err := EventScope().Condition(tt.condition)
		got := fmt.Sprint(err)
		if tt.want == "" && err != nil || tt.want != "" && !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.condition, got, tt.want)
		}
	}
}

// TestContradictionsAreTrue: no random event meets a condition that is refused as
// never true, and every one meets what is refused as always true.
func TestContradictionsAreTrue(t *testing.T) {
	t.Parallel()
	names := []string{"", "a", "b", "ab", "ba"}
	leaf := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom(names[1:]).Draw(t, "name")
		pid := rapid.IntRange(0, 3).Draw(t, "pid")
		return rapid.SampledFrom([]string{
			fmt.Sprintf("process.user == %q", name), fmt.Sprintf("process.user != %q", name),
			fmt.Sprintf("process.user startsWith %q", name), fmt.Sprintf("process.user endsWith %q", name),
			fmt.Sprintf("process.user contains %q", name), fmt.Sprintf("process.user in [%q, %q]", name, rapid.SampledFrom(names).Draw(t, "other")),
			fmt.Sprintf("process.pid == %d", pid), fmt.Sprintf("process.pid < %d", pid), fmt.Sprintf("process.pid >= %d", pid),
			"process.already_running", "has(process.user)", fmt.Sprintf("process.pid in [%d, 2]", pid),
		}).Draw(t, "leaf")
	})
	rapid.Check(t, func(t *rapid.T) {
		condition := leaf.Draw(t, "first")
		joins := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(t, "length") {
			next := leaf.Draw(t, "next")
			if rapid.Bool().Draw(t, "not") {
				next = "!(" + next + ")"
			}
			join := rapid.SampledFrom([]string{" && ", " || "}).Draw(t, "join")
			joins[join] = true
			condition = "(" + condition + ")" + join + next
		}
		_, err := EventScope().Condition(condition)
		program, lenientErr := EventScope().Lenient().Condition(condition)
		if lenientErr != nil {
			t.Fatal(lenientErr)
		}
		yes, no := 0, 0
		for _, user := range names {
			for pid := -1; pid < 5; pid++ {
				for _, running := range []bool{true, false} {
					e := &events.Event{Process: events.Process{User: user, PID: pid, AlreadyRunning: running}}
					if ok, _ := program.Bool(e); ok {
						yes++
					} else {
						no++
					}
				}
			}
		}
		flat := len(joins) == 1 // what is said is said of the whole
		switch {
		case err != nil && flat && joins[" && "] && yes > 0 && !strings.Contains(err.Error(), "is always true"):
			t.Fatalf("%s is true on %d events: %v", condition, yes, err)
		case err != nil && flat && joins[" || "] && no > 0 && !strings.Contains(err.Error(), "can never be true"):
			t.Fatalf("%s is false on %d events: %v", condition, no, err)
		case err == nil && (yes == 0 || no == 0) && !strings.Contains(condition, "contains") && !strings.Contains(condition, "With"):
			t.Fatalf("%s has one outcome, and that is not said", condition)
		}
	})
}
