package artifacts_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
)

func Example() {
	dir, err := os.MkdirTemp("", "evidence")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := artifacts.Open(ctx, artifacts.Config{Backend: artifacts.Directory(dir)})
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := store.Put(ctx, actions.Artifact{Path: `c:\a.exe`, Sensor: "42", Job: "job-1"}, strings.NewReader("evil"))
	fmt.Println(kept.Size, kept.SHA256[:8], err)

	file, _, err := store.Open(ctx, kept.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	text, err := io.ReadAll(file) // compares the digest at the end
	fmt.Println(string(text), err)
	// Output:
	// 4 b5c1fb2e <nil>
	// evil <nil>
}
