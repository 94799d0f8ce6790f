package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/pkg/edr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is a sensor, its server and its session in memory: enough of an
// endpoint to see what an action does to it.
type endpoint struct {
	edr.Server
	mu        sync.Mutex
	os        edr.OS
	files     map[string]string
	processes []edr.Process
	registry  map[string]edr.RegistryValue
	sensor    edr.Sensor
	follows   int // looks at the sensor until it has followed an isolation
	banned    map[string]bool
	lines     []string // command lines that were run
	killed    []int
	printed   string           // by the next program
	refuse    map[string]error // by path
}

// session is the endpoint as a session on it; methods that no test needs are
// nil's.
type session struct {
	*endpoint
	unused
}

type unused struct{ edr.LiveSession }

func (session) Commands(context.Context) ([]edr.Command, error) { return nil, nil }

func newEndpoint(os edr.OS) *endpoint {
	return &endpoint{
		os: os, files: map[string]string{}, registry: map[string]edr.RegistryValue{}, banned: map[string]bool{}, refuse: map[string]error{},
		sensor: edr.Sensor{ID: "42", Hostname: "HOST", OS: os, Online: true, Isolation: edr.NotIsolated},
	}
}

// task is what a step on the endpoint is given.
func (e *endpoint) task() *Task {
	return &Task{
		Sensor: e.sensor, Server: e, Job: JobRef{ID: "job-1", Rule: "r", Step: "s"},
		Session:   func(context.Context) (edr.Session, error) { return session{endpoint: e}, nil },
		Artifacts: &shelf{},
		Publish:   func(context.Context, string, any) error { return nil },
		Scripts:   scripts{"tidy.ps1": "Remove-Item $args[0]", "tidy.sh": "rm -- \"$1\"", "old.bat": "del %1"},
		Secret:    func(name string) (Secret, error) { return Secret{Text: "secret-" + name}, nil },
		Now:       time.Now, Log: zerolog.Nop(),
	}
}

func (e *endpoint) result(name, object string, is error) error {
	code, text := uint32(0x80070057), "invalid parameter"
	if is == fs.ErrNotExist {
		code, text = 0x80070002, "file not found"
	}
	return edr.NewResultError(edr.Where{Sensor: e.sensor.ID, Name: name, Object: object}, code, "WinHresult", "", text, is)
}

func (e *endpoint) Name() string { return "test" }
func (e *endpoint) OS() edr.OS   { return e.os }
func (e *endpoint) Info() edr.SessionInfo {
	return edr.SessionInfo{ID: "7", SensorID: e.sensor.ID}
}

func (e *endpoint) GetFile(_ context.Context, p string, r edr.Range, w io.Writer) (edr.FileInfo, error) {
	if err := e.refuse[p]; err != nil {
		return edr.FileInfo{}, err
	}
	text, ok := e.files[strings.ToLower(p)]
	if !ok {
		return edr.FileInfo{}, e.result("get file", p, fs.ErrNotExist)
	}
	text = text[min(int(r.Offset), len(text)):]
	if r.Count > 0 {
		text = text[:min(int(r.Count), len(text))]
	}
	sum := sha256.Sum256([]byte(text))
	_, err := io.WriteString(w, text)
	return edr.FileInfo{Path: p, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}, err
}

func (e *endpoint) PutFile(_ context.Context, p string, r io.Reader) (edr.FileInfo, error) {
	if _, there := e.files[strings.ToLower(p)]; there {
		return edr.FileInfo{}, e.result("put file", p, fs.ErrExist)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return edr.FileInfo{}, err
	}
	e.files[strings.ToLower(p)] = string(text)
	sum := sha256.Sum256(text)
	return edr.FileInfo{Path: p, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}, nil
}

func (e *endpoint) DeleteFile(_ context.Context, p string) error {
	if _, there := e.files[strings.ToLower(p)]; !there {
		return e.result("delete file", p, fs.ErrNotExist)
	}
	delete(e.files, strings.ToLower(p))
	return nil
}

// List knows a path and a pattern in the last name, like the real command.
func (e *endpoint) List(_ context.Context, pattern string) ([]edr.DirEntry, error) {
	sep := separator(e.os)
	i := strings.LastIndex(pattern, sep)
	dir, name := strings.ToLower(pattern[:i]), strings.ToLower(pattern[i+1:])
	if err := e.refuse[dir]; err != nil {
		return nil, err
	}
	found := map[string]edr.DirEntry{}
	exists := false
	for p, text := range e.files {
		rest, below := strings.CutPrefix(p, dir+sep)
		if !below {
			continue
		}
		exists = true
		first, more, deeper := strings.Cut(rest, sep)
		_ = more
		if ok, _ := path.Match(name, first); ok {
			found[first] = edr.DirEntry{Name: first, Dir: deeper, Size: int64(len(text))}
		}
	}
	if len(found) == 0 && (!exists || name != "*") {
		return nil, e.result("directory list", pattern, fs.ErrNotExist)
	}
	entries := []edr.DirEntry{{Name: ".", Dir: true}, {Name: "..", Dir: true}}
	if name != "*" {
		entries = nil
	}
	for _, n := range sortedKeys(found) {
		entries = append(entries, found[n])
	}
	return entries, nil
}

func (e *endpoint) MakeDir(_ context.Context, p string) error {
	key := strings.ToLower(p) + separator(e.os) + ".keep"
	if _, there := e.files[key]; there {
		return e.result("create directory", p, fs.ErrExist)
	}
	e.files[key] = ""
	return nil
}

func (e *endpoint) Processes(context.Context) ([]edr.Process, error) {
	return slices.Clone(e.processes), nil
}

