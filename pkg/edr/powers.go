package edr

import (
	"context"
	"fmt"
	"io"
	"reflect"
)

// Powers are what a product can do beyond listing sensors. A kind of server
// declares one by implementing its interface, on the Server or on the Session;
// code that needs it gets it from As, which refuses before anything was done.
type (
	// Isolator can cut a sensor off the network, except from its server.
	Isolator interface {
		// SetIsolation requests the state and returns once the server has recorded
		// it. The sensor follows at its next check-in: see Sensor.Isolation.
		SetIsolation(ctx context.Context, sensorID string, isolated bool) error
	}
	// HashBanner can keep a binary from running on every sensor of the server.
	HashBanner interface {
		// BansBy is the digest by which the product identifies binaries. The hashes of
		// the other methods are of that kind.
		BansBy() HashKind
		Ban(ctx context.Context, hash, reason string) error
		Unban(ctx context.Context, hash string) error
		// Banned reports whether the hash is banned now.
		Banned(ctx context.Context, hash string) (bool, error)
	}
	// AlertCloser can close an alert in the analysts' queue.
	AlertCloser interface {
		// CloseAlert closes one alert and returns once the server has done it. Closing
		// one that is closed is no error.
		CloseAlert(ctx context.Context, id string, how AlertClosing) error
	}
	// AlertNoter can add a note to an alert.
	AlertNoter interface {
		// NoteAlert writes a note. The same text is not written twice.
		NoteAlert(ctx context.Context, id, note string) error
	}

	// BinaryReader can read the metadata of the binaries that the sensors have met.
	BinaryReader interface {
		// Binary reads the server's record of a binary. ErrUnknownBinary: there is none.
		Binary(ctx context.Context, md5 string) (Binary, error)
	}

	// Files can read, write, list and delete files of the endpoint.
	Files interface {
		GetFile(ctx context.Context, path string, r Range, w io.Writer) (FileInfo, error)
		PutFile(ctx context.Context, path string, r io.Reader) (FileInfo, error)
		DeleteFile(ctx context.Context, path string) error
		List(ctx context.Context, pattern string) ([]DirEntry, error)
		MakeDir(ctx context.Context, path string) error
	}
	// Processes can list and end processes.
	Processes interface {
		Processes(ctx context.Context) ([]Process, error)
		Kill(ctx context.Context, pid int) error
	}
	// Runner can start processes.
	Runner interface {
		Run(ctx context.Context, p ProcessSpec) (ProcessResult, error)
	}
	// Registry can read and change the registry.
	Registry interface {
		RegistryKey(ctx context.Context, key string) (RegistryKey, error)
		RegistryValue(ctx context.Context, path string) (RegistryValue, error)
		SetRegistryValue(ctx context.Context, path string, v RegistryValue, overwrite bool) error
		CreateRegistryKey(ctx context.Context, key string) error
		DeleteRegistryKey(ctx context.Context, key string) error
		DeleteRegistryValue(ctx context.Context, path string) error
	}
	// Memory can dump the endpoint's memory to a file there.
	Memory interface {
		DumpMemory(ctx context.Context, path string, compress bool, progress func(percent int)) (remotePath string, err error)
	}
	// Archiver can return all that a session has stored.
	Archiver interface {
		Archive(ctx context.Context, w io.Writer) error
	}
)

// A HashKind is a digest by which a product bans.
type HashKind string

// Digests by which products ban.
const (
	MD5    HashKind = "md5"
	SHA256 HashKind = "sha256"
)

// Binary is a server's record of an executable image. A text that the image lacks is
// empty, or "(unknown)".
type Binary struct {
	MD5, SHA256                                            string
	OriginalName, Description, Product, Company, Publisher string
	SignResult                                             string // Signed, Unsigned, Expired, …
}

// AlertClosing is the reason for closing an alert, in Carbon Black Cloud's terms. A
// product without such a term ignores it. Empty fields are left to the product.
type AlertClosing struct {
	Reason        string // RESOLVED, RESOLVED_BENIGN_KNOWN_GOOD, DUPLICATE_CLEANUP, OTHER, NO_REASON
	Determination string // TRUE_POSITIVE, FALSE_POSITIVE, NONE
	Note          string
}

// LiveSession is a Session with all powers of Live Response.
type LiveSession interface {
	Session
	Files
	Processes
	Runner
	Registry
	Memory
	Archiver
}

// Power names a power in messages, configuration checks and documentation.
type Power string

// Powers by name.
const (
	PowerIsolate   Power = "isolate"
	PowerBan       Power = "ban"
	PowerClose     Power = "close alert"
	PowerNote      Power = "note alert"
	PowerBinaries  Power = "read binaries"
	PowerFiles     Power = "files"
	PowerProcesses Power = "processes"
	PowerRun       Power = "run"
	PowerRegistry  Power = "registry"
	PowerMemory    Power = "memory"
	PowerArchive   Power = "archive"
)

// powers pairs each interface with its name, in the order of documentation.
var powers = []struct {
	name      Power
	inter     reflect.Type
	ofSession bool
}{
	{PowerIsolate, reflect.TypeFor[Isolator](), false},
	{PowerBan, reflect.TypeFor[HashBanner](), false},
	{PowerClose, reflect.TypeFor[AlertCloser](), false},
	{PowerNote, reflect.TypeFor[AlertNoter](), false},
	{PowerBinaries, reflect.TypeFor[BinaryReader](), false},
	{PowerFiles, reflect.TypeFor[Files](), true},
	{PowerProcesses, reflect.TypeFor[Processes](), true},
	{PowerRun, reflect.TypeFor[Runner](), true},
	{PowerRegistry, reflect.TypeFor[Registry](), true},
	{PowerMemory, reflect.TypeFor[Memory](), true},
	{PowerArchive, reflect.TypeFor[Archiver](), true},
}

// PowersOf lists what a kind of server can do, from the types of its server and of
// its sessions; nil pointers of those types are enough.
//
//	edr.PowersOf((*lr.Client)(nil), (*lr.Session)(nil))
func PowersOf(server Server, session Session) (has []Power) {
	for _, p := range powers {
		of := reflect.TypeOf(server)
		if p.ofSession {
			of = reflect.TypeOf(session)
		}
		if of != nil && of.Implements(p.inter) {
			has = append(has, p.name)
		}
	}
	return has
}

// A Wrapper is a Session around another one, whose powers it has.
type Wrapper interface{ Unwrap() Session }

// UnsupportedError refuses an operation that the server or session does not support,
// before any request. errors.Is recognises ErrUnsupported in it.
type UnsupportedError struct {
	Power Power
	By    string // a server's name or a session, as far as known
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: this kind of server does not support %q; nothing was done", e.By, e.Power)
}

// Unwrap makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// As returns the power P of a Server or Session, or an *UnsupportedError.
//
//	files, err := edr.As[edr.Files](session)
func As[P any](of any) (P, error) {
	for x := of; x != nil; {
		if p, ok := x.(P); ok {
			return p, nil
		}
		w, ok := x.(Wrapper)
		if !ok {
			break
		}
		x = w.Unwrap()
	}
	var none P
	return none, &UnsupportedError{Power: powerName(reflect.TypeFor[P]()), By: describe(of)}
}

func powerName(t reflect.Type) Power {
	for _, p := range powers {
		if p.inter == t {
			return p.name
		}
	}
	return Power(t.Name())
}

func describe(of any) string {
	switch x := of.(type) {
	case Server:
		return "server " + x.Name()
	case Session:
		return fmt.Sprintf("session %s on sensor %s", x.Info().ID, x.Info().SensorID)
	}
	return "server"
}
