package edrsim

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// An image is what a freshly installed endpoint of a platform holds. Endpoints
// share it and keep only their differences.
type image struct {
	root     *node
	registry *key
	procs    []imageProcess
	cwd      string
}

// An imageProcess is a process with its start given relative to the boot.
type imageProcess struct {
	pid, parent int
	path        string
	line        string
	user, sid   string
	after       time.Duration
}

// imageDate is when the files of an image were installed.
var imageDate = time.Date(2017, 1, 31, 21, 40, 0, 0, time.UTC)

var images = map[string]func() *image{
	osWindows: sync.OnceValue(windowsImage),
	osMac:     sync.OnceValue(macImage),
	osLinux:   sync.OnceValue(linuxImage),
}

// newEndpoint sets up the computer of a sensor from its platform's image.
func newEndpoint(s *sensor, now time.Time) *endpoint {
	img := images[s.os()]()
	e := &endpoint{
		host: s.hostname, ip: s.ip, windows: s.windows(), macos: s.os() == osMac, seed: mix(s.seed, 7),
		cwd: img.cwd, root: img.root, registry: img.registry,
	}
	e.boot(img, s.booted)
	if e.windows {
		name := regValue{typ: "REG_SZ", data: strings.ToUpper(s.hostname)}
		e.setValue(`HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName\ComputerName`, name)
	} else {
		e.write("/etc/hostname", bytesBlob([]byte(s.hostname+"\n")), true, imageDate)
	}
	e.furnish(s.spec, now)
	return e
}

// boot starts the processes of a platform.
func (e *endpoint) boot(img *image, at time.Time) {
	e.booted, e.later, e.procs = at, nil, nil
	for _, p := range img.procs {
		user := strings.ReplaceAll(p.user, "{host}", strings.ToUpper(e.host))
		e.procs = append(e.procs, &process{pid: p.pid, parent: p.parent, path: p.path, line: p.line,
			user: user, sid: p.sid, started: at.Add(p.after)})
	}
}

// furnish adds the files, registry values and processes of the fleet description.
func (e *endpoint) furnish(spec *SensorSpec, now time.Time) {
	for i, f := range spec.Files {
		data := bytesBlob([]byte(f.Content))
		if f.Content == "" && f.Size > 0 {
			data = noiseBlob(mix(e.seed, uint64(i)), f.Size)
		}
		e.place(f.Path, data, f.Locked, now) // what cannot be is left out: see SensorSpec.validate
	}
	for _, r := range spec.Registry {
		v, _ := r.value() // validated with the fleet
		keyPath, _ := splitValue(r.Path)
		e.createKey(keyPath)
		e.setValue(r.Path, v)
	}
	for _, p := range spec.Processes {
		e.start(p)
	}
}

// place writes a file, over an existing one, and makes the directories above it.
func (e *endpoint) place(p string, data blob, locked bool, now time.Time) failure {
	folded, written, f := e.split(p)
	if f != success {
		return f
	}
	if len(folded) == 0 || e.windows && len(folded) == 1 {
		return errInvalidName
	}
	for i := 1; i < len(folded); i++ {
		switch above := e.root.lookup(folded[:i]); {
		case above == nil:
			e.root = e.root.with(folded[:i], &node{name: written[i-1], dir: true, attrs: attrsDir, created: now, written: now})
		case !above.dir:
			return errPathNotFound
		}
	}
	if old := e.root.lookup(folded); old != nil && old.dir {
		return errAccessDenied
	}
	e.root = e.root.with(folded, &node{name: written[len(written)-1], data: data, attrs: e.plainAttrs(), locked: locked, created: now, written: now})
	return success
}

// start adds a described process.
func (e *endpoint) start(spec ProcessSpec) {
	parent := e.procs[0]
	for _, p := range e.procs {
		if spec.Parent != "" && strings.EqualFold(baseName(p.path), spec.Parent) {
			parent = p
		}
	}
	p := process{parent: parent.pid, path: spec.Path, line: spec.CommandLine, user: spec.User, sid: parent.sid, started: e.booted.Add(time.Hour)}
	if p.line == "" {
		p.line = p.path
	}
	if p.user == "" {
		p.user, p.sid = parent.user, parent.sid
	}
	if spec.PID == 0 || e.process(spec.PID) != nil {
		e.spawn(p)
		return
	}
	p.pid = spec.PID
	e.procs = append(e.procs, &p)
	slices.SortFunc(e.procs, func(a, b *process) int { return a.pid - b.pid })
}

// baseName is the last element of a path of either platform.
func baseName(p string) string { return p[strings.LastIndexAny(p, `\/`)+1:] }

// A planter builds the tree of an image.
type planter struct {
	root  *node
	sep   string
	fold  bool
	attrs []string
}

// dir adds a directory and those above it.
func (b *planter) dir(p string) *node {
	n := b.root
	for _, name := range elements(p, b.sep) {
		n = b.child(n, &node{name: name, dir: true, attrs: attrsDir, created: imageDate, written: imageDate})
	}
	return n
}

// file adds a file and the directories above it.
func (b *planter) file(p string, data blob) *node {
	i := strings.LastIndex(p, b.sep)
	return b.child(b.dir(p[:i]), &node{name: p[i+1:], data: data, attrs: b.attrs, created: imageDate, written: imageDate})
}

// text adds a small text file.
func (b *planter) text(p, content string) { b.file(p, bytesBlob([]byte(content))) }

// programs adds executables of plausible size.
func (b *planter) programs(dir, ext string, magic string, names ...string) {
	for _, name := range names {
		seed := mixString(1, name)
		size := 16<<10 + int64(seed%(400<<10))
		b.file(dir+b.sep+name+ext, blob{program{magic, noise(seed)}, size})
	}
}

func (b *planter) child(dir, n *node) *node {
	name := n.name
	if b.fold {
		name = strings.ToLower(name)
	}
	if old := dir.children[name]; old != nil {
		return old
	}
	if dir.children == nil {
		dir.children = map[string]*node{}
	}
	dir.children[name] = n
	return n
}

// A program is the content of an executable: a magic number, then noise.
type program struct {
	magic string
	noise noise
}

func (x program) ReadAt(p []byte, off int64) (int, error) {
	x.noise.ReadAt(p, off)
	if off < int64(len(x.magic)) {
		copy(p, x.magic[off:])
	}
	return len(p), nil
}
