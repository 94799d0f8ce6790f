package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/edr"
)

// CollectParams are the parameters of collect.
type CollectParams struct {
	Paths     []RemotePattern `json:"paths" doc:"files on the endpoint; names may hold * and ?, ** stands for any directories"`
	Registry  []RegistryPath  `json:"registry" doc:"registry keys to list"`
	Processes bool            `json:"processes" doc:"list the running processes too"`
	MaxFiles  int             `json:"max_files" default:"100" doc:"files at most"`
	MaxSize   int64           `json:"max_size" default:"104857600" doc:"larger files are skipped, bytes"`
	MaxTotal  int64           `json:"max_total" default:"1073741824" doc:"stop after so many bytes"`

	Reach
}

// Validate wants something to collect.
func (p CollectParams) Validate() error {
	if len(p.Paths) == 0 && len(p.Registry) == 0 && !p.Processes {
		return errors.New("nothing to collect: give paths, registry or processes")
	}
	return nil
}

// Skipped is something that was not collected, and why.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// CollectOutput is the output of collect.
type CollectOutput struct {
	Artifacts []Artifact `json:"artifacts"`
	Skipped   []Skipped  `json:"skipped" doc:"missing, unreadable or too large"`
	Repeated  []string   `json:"repeated" doc:"files and keys that more than one entry named: collected once"`
	Count     int        `json:"count"`
	Bytes     int64      `json:"bytes"`
	Truncated bool       `json:"truncated" doc:"a limit was reached"`
}

var _ = Register(Definition[CollectParams, CollectOutput]{
	Is: Spec{
		Name:        "collect",
		Summary:     "Collect many things as evidence: files by path or pattern, registry keys, processes",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Commands:    []string{"directory list", "get file"},
		Permissions: []string{permitLiveResponse},
		Timeout:     time.Hour,
	},
	Do: func(ctx context.Context, t *Task, p CollectParams) (CollectOutput, error) {
		s, err := sessionWith[fileSession](ctx, t)
		if err != nil {
			return CollectOutput{}, err
		}
		c := collector{t: t, s: s, p: p, seen: map[string]bool{}}
		c.out.Artifacts, c.out.Skipped, c.out.Repeated = []Artifact{}, []Skipped{}, []string{}
		err = c.run(ctx)
		return c.out, err
	},
})

// collector is one run of collect.
type collector struct {
	t    *Task
	s    fileSession
	p    CollectParams
	seen map[string]bool // see once
	out  CollectOutput
}

// run collects what is most volatile first.
func (c *collector) run(ctx context.Context) error {
	if c.p.Processes {
		if err := c.table(ctx, "processes.json", func() (any, error) { return c.processes(ctx) }); err != nil {
			return err
		}
	}
	for _, key := range c.p.Registry {
		if !c.once(string(key)) {
			continue
		}
		err := c.table(ctx, string(key), func() (any, error) { return c.registryKey(ctx, string(key)) })
		if err != nil {
			return err
		}
	}
	for _, pattern := range c.p.Paths {
		if err := c.files(ctx, string(pattern)); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) processes(ctx context.Context) ([]edr.Process, error) {
	s, err := edr.As[edr.Processes](c.s)
	if err != nil {
		return nil, err
	}
	return s.Processes(ctx)
}

func (c *collector) registryKey(ctx context.Context, key string) (edr.RegistryKey, error) {
	s, err := edr.As[edr.Registry](c.s)
	if err != nil {
		return edr.RegistryKey{}, err
	}
	return s.RegistryKey(ctx, key)
}

// table stores what a command answered as JSON.
func (c *collector) table(ctx context.Context, name string, ask func() (any, error)) error {
	answer, err := ask()
	if unreadable(err) || errors.Is(err, edr.ErrUnsupported) {
		c.skip(name, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a, err := c.t.keep(ctx, Artifact{Path: name}, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	c.add(a)
	return nil
}

// files collects what fits one pattern.
func (c *collector) files(ctx context.Context, pattern string) error {
	found := 0
	var failed error
	stopped, err := glob(ctx, c.s, pattern, func(e Entry) bool {
		if e.Dir {
			return true
		}
		found++
		if c.taken(e.Path) {
			c.repeat(e.Path)
			return true
		}
		if len(c.out.Artifacts) >= c.p.MaxFiles || c.out.Bytes >= c.p.MaxTotal {
			return false
		}
		c.once(e.Path)
		failed = c.file(ctx, e)
		return failed == nil
	})
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, fs.ErrNotExist), err == nil && !stopped && found == 0:
		c.skip(pattern, "nothing there")
	case unreadable(err):
		c.skip(pattern, err.Error())
	case err != nil:
		return err
	}
	c.out.Truncated = c.out.Truncated || stopped
	return nil
}

// once reports whether path is met for the first time. The same file by another
// spelling is the same: Windows compares without case and takes both separators.
func (c *collector) once(path string) bool {
	if c.taken(path) {
		c.repeat(path)
		return false
	}
	c.seen[c.fold(path)] = true
	return true
}

func (c *collector) taken(path string) bool { return c.seen[c.fold(path)] }

func (c *collector) fold(path string) string {
	if c.s.OS() != edr.Windows {
		return path
	}
	return strings.ToLower(strings.ReplaceAll(path, "/", `\`))
}

// repeat notes a file that an earlier entry had, each once.
func (c *collector) repeat(path string) {
	same := func(p string) bool { return c.fold(p) == c.fold(path) }
	if len(c.out.Repeated) < maxRepeated && !slices.ContainsFunc(c.out.Repeated, same) {
		c.out.Repeated = append(c.out.Repeated, path)
	}
}

// maxRepeated bounds the list in the output.
const maxRepeated = 100

func (c *collector) file(ctx context.Context, e Entry) error {
	if e.Size > c.p.MaxSize || c.out.Bytes+e.Size > c.p.MaxTotal {
		c.skip(e.Path, fmt.Sprintf("too large: %d bytes", e.Size))
		return nil
	}
	c.t.progress("collecting " + e.Path)
	a, err := c.t.collectFile(ctx, c.s, e.Path, edr.Range{})
	if unreadable(err) {
		c.skip(e.Path, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	c.add(a)
	return nil
}

func (c *collector) add(a Artifact) {
	c.out.Artifacts = append(c.out.Artifacts, a)
	c.out.Count++
	c.out.Bytes += a.Size
}

func (c *collector) skip(path, why string) {
	c.out.Skipped = append(c.out.Skipped, Skipped{Path: path, Reason: why})
}
