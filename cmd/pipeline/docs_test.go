package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edrpipe/internal/golden"
)

func TestGeneratedDocsAreCurrent(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "EDRPIPE_") {
			t.Setenv(name, "") // a default may come from it
		}
	}
	for file, args := range map[string][]string{"cli.md": {"docs", "markdown"}, "asyncapi.yaml": {"docs", "asyncapi"}} {
		var out, errs bytes.Buffer
		if status := run(context.Background(), args, nil, &out, &errs); status != exitOK {
			t.Fatalf("status %d: %s", status, errs.String())
		}
		golden.Check(t, filepath.Join("..", "..", "docs", file), out.String())
	}
}

func TestManPages(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if status := run(context.Background(), []string{"docs", "man", dir}, nil, &out, &errs); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	page, err := os.ReadFile(filepath.Join(dir, "pipeline-jobs-submit.1"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "--sensor") {
		t.Errorf("the page of jobs submit does not tell of --sensor:\n%s", page)
	}
}
