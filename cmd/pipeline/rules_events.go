package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
)

// recordedEvents reads events from a file (- is standard input) in any form
// that sources deliver, or as "events convert" prints them. What cannot be read
// is named on stderr. Events that do not say when they were received count as
// received when they happened: a recording is not old.
func recordedEvents(ctx context.Context, name string, stdin io.Reader, stderr io.Writer, handle func(*events.Event) error) error {
	in, err := openInput(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	var decoder events.Decoder
	for rec, err := range events.ReadRecording(in, events.FormatAuto) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if reject := (*events.Reject)(nil); err != nil && !errors.As(err, &reject) {
			return fmt.Errorf("%s:%d: %w", name, rec.Line, err)
		}
		if err != nil {
			fmt.Fprintf(stderr, "%s:%d: %v\n", name, rec.Line, err)
			continue
		}
		if e := convertedEvent(rec.Body); e != nil {
			if err := handle(e); err != nil {
				return err
			}
			continue
		}
		dated := !rec.Received.IsZero()
		for e, err := range decoder.Events(&rec.Message) {
			if err != nil {
				fmt.Fprintf(stderr, "%s:%d: %v\n", name, rec.Line, err)
				continue
			}
			if !dated && !e.Event.Time.IsZero() {
				e.Event.Received, e.Event.Age = e.Event.Time, 0
			}
			if err := handle(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// convertedEvent reads an event in the one form that rules read; nil when it is
// in another one.
func convertedEvent(body []byte) *events.Event {
	var form struct {
		Event struct {
			Type string `json:"type"`
			Kind string `json:"kind"`
		} `json:"event"`
	}
	if json.Unmarshal(body, &form) != nil || form.Event.Type == "" || form.Event.Kind == "" {
		return nil
	}
	e := &events.Event{}
	if json.Unmarshal(body, e) != nil {
		return nil
	}
	if e.Event.Received.IsZero() {
		e.Event.Received = e.Event.Time
	}
	e.Event.Age = e.Event.Received.Sub(e.Event.Time)
	return e
}

// where says in short what an event is and where it happened.
func where(e *events.Event) string {
	host := e.Sensor.Hostname
	if e.Sensor.ID != "" {
		host = strings.TrimSpace(fmt.Sprintf("%s (sensor %s)", host, e.Sensor.ID))
	}
	if host == "" {
		host = "no sensor"
	}
	return fmt.Sprintf("%s on %s, %s", e.Event.Type, printable.Line(host), e.Event.Time.UTC().Format("2006-01-02 15:04:05"))
}
