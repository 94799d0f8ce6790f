// Sizing prints what a fleet of a million sensors needs, from costs that were
// measured: docs/measured.json, each with the command that measures it.
//
//	go run ./internal/sizing > docs/sizing.md
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// measured is one cost and where it comes from.
type measured struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Command string  `json:"command"` // that measures it
	Note    string  `json:"note,omitempty"`
}

// fleet are the inputs that depend on the deployment: its event rate, and the share of
// events with jobs.
type fleet struct {
	sensors         int
	eventsPerSensor float64 // a second
	jobsPerDay      float64 // of all sensors together
}

var fleets = []fleet{
	{50_000, 0.2, 10_000}, {1_000_000, 0.01, 10_000}, {1_000_000, 0.05, 50_000}, {1_000_000, 0.2, 100_000},
}

func main() {
	if err := run("docs/measured.json", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string, out io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all []measured
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	page, err := render(all)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, page)
	return err
}

// costs finds measured values by name and notes what is missing.
type costs struct {
	by      map[string]measured
	missing []string
}

func (c *costs) of(name string) float64 {
	m, ok := c.by[name]
	if !ok {
		c.missing = append(c.missing, name)
	}
	return m.Value
}

func render(all []measured) (string, error) {
	c := costs{by: map[string]measured{}}
	var b strings.Builder
	b.WriteString(head)
	for _, m := range all {
		c.by[m.Name] = m
		fmt.Fprintf(&b, "| %s | %s %s | `%s`%s |\n", m.Name, number(m.Value), m.Unit, m.Command, note(m.Note))
	}
	b.WriteString(between)
	for _, f := range fleets {
		b.WriteString(c.row(f))
	}
	b.WriteString(tail)
	fmt.Fprintf(&b, "\nA burst: one rule matches on every hundredth of a million sensors at once, 10,000 jobs. Recorded in %s s; %s MiB of memory\nwhile they wait; known again after a crash at the rate of %s a second. On one EDR server they end after\n%s h: the server's sessions are the bound, not edrpipe.\n",
		number(10_000/c.of("jobs recorded")), number(10_000*c.of("memory of a queued job")/1024), number(c.of("queued jobs known again")), number(10_000/c.of("jobs that ten sessions run")/3600))
	if len(c.missing) > 0 {
		return "", fmt.Errorf("not measured: %q", c.missing)
	}
	return b.String(), nil
}

// row is what a fleet needs.
func (c *costs) row(f fleet) string {
	rate := float64(f.sensors) * f.eventsPerSensor
	replicas := math.Ceil(rate / c.of("events settled"))
	jobsPerSecond := f.jobsPerDay / 86_400
	servers := math.Ceil(jobsPerSecond / c.of("jobs that ten sessions run"))
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", number(float64(f.sensors)), number(rate), number(f.jobsPerDay),
		number(replicas), number(rate*86_400*c.of("disk of an event")/(1<<30)), number(f.jobsPerDay*c.of("disk of a finished job")/1024), number(servers)+fmt.Sprintf(" (%.1f %% of one)", 100*jobsPerSecond/c.of("jobs that ten sessions run")))
}

// number writes three significant digits, with separators.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	v = math.Round(v*digits) / digits
	text := fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))), v)
	if strings.Contains(text, ".") {
		return strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return "; " + text
}
