package events_test

import (
	"fmt"
	"log"

	"edrpipe/pkg/events"
)

// A watchlist hit as the EDR server puts it on its bus.
const hit = `{"watchlist_id":31,"watchlist_name":"LIVERESPONSE: rundll32 from temp","event_timestamp":1725526410.5,
 "docs":[{"unique_id":"0000002a-0000-113c-01da-ff710e784000-00000001","path":"c:\\windows\\system32\\rundll32.exe",
 "cmdline":"rundll32 C:\\Temp\\a.dll,Go","parent_name":"winword.exe"}]}`

func ExampleDecoder_Events() {
	var d events.Decoder
	msg := events.Message{Body: []byte(hit), RoutingKey: "watchlist.31.storage.hit.process"}
	for e, err := range d.Events(&msg) {
		if err != nil {
			log.Print(err) // this part of the message; the rest goes on
			continue
		}
		fmt.Println(e.Event.Type, "on sensor", e.Sensor.ID)
		fmt.Println(e.Process.Parent.Name, "started", e.Process.Name, "as", e.Process.PID)
	}
	// Output:
	// watchlist.storage.hit.process on sensor 42
	// winword.exe started rundll32.exe as 4412
}

func ExampleDecoder_Scanner() {
	d := &events.Decoder{LazyRaw: true}
	scanner, err := d.Scanner("process.name", "sensor.id")
	if err != nil {
		log.Fatal(err)
	}
	msg := events.Message{Body: []byte(hit), RoutingKey: "watchlist.hit.process"}
	for scan, err := range scanner.Events(&msg) {
		if err != nil || scan.Event.Process.Name != "rundll32.exe" {
			continue
		}
		fmt.Println(scan.Full().Process.CommandLine)
	}
	// Output: rundll32 C:\Temp\a.dll,Go
}

func ExampleParseGUID() {
	g, err := events.ParseGUID("0000002a-0000-113c-01da-ff710e784000")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Sensor, g.PID, g.Start)
	// Output: 42 4412 2024-09-05 08:53:20 +0000 UTC
}
