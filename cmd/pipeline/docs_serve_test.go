package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestDocsServe shows the documentation on a port of this machine alone until it is
// interrupted; a port that is taken is an error with what to do.
func TestDocsServe(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"docs", "serve", "--listen", "127.0.0.1:0"}, nil, write, &errs)
		_ = write.Close() // of a pipe: never fails
	}()
	line, err := bufio.NewReader(read).ReadString('\n')
	address := regexp.MustCompile(`http://(127\.0\.0\.1:\d+);`).FindStringSubmatch(line)
	if err != nil || address == nil {
		t.Fatalf("it prints %q, %v; %s", line, err, errs.String())
	}
	for page, text := range map[string]string{"/README.md": "<h1 id=\"edrpipe\">", "/docs/cli.md": "pipeline docs serve", "/style.css": ".manual"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address[1]+page, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if _ = res.Body.Close(); err != nil || !strings.Contains(string(body), text) {
			t.Errorf("%s has no %q: %v\n%.300s", page, text, err, body)
		}
	}
	var out, second bytes.Buffer
	if status := run(ctx, []string{"docs", "serve", "--listen", address[1]}, nil, &out, &second); status != exitFailure || !strings.Contains(second.String(), "choose another address with --listen") {
		t.Errorf("a port that is taken: status %d: %s", status, second.String())
	}
	stop()
	if status := <-ended; status != exitOK {
		t.Errorf("interrupted: status %d: %s", status, errs.String())
	}
}
