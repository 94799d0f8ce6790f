package index_test

import (
	"fmt"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/rules/index"
)

func Example() {
	scope := expression.EventScope()
	var conditions []index.Condition
	for _, when := range []string{
		`process.name == "rundll32.exe" && icontains(process.command_line, "javascript:")`,
		`process.name in ["cmd.exe", "powershell.exe"]`,
		`process.pid == process.parent.pid`,
	} {
		program, err := scope.Condition(when)
		if err != nil {
			panic(err)
		}
		conditions = append(conditions, index.Condition{On: []string{"process_start"}, Tree: program.Node()})
	}
	x := index.New(conditions)

	e := &events.Event{}
	e.Event.Type, e.Event.Kind = "ingress.event.procstart", events.ProcessStart
	e.Process.Name, e.Process.CommandLine = "rundll32.exe", `rundll32 JavaScript:"\..\mshtml"`
	fmt.Println(x.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e))
	fmt.Println(x.Why(2))
	// Output:
	// [0 2]
	// no comparison of an event field with a constant is required; not understood: process.pid == process.parent.pid
}
