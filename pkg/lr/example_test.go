package lr_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// An Endpoint is the simplest way to work on a sensor.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sim := edrsim.New(edrsim.Config{TimeScale: 100}).Start() // in place of a real server
	defer sim.Close()

	client, err := lr.New(lr.Config{URL: sim.URL, Token: sim.Token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdle()
	sensor, err := client.FindSensor(ctx, "WKS-0001")
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint := client.Endpoint(sensor.ID)
	defer endpoint.Close(ctx)

	info, err := endpoint.PutFile(ctx, `C:\Windows\Temp\note.txt`, strings.NewReader("hello\n"))
	fmt.Println(info.Size, err)
	_, err = endpoint.GetFile(ctx, `C:\Windows\Temp\note.txt`, edr.Range{}, os.Stdout)
	fmt.Println(err)
	err = endpoint.DeleteFile(ctx, `C:\Windows\Temp\nothing.txt`)
	fmt.Println(errors.Is(err, fs.ErrNotExist), err)

	// Output:
	// 6 <nil>
	// hello
	// <nil>
	// true delete file "C:\Windows\Temp\nothing.txt" on sensor 1: file not found (0x80070002)
}

// A Session is one session: after its end its methods return edr.ErrSessionGone.
func ExampleClient_OpenSession() {
	ctx := context.Background()
	sim := edrsim.New(edrsim.Config{TimeScale: 100}).Start()
	defer sim.Close()
	client, err := lr.New(lr.Config{URL: sim.URL, Token: sim.Token})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdle()

	session, err := client.OpenSession(ctx, "1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	out, result, err := session.Output(ctx, edr.ProcessSpec{CommandLine: `cmd.exe /c echo hello`})
	fmt.Printf("%q %d %v\n", out, result.ReturnCode, err)

	_ = client.CloseSession(ctx, session.Info().ID) // or its time is up
	_, err = session.Processes(ctx)
	fmt.Println(errors.Is(err, edr.ErrSessionGone))

	// Output:
	// "hello\r\n" 0 <nil>
	// true
}
