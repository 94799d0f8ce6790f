package lr

import (
	"context"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// result runs one command of an endpoint that returns something.
func result[T any](ctx context.Context, e *Endpoint, fn func(*Session) (T, error)) (T, error) {
	var got T
	err := e.Do(ctx, func(s *Session) (err error) {
		got, err = fn(s)
		return err
	})
	return got, err
}

// List is Session.List.
func (e *Endpoint) List(ctx context.Context, pattern string) ([]edr.DirEntry, error) {
	return result(ctx, e, func(s *Session) ([]edr.DirEntry, error) { return s.List(ctx, pattern) })
}

// Stat is Session.Stat.
func (e *Endpoint) Stat(ctx context.Context, path string) (edr.DirEntry, error) {
	return result(ctx, e, func(s *Session) (edr.DirEntry, error) { return s.Stat(ctx, path) })
}

// Walk is Session.Walk; each directory is listed by a call of its own, so that a
// long walk outlives its sessions.
func (e *Endpoint) Walk(ctx context.Context, root string, fn WalkFunc) error {
	os, err := e.os(ctx)
	if err != nil {
		return err
	}
	return liveresponse.Walk(ctx, e.List, os, root, fn)
}

// DeleteFile is Session.DeleteFile.
func (e *Endpoint) DeleteFile(ctx context.Context, path string) error {
	return e.Do(ctx, func(s *Session) error { return s.DeleteFile(ctx, path) })
}

// MakeDir is Session.MakeDir.
func (e *Endpoint) MakeDir(ctx context.Context, path string) error {
	return e.Do(ctx, func(s *Session) error { return s.MakeDir(ctx, path) })
}

// Processes is Session.Processes.
func (e *Endpoint) Processes(ctx context.Context) ([]edr.Process, error) {
	return result(ctx, e, func(s *Session) ([]edr.Process, error) { return s.Processes(ctx) })
}

// Kill is Session.Kill.
func (e *Endpoint) Kill(ctx context.Context, pid int) error {
	return e.Do(ctx, func(s *Session) error { return s.Kill(ctx, pid) })
}

// Run is Session.Run.
func (e *Endpoint) Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error) {
	return result(ctx, e, func(s *Session) (edr.ProcessResult, error) { return s.Run(ctx, p) })
}

// Output is Session.Output; the process is run once, also when a session ends
// before its output is fetched.
func (e *Endpoint) Output(ctx context.Context, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	os, err := e.os(ctx)
	if err != nil {
		return nil, edr.ProcessResult{}, err
	}
	return liveresponse.Output(ctx, e, os, p)
}

func (e *Endpoint) os(ctx context.Context) (edr.OS, error) {
	return result(ctx, e, func(s *Session) (edr.OS, error) { return s.OS(), nil })
}

// RegistryKey is Session.RegistryKey.
func (e *Endpoint) RegistryKey(ctx context.Context, key string) (edr.RegistryKey, error) {
	return result(ctx, e, func(s *Session) (edr.RegistryKey, error) { return s.RegistryKey(ctx, key) })
}

// RegistryValue is Session.RegistryValue.
func (e *Endpoint) RegistryValue(ctx context.Context, path string) (edr.RegistryValue, error) {
	return result(ctx, e, func(s *Session) (edr.RegistryValue, error) { return s.RegistryValue(ctx, path) })
}

// SetRegistryValue is Session.SetRegistryValue.
func (e *Endpoint) SetRegistryValue(ctx context.Context, path string, v edr.RegistryValue, overwrite bool) error {
	return e.Do(ctx, func(s *Session) error { return s.SetRegistryValue(ctx, path, v, overwrite) })
}

// CreateRegistryKey is Session.CreateRegistryKey.
func (e *Endpoint) CreateRegistryKey(ctx context.Context, key string) error {
	return e.Do(ctx, func(s *Session) error { return s.CreateRegistryKey(ctx, key) })
}

// DeleteRegistryKey is Session.DeleteRegistryKey.
func (e *Endpoint) DeleteRegistryKey(ctx context.Context, key string) error {
	return e.Do(ctx, func(s *Session) error { return s.DeleteRegistryKey(ctx, key) })
}

// DeleteRegistryValue is Session.DeleteRegistryValue.
func (e *Endpoint) DeleteRegistryValue(ctx context.Context, path string) error {
	return e.Do(ctx, func(s *Session) error { return s.DeleteRegistryValue(ctx, path) })
}

// DumpMemory is Session.DumpMemory.
func (e *Endpoint) DumpMemory(ctx context.Context, path string, compress bool, progress func(percent int)) (string, error) {
	return result(ctx, e, func(s *Session) (string, error) { return s.DumpMemory(ctx, path, compress, progress) })
}
