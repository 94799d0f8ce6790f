package actions

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Class decides what may be done about a step whose outcome is unknown.
type Class string

// Classes of actions.
const (
	Repeatable Class = "repeatable" // reads: run it again
	Checkable  Class = "checkable"  // its effect can be looked up before repeating
	Once       Class = "once"       // never again without a person's word
)

// Spec describes an action to rule checking, documentation and guards.
type Spec struct {
	Name        string
	Summary     string
	Class       Class
	Session     bool          // uses a Live Response session, and so a slot
	Powers      []edr.Power   // what it needs of the kind of server
	Destructive bool          // changes the endpoint or its server
	Undo        string        // action that takes it back, with the same parameters; empty: none. That one has no undo itself: guards let an undo pass where they would stop an act
	Commands    []string      // Live Response commands that the sensor must support
	Platforms   []edr.OS      // empty: all
	Permissions []string      // rights that the server's token needs
	Timeout     time.Duration // limit for steps without their own; 0: the scheduler's default
}

// Supports reports whether the action exists on that platform.
func (s Spec) Supports(os edr.OS) bool {
	return len(s.Platforms) == 0 || os == "" || slices.Contains(s.Platforms, os)
}

// An Action does one thing. Params and Output are described by Go types: their
// json tags are the names that rules use, their doc tags the documentation.
type Action interface {
	Spec() Spec
	// Params returns the type that With decodes into.
	Params() reflect.Type
	// Output returns the type of steps.<id>.output.
	Output() reflect.Type
	// Run does it; params is a value of type Params.
	Run(ctx context.Context, t *Task, params any) (output any, err error)
	// Check reports whether the effect is already present, for Checkable actions: done
	// means that the step need not run.
	Check(ctx context.Context, t *Task, params any) (done bool, output any, err error)
}

// Task is what an action is given: the sensor concerned and the means to act.
type Task struct {
	Sensor edr.Sensor
	Server edr.Server
	Job    JobRef
	Event  *events.Event
	By     string         // the person who submitted the job; empty: a rule did
	Until  time.Time      // when the step is undone; zero: it is not
	Undoes *Undone        // the step that this one undoes; nil: none
	Ledger Ledger         // who wants what contained; nil: each step stands for itself
	With   map[string]any // the parameters as their author wrote them: what in them is an expression came from the event or an endpoint
	Since  time.Time      // when the step was first begun, by an earlier process perhaps; zero: now

	// Session opens the job's session on first use; later calls return the same.
	Session   func(ctx context.Context) (edr.Session, error)
	Artifacts ArtifactStore
	Publish   func(ctx context.Context, subject string, body any) error
	Scripts   Scripts // files that rules may upload and run
	HTTP      *http.Client
	Secret    func(name string) (Secret, error) // secrets from files or environment, by name
	Now       func() time.Time
	Log       zerolog.Logger
	Progress  func(text string)
}

// JobRef names the job and step that an action runs for.
type JobRef struct {
	ID     string `json:"id"`
	Rule   string `json:"rule,omitempty"`
	Digest string `json:"digest,omitempty"` // of the rule
	Step   string `json:"step"`
}

// ArtifactStore keeps collected files.
type ArtifactStore interface {
	// Put streams r into the store. The returned Artifact has size and digest. A
	// Hashed r is not hashed on its way, what was stored of it is all the same.
	Put(ctx context.Context, a Artifact, r io.Reader) (Artifact, error)
}

// Hashed is a stream that provides its own SHA-256 after its end, in lower-case hex.
type Hashed interface {
	io.Reader
	SHA256() string
}

// Artifact is a collected file.
type Artifact struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"` // base name for people
	Path    string     `json:"path"` // where it came from on the sensor
	Server  string     `json:"server,omitempty"`
	Sensor  looseid.ID `json:"sensor"` // id on that server; a number in records of before
	Job     string     `json:"job"`
	Rule    string     `json:"rule,omitempty"`
	Digest  string     `json:"digest,omitempty"` // of the rule
	Size    int64      `json:"size"`             // bytes, before encryption
	SHA256  string     `json:"sha256"`           // of the bytes as collected
	MD5     string     `json:"md5,omitempty"`    // of the same; in the outputs of actions that collect files
	Time    time.Time  `json:"time"`
	Expires time.Time  `json:"expires,omitzero"`
}

// Scripts is the set of files that rules may put on endpoints.
type Scripts interface {
	Open(name string) (io.ReadCloser, error)
}

// Definition is an Action from typed functions.
type Definition[P, O any] struct {
	Is      Spec
	Do      func(ctx context.Context, t *Task, p P) (O, error)
	Already func(ctx context.Context, t *Task, p P) (done bool, out O, err error) // Checkable actions only
}

// Spec implements Action.
func (d Definition[P, O]) Spec() Spec { return d.Is }

// Params implements Action.
func (d Definition[P, O]) Params() reflect.Type { return reflect.TypeFor[P]() }

// Output implements Action.
func (d Definition[P, O]) Output() reflect.Type { return reflect.TypeFor[O]() }

// Run implements Action. An action that the sensor's platform does not have is
// refused with edr.ErrUnsupported before anything leaves.
func (d Definition[P, O]) Run(ctx context.Context, t *Task, params any) (any, error) {
	if !d.Is.Supports(t.Sensor.OS) {
		return nil, fmt.Errorf("%s on sensor %s, which runs %s: %w", d.Is.Name, t.Sensor.ID, t.Sensor.OS, edr.ErrUnsupported)
	}
	return d.Do(ctx, t, params.(P))
}

// Check implements Action.
func (d Definition[P, O]) Check(ctx context.Context, t *Task, params any) (bool, any, error) {
	if d.Already == nil {
		return false, nil, nil
	}
	return d.Already(ctx, t, params.(P))
}

// registry is filled by Register while the program starts and only read later.
var registry = map[string]Action{}

// Register adds an action. A duplicate name is a programming error and panics.
func Register(a Action) Action {
	name := a.Spec().Name
	if _, dup := registry[name]; dup {
		panic(fmt.Sprintf("action %q is registered twice", name))
	}
	registry[name] = a
	return a
}

// Lookup returns the action of that name.
func Lookup(name string) (Action, bool) {
	a, ok := registry[name]
	return a, ok
}

// All returns every action, by name.
func All() []Action {
	all := make([]Action, 0, len(registry))
	for _, a := range registry {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Spec().Name < all[j].Spec().Name })
	return all
}
