package expression_test

import (
	"fmt"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

func ExampleScope_Condition() {
	scope := expression.EventScope()
	p, err := scope.Condition(`process.parent.name in ["winword.exe", "excel.exe"] and icontains(process.path, "\\temp\\")`)
	if err != nil {
		fmt.Println(err)
		return
	}
	e := &events.Event{Process: events.Process{Path: `C:\Temp\x.exe`, Parent: events.Parent{Name: "excel.exe"}}}
	fmt.Println(p.Bool(e))

	_, err = scope.Condition(`process.parent.nmae == "excel.exe"`)
	fmt.Println(err)
	// Output:
	// true <nil>
	// at character 16: process.parent has no field "nmae" (did you mean process.parent.name?)
}

func ExampleScope_Template() {
	t, err := expression.EventScope().With("vars", "", expression.ObjectOf()).Template("killed ${{ process.pid }}")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Eval(expression.Env(&events.Event{Process: events.Process{PID: 4711}}, nil)))
	// Output: killed 4711 <nil>
}
