// Package kinds registers the kinds of EDR servers: the products that edrpipe works
// with. A kind is one file here, which joins its client, a package such as pkg/lr, to
// the configuration. The rest of the program knows edr.Server and its powers only.
package kinds

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// A Kind opens servers of one product.
type Kind struct {
	Name string // as in servers[].kind
	// Powers are those of its servers and their sessions.
	Powers []edr.Power
	// Idle is how long a session without work is kept while its slot is not wanted; 0: for
	// as long as it is not.
	Idle time.Duration
	// Keys returns the kind's own configuration keys with their defaults. Nil: the
	// configuration knows them already.
	Keys func() config.KindKeys
	// Open makes the client of a server. It does not connect: a server that does not
	// answer now only makes its jobs wait.
	Open func(s config.Server, shared *Shared, log zerolog.Logger) (edr.Server, error)
	// Renew has an open client take its secret and certificates from their files again.
	Renew func(s config.Server, server edr.Server) error
	// Files lists the files that Renew reads.
	Files func(s config.Server) []string
	// Source returns the source of events that comes with a server, or nil. places is
	// a directory for what it remembers. Nil: the kind has none.
	Source func(s config.Server, server edr.Server, places string, log zerolog.Logger) events.Source
}

// kinds is filled by init functions and only read afterwards.
var kinds = map[string]Kind{}

// Register makes a kind known. Call it from an init function; a duplicate panics.
func Register(k Kind) {
	if _, taken := kinds[k.Name]; taken {
		panic("kinds: " + k.Name + " is registered twice")
	}
	kinds[k.Name] = k
	if k.Keys != nil {
		config.RegisterKind(k.Name, k.Keys)
	}
}

// Names lists the registered kinds.
func Names() []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// PowersOf lists what servers of a kind can do; nil for an unknown kind.
func PowersOf(kind string) []edr.Power { return kinds[kind].Powers }

// Idle is how long sessions of a kind are kept without work: see Kind.
func Idle(kind string) time.Duration { return kinds[kind].Idle }

// Open makes the client of a configured server. shared is of all servers of the process.
func Open(s config.Server, shared *Shared, log zerolog.Logger) (edr.Server, error) {
	k, ok := kinds[s.Kind]
	if !ok {
		return nil, fmt.Errorf("server %s: %q is no kind of server; there are %s", s.Name, s.Kind, strings.Join(Names(), ", "))
	}
	server, err := k.Open(s, shared, log)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", s.Name, err)
	}
	return server, nil
}

// Renew has the client of a server, made by Open, take its secret and certificates
// from their files again. After an error it goes on with those that it has.
func Renew(s config.Server, server edr.Server) error {
	if err := kinds[s.Kind].Renew(s, server); err != nil {
		return fmt.Errorf("server %s: %w", s.Name, err)
	}
	return nil
}

// Files lists the files with a server's secret and certificates.
func Files(s config.Server) []string {
	return slices.DeleteFunc(kinds[s.Kind].Files(s), func(name string) bool { return name == "" })
}

// Source returns the source of events that comes with a server that Open has made, or
// nil. places is a directory for what the source remembers.
func Source(s config.Server, server edr.Server, places string, log zerolog.Logger) events.Source {
	if k := kinds[s.Kind]; k.Source != nil {
		return k.Source(s, server, places, log)
	}
	return nil
}

// Secret reads a secret from its file, for the keys of a kind.
func Secret(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return text, nil
}
