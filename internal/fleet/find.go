package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
)

// askWithin bounds a question to one server for an endpoint that a person names.
const askWithin = 5 * time.Second

// Ambiguous is the error of a text that fits several endpoints, or may do so.
type Ambiguous struct {
	Text       string
	Candidates []string // endpoints with their host names
	Silent     []string // servers that did not answer
}

// Error implements error.
func (a *Ambiguous) Error() string {
	text := fmt.Sprintf("%s fits %s", a.Text, strings.Join(a.Candidates, ", "))
	if len(a.Silent) > 0 {
		text += "; whether it fits an endpoint of " + strings.Join(a.Silent, ", ") + " is not known, because the server does not answer"
	}
	return text + ": write SERVER/ID"
}

// Find returns the endpoint that a person means by SERVER/ID, SERVER/HOST, an id or a
// host name. The last two are taken where exactly one endpoint of all servers fits. An
// error wraps edr.ErrUnknownSensor where none fits. The id of a server that does not
// answer is taken as it is written, where the text says which server.
func (f *Fleet) Find(ctx context.Context, text string) (edr.Endpoint, error) {
	return f.FindAmong(ctx, f.cfg.Members, text)
}

// FindAmong is Find among some of the servers.
func (f *Fleet) FindAmong(ctx context.Context, members []*Member, text string) (edr.Endpoint, error) {
	name := text
	if server, rest, ok := strings.Cut(text, "/"); ok {
		m := f.byName[server]
		if m == nil || !slices.Contains(members, m) {
			var names []string
			for _, m := range members {
				names = append(names, m.Name)
			}
			return edr.Endpoint{}, fmt.Errorf("sensor %s: %w: %w", text, edr.ErrUnknownSensor, &NoServer{server, names})
		}
		members, name = []*Member{m}, rest
	}
	if name == "" {
		return edr.Endpoint{}, fmt.Errorf("sensor %s has no id: %w", text, edr.ErrUnknownSensor)
	}
	answers := make([]answer, len(members))
	var g errgroup.Group
	for i, m := range members {
		g.Go(func() error { answers[i] = m.fitting(ctx, name); return nil })
	}
	_ = g.Wait() // each answer has its own error
	return choose(text, name, members, answers)
}

// choose decides between the answers of the servers.
func choose(text, name string, members []*Member, answers []answer) (edr.Endpoint, error) {
	var found []directory.Record
	a := &Ambiguous{Text: text}
	var silent error
	for i, one := range answers {
		found = append(found, one.records...)
		if one.err != nil {
			a.Silent, silent = append(a.Silent, members[i].Name), one.err
		}
	}
	switch {
	case len(found) == 1 && silent == nil:
		return found[0].Endpoint, nil
	case len(found) == 0 && silent == nil:
		return edr.Endpoint{}, fmt.Errorf("sensor %s: %w: it is neither an id nor a host name there", text, edr.ErrUnknownSensor)
	case len(found) == 0 && len(members) == 1 && isNumber(name):
		return edr.Endpoint{Server: members[0].Name, ID: name}, nil
	case len(found) == 0:
		return edr.Endpoint{}, fmt.Errorf("endpoint %s cannot be looked up: %w", text, silent)
	}
	for _, r := range found {
		a.Candidates = append(a.Candidates, fmt.Sprintf("%s (%s, checked in %s)", r.Endpoint, cmp.Or(r.Hostname, "no host name"), r.LastCheckin.UTC().Format(time.RFC3339)))
	}
	slices.Sort(a.Candidates)
	return edr.Endpoint{}, a
}

// answer is what one server has for a text; err: it may have more.
type answer struct {
	records []directory.Record
	err     error
}

// fitting lists the server's endpoints whose id is the text, else those whose host name
// it is.
func (m *Member) fitting(ctx context.Context, text string) answer {
	r, err := m.Directory.Find(ctx, text)
	if err == nil {
		return answer{records: []directory.Record{r}}
	}
	if isNumber(text) { // no host name
		if !errors.Is(err, directory.ErrUnread) {
			err = nil
		}
		return answer{err: err}
	}
	if all := m.Directory.ByHost(text); len(all) > 0 {
		return answer{records: all}
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	short, _, _ := strings.Cut(text[strings.LastIndexByte(text, '\\')+1:], ".")
	sensors, err := m.EDR.Sensors(ctx, edr.SensorQuery{Hostname: short})
	if err != nil {
		return answer{err: fmt.Errorf("host %s on server %s: %w", text, m.Name, err)}
	}
	var a answer
	for _, s := range sensors {
		if edr.SameHost(s.Hostname, text) || edr.SameHost(s.DNSName, text) {
			a.records = append(a.records, directory.Record{Endpoint: edr.Endpoint{Server: m.Name, ID: s.ID}, Hostname: s.Hostname, LastCheckin: s.LastCheckin})
		}
	}
	return a
}

// isNumber reports whether the text can be nothing but an id.
func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
