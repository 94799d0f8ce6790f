package strictyaml_test

import (
	"fmt"
	"time"

	"edrpipe/pkg/strictyaml"
)

func ExampleDecode() {
	var rule struct {
		ID   string        `yaml:"id,required"`
		When string        `yaml:"when"`
		Wait time.Duration `yaml:"wait"`
	}
	_, err := strictyaml.Decode("rule.yaml", []byte("id: kill-shell\nwehn: true\nwait: 3 days\n"), &rule)
	fmt.Println(err)
	// Output:
	// rule.yaml:2:1: unknown key "wehn" in the file
	//      2 | wehn: true
	//        | ^^^^ did you mean "when"?
	// rule.yaml:3:7: "wait": "3 days" is not a duration
	//      3 | wait: 3 days
	//        |       ^^^^^^ write it like 90s, 15m, 72h, 7d or 1h30m
}