func (e *endpoint) Kill(_ context.Context, pid int) error {
	i := slices.IndexFunc(e.processes, func(p edr.Process) bool { return p.PID == pid })
	if i < 0 {
		return e.result("kill", fmt.Sprint(pid), nil)
	}
	e.processes = slices.Delete(e.processes, i, i+1)
	e.killed = append(e.killed, pid)
	return nil
}

func (e *endpoint) Run(_ context.Context, p edr.ProcessSpec) (edr.ProcessResult, error) {
	e.lines = append(e.lines, p.CommandLine)
	if p.OutputFile != "" && e.printed != "" {
		e.files[strings.ToLower(p.OutputFile)] = e.printed
	}
	return edr.ProcessResult{PID: 99, Exited: p.Wait}, nil
}

func (e *endpoint) RegistryValue(_ context.Context, p string) (edr.RegistryValue, error) {
	v, ok := e.registry[strings.ToLower(p)]
	if !ok {
		return edr.RegistryValue{}, e.result("reg query value", p, fs.ErrNotExist)
	}
	return v, nil
}

func (e *endpoint) RegistryKey(_ context.Context, key string) (edr.RegistryKey, error) {
	var k edr.RegistryKey
	for p, v := range e.registry {
		if rest, ok := strings.CutPrefix(p, strings.ToLower(key)+`\`); ok && !strings.Contains(rest, `\`) {
			k.Values = append(k.Values, v)
		}
	}
	if k.Values == nil {
		return k, e.result("reg enum key", key, fs.ErrNotExist)
	}
	return k, nil
}

func (e *endpoint) SetRegistryValue(_ context.Context, p string, v edr.RegistryValue, _ bool) error {
	e.registry[strings.ToLower(p)] = v
	return nil
}

func (e *endpoint) CreateRegistryKey(_ context.Context, key string) error {
	e.registry[strings.ToLower(key)+`\`] = edr.RegistryValue{}
	return nil
}

func (e *endpoint) DeleteRegistryKey(_ context.Context, key string) error {
	n := len(e.registry)
	for p := range e.registry {
		if strings.HasPrefix(p, strings.ToLower(key)+`\`) {
			delete(e.registry, p)
		}
	}
	if len(e.registry) == n {
		return e.result("reg delete key", key, fs.ErrNotExist)
	}
	return nil
}

func (e *endpoint) DeleteRegistryValue(_ context.Context, p string) error {
	if _, ok := e.registry[strings.ToLower(p)]; !ok {
		return e.result("reg delete value", p, fs.ErrNotExist)
	}
	delete(e.registry, strings.ToLower(p))
	return nil
}

func (e *endpoint) DumpMemory(_ context.Context, p string, compress bool, progress func(int)) (string, error) {
	progress(50)
	if compress {
		p += ".zip"
	}
	e.files[strings.ToLower(p)] = "memory"
	return p, nil
}

func (e *endpoint) Archive(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "archive")
	return err
}

func (e *endpoint) Sensor(context.Context, string) (edr.Sensor, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.follows > 0 {
		if e.follows--; e.follows == 0 {
			switch e.sensor.Isolation {
			case edr.IsolateRequested:
				e.sensor.Isolation = edr.Isolated
			case edr.ReleaseRequested:
				e.sensor.Isolation = edr.NotIsolated
			}
		}
	}
	return e.sensor, nil
}

func (e *endpoint) SetIsolation(_ context.Context, _ string, isolated bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case isolated && e.sensor.Isolation != edr.Isolated:
		e.sensor.Isolation = edr.IsolateRequested
	case !isolated && e.sensor.Isolation != edr.NotIsolated:
		e.sensor.Isolation = edr.ReleaseRequested
	}
	return nil
}

func (e *endpoint) Ban(_ context.Context, md5, _ string) error { e.banned[md5] = true; return nil }
func (e *endpoint) Unban(_ context.Context, md5 string) error  { delete(e.banned, md5); return nil }
func (e *endpoint) BansBy() edr.HashKind                       { return edr.MD5 }

func (e *endpoint) Banned(_ context.Context, md5 string) (bool, error) {
	return e.banned[md5], nil
}

// shelf is an artifact store in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string]string // by path or name
	fail error
}

func (s *shelf) Put(_ context.Context, a Artifact, r io.Reader) (Artifact, error) {
	if s.fail != nil {
		return a, s.fail
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return a, err
	}
	sum := sha256.Sum256(text)
	a.Size, a.SHA256 = int64(len(text)), hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]string{}
	}
	s.kept[a.Name] = string(text)
	return a, nil
}

type scripts map[string]string

func (s scripts) Open(name string) (io.ReadCloser, error) {
	text, ok := s[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// do decodes with and runs the action as a scheduler would.
func (e *endpoint) do(t *testing.T, uses string, with map[string]any) (any, error) {
	t.Helper()
	return run(t, e.task(), uses, with)
}

func run(t *testing.T, task *Task, uses string, with map[string]any) (any, error) {
	t.Helper()
	a, ok := Lookup(uses)
	if !ok {
		t.Fatalf("there is no action %s", uses)
	}
	p, err := Decode(a, with)
	if err != nil {
		return nil, err
	}
	return a.Run(t.Context(), task, p)
}

// already asks whether the action's effect is there.
func (e *endpoint) already(t *testing.T, uses string, with map[string]any) bool {
	t.Helper()
	a, _ := Lookup(uses)
	p, err := Decode(a, with)
	if err != nil {
		t.Fatal(err)
	}
	done, _, err := a.Check(t.Context(), e.task(), p)
	if err != nil {
		t.Fatal(err)
	}
	return done
}
