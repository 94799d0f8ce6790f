package actions_test

import (
	"fmt"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// A chain is checked when it is loaded; its steps get their values when they run.
func Example() {
	steps := []actions.Step{
		{ID: "evidence", Uses: "get_file", With: map[string]any{"path": "${{ process.path }}"}},
		{ID: "kill", Uses: "kill_proces", With: map[string]any{"pid": "${{ process.pid }}", "guid": "${{ process.guid }}"}},
	}
	for _, p := range actions.Compile(steps, actions.Site{}) {
		fmt.Println(p)
	}
	steps[1].Uses = "kill_process"
	fmt.Println(len(actions.Compile(steps, actions.Site{})), "problems")

	binder := actions.NewBinder(steps, actions.Site{})
	event := &events.Event{Process: events.Process{PID: 4711, GUID: "0000002a-…", Path: `c:\a.exe`}}
	args, err := binder.Args(actions.Scope{Event: event}, steps[1].With)
	fmt.Println(args, err)
	// Output:
	// [1].uses: there is no action "kill_proces": did you mean "kill_process"?
	// 0 problems
	// map[guid:0000002a-… pid:4711] <nil>
}

// Text from an endpoint fills an argument and cannot become anything else.
func ExampleQuote() {
	hostile := `"; calc.exe & "`
	line, err := actions.Quote(edr.Windows, `c:\tools\hash.exe`, "-v", hostile)
	fmt.Println(line, err)
	line, err = actions.Quote(edr.Linux, "/usr/bin/sha256sum", "--", "$(reboot)'s.txt")
	fmt.Println(line, err)
	_, err = actions.Quote(edr.Windows, `c:\tools\old.bat`, "%COMSPEC%")
	fmt.Println(err)
	// Output:
	// "c:\tools\hash.exe" "-v" "\"; calc.exe & \"" <nil>
	// '/usr/bin/sha256sum' '--' '$(reboot)'\''s.txt' <nil>
	// run "c:\tools\old.bat": argument "%COMSPEC%" of a batch file: cmd.exe would interpret it; use a PowerShell script or a program
}
