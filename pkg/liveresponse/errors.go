package liveresponse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"edrpipe/pkg/edr"
)

// ErrNotFound is a command, file or hash that does not exist on the server.
var ErrNotFound = errors.New("not known to the server")

// Error is a failed request. errors.Is recognises the edr errors in it, and those of
// the network and the context.
type Error struct {
	edr.Where
	Status int    // HTTP status; 0 when there was no answer
	Reason string // the server's text, shortened and cleaned
	Kind   error  // one of the edr errors, ErrNotFound, or nil
	Cause  error  // from the network, the context or the decoder; may be nil
}

// Error describes the operation, its target and the cause of its failure.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Name != "" {
		fmt.Fprintf(&b, "%s", e.Name)
		if e.Object != "" {
			b.WriteString(" " + edr.Quote(e.Object))
		}
		b.WriteString(": ")
	}
	if at := e.place(); at != "" {
		b.WriteString(at + ": ")
	}
	if e.Request != "" {
		b.WriteString(e.Request + ": ")
	}
	b.WriteString(e.why())
	return b.String()
}

func (e *Error) place() string {
	var at []string
	if e.Sensor != "" {
		at = append(at, fmt.Sprintf("sensor %s", e.Sensor))
	}
	if e.Session != "" {
		at = append(at, fmt.Sprintf("session %s", e.Session))
	}
	if e.Command != nil {
		at = append(at, fmt.Sprintf("command %d", *e.Command))
	}
	return strings.Join(at, ", ")
}

func (e *Error) why() string {
	var why []string
	if e.Kind != nil {
		why = append(why, e.Kind.Error())
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		why = append(why, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Reason != "" {
		why = append(why, edr.Quote(e.Reason))
	}
	if e.Cause != nil {
		why = append(why, e.Cause.Error())
	}
	if len(why) == 0 {
		return "no success"
	}
	return strings.Join(why, ": ")
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Unanswered makes an Error of a request that got no usable answer.
func Unanswered(w edr.Where, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	e := &Error{Where: w, Kind: edr.ErrServer, Cause: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind = nil
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind = edr.ErrTimeout
	}
	return e
}

// At adds what is known of a command to an error of one of its requests.
func At(err error, w edr.Where) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Sensor == "" {
		e.Sensor = w.Sensor
	}
	if e.Session == "" {
		e.Session = w.Session
	}
	if e.Command == nil {
		e.Command = w.Command
	}
	if e.Name == "" {
		e.Name, e.Object = w.Name, w.Object
	}
	return err
}
