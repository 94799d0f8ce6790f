package edrsim_test

import (
	"fmt"
	"net/http"
	"time"

	"edrpipe/pkg/edrsim"
)

// A server in one line, and a request as any client of the real one sends it.
func Example() {
	sim := edrsim.New(edrsim.Config{Token: "secret", Start: time.Unix(1_700_000_000, 0)}).Start()
	defer sim.Close()

	req, _ := http.NewRequest("GET", sim.URL+"/api/v1/sensor/1", nil)
	req.Header.Set("X-Auth-Token", sim.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	fmt.Println(resp.Status)

	// Output: 200 OK
}

// Faults can be planned for single requests, and what sensors did be counted.
func ExampleServer_FailNext() {
	sim := edrsim.New(edrsim.Config{Sensors: 3}).Start()
	defer sim.Close()

	err := sim.FailNext("lost-answer", "POST", "/command")
	fmt.Println(err, sim.Counters().Commands)

	fmt.Println(sim.FailNext("gremlins", "", "") != nil)

	// Output:
	// <nil> 0
	// true
}
