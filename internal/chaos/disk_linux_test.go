//go:build linux

package chaos

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// smallDisk gives dir a file system of so many MiB, where the system lets us.
func smallDisk(t testing.TB, dir string, size int) bool {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Logf("no disk is filled in this run: mounting a small one: %v", err)
		return false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return true
}

// fill takes all space that is left on a file's file system.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for size := len(block); size > 512; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	return nil
}
