package guard_test

import (
	"context"
	"fmt"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
)

func Example() {
	const file = `
protected:
  - { name: domain-controllers, sensors: sensor.group == "Domain Controllers", deny: isolate }
budgets:
  - { name: isolations, actions: isolate, sensors: 1, per: 1h, on_exceed: deny }
`
	policy, err := guard.Load("guards.yaml", []byte(file), []guard.Action{{Name: "isolate", Destructive: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	g := guard.New(guard.Config{Policy: policy})
	for _, s := range []edr.Sensor{{ID: "1", Group: "Domain Controllers"}, {ID: "2", Group: "Office"}, {ID: "3", Group: "Office"}} {
		v := g.Admit(context.Background(), admission.Request{Job: "job-" + s.ID, Step: "iso", Action: "isolate", Sensor: s})
		fmt.Printf("sensor %s: allowed %t (%s)\n", s.ID, v.Decision == admission.Allow, v.Reason)
	}
	// Output:
	// sensor 1: allowed false (protected)
	// sensor 2: allowed true ()
	// sensor 3: allowed false (budget)
}
