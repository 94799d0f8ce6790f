package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"edrpipe/internal/printable"
	"edrpipe/rules"
)

// markdownSamples is how many jobs a comment shows: it is read in a merge request.
const markdownSamples = 10

// printComparisonMarkdown writes the comparison as a comment on a merge request. What
// comes from events stands in code only, where it is neither a link nor a mention.
func printComparisonMarkdown(w io.Writer, c rules.Comparison) {
	fmt.Fprintf(w, "### Rules over %s\n\n", period(c))
	for _, part := range []struct {
		what string
		ids  []string
	}{{"Added", c.Added}, {"Removed", c.Removed}, {"Changed", c.Changed}} {
		if len(part.ids) > 0 {
			fmt.Fprintf(w, "- %s: %s\n", part.what, strings.Join(inCode(part.ids), ", "))
		}
	}
	fmt.Fprintf(w, "- Jobs that differ: **%d**, that are the same: %d\n", len(c.Jobs), c.Same)
	fmt.Fprintf(w, "- Waiting for a session: %s → %s\n\n", waiting(c.Queue[0]), waiting(c.Queue[1]))
	if len(c.Actions) > 0 {
		fmt.Fprint(w, "| Action | Steps | Endpoints | Stopped by guards or held |\n| --- | ---: | ---: | ---: |\n")
		for _, e := range c.Actions {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", code(e.Action), change(e.Old.Steps, e.New.Steps), change(e.Old.Endpoints, e.New.Endpoints), change(e.Old.Stopped, e.New.Stopped))
		}
		fmt.Fprintln(w)
	}
	printSamples(w, c.Jobs)
}

func period(c rules.Comparison) string {
	if c.Events == 0 {
		return "no event"
	}
	return fmt.Sprintf("%s from %s to %s UTC", counted(c.Events, "event"), c.From.UTC().Format("2006-01-02 15:04"), c.To.UTC().Format("2006-01-02 15:04"))
}

func waiting(q rules.Queue) string {
	if q.Jobs == 0 {
		return "no job"
	}
	return fmt.Sprintf("%s, the longest %s", counted(q.Jobs, "job"), q.Longest)
}

// change shows a number of the old version and of the new one.
func change(old, new int) string {
	if old == new {
		return fmt.Sprint(old)
	}
	return fmt.Sprintf("%d → **%d**", old, new)
}

func printSamples(w io.Writer, jobs []rules.Change) {
	if len(jobs) == 0 {
		return
	}
	shown := jobs[:min(len(jobs), markdownSamples)]
	fmt.Fprintf(w, "<details><summary>%d of %s that differ</summary>\n\n", len(shown), counted(len(jobs), "job"))
	for _, j := range shown {
		fmt.Fprintf(w, "- %s %s on %s (event %s)\n", j.At, code(j.Rule), code(strings.TrimSpace(j.Host+" "+j.Endpoint.String())), code(j.Event))
		for _, s := range j.Old {
			fmt.Fprintf(w, "  - before: %s\n", code(s))
		}
		for _, s := range j.New {
			fmt.Fprintf(w, "  - after: %s\n", code(s))
		}
	}
	fmt.Fprint(w, "\n</details>\n")
}

var ticks = regexp.MustCompile("`+")

// code is a text as code in Markdown: a longer fence than any within it, so that no text
// of an endpoint ends it.
func code(s string) string {
	s = strings.ReplaceAll(printable.Line(s), "|", "¦") // it would end a cell of a table, also in code
	fence := "`"
	for _, run := range ticks.FindAllString(s, -1) {
		fence += strings.Repeat("`", max(0, len(run)+1-len(fence)))
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || s == "" {
		s = " " + s + " "
	}
	return fence + s + fence
}

func inCode(texts []string) []string {
	all := make([]string, len(texts))
	for i, s := range texts {
		all[i] = code(s)
	}
	return all
}
