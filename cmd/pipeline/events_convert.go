package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"edrpipe/pkg/events"
)

func newEventsConvertCommand() *cobra.Command {
	var format, server string
	var raw bool
	cmd := &cobra.Command{
		Use:   "convert [flags] FILE…",
		Short: "Print recorded events in the one form that rules read",
		Long: `Print recorded events in the one form that rules read, one JSON object a line.

It reads what any source can deliver: captured bus messages (one object with
exchange, routing_key, content_type, headers and body_b64 a line), the outputs of
the event forwarder (lines, arrays, HTTP posts, Splunk HEC, syslog), raw sensor
bundles and zips, CloudEvents, and Carbon Black Cloud's lines; plain, gzip or lz4.
FILE - is standard input.

Input that gives no event is named on standard error, as file:line: reason, and
the rest is converted. The exit status is 1 when there was any such input, except
for sensor messages that report no event ("not_an_event").`,
		Example: `  pipeline events convert recording.jsonl
  zcat events.gz | pipeline events convert --format cbc -
  pipeline events convert --raw=false recording.jsonl | jq .process.path`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			f := events.Format(format)
			if !slices.Contains(events.Formats, f) {
				return &usageError{fmt.Errorf("--format %s: want one of %v", format, events.Formats)}
			}
			c := converter{
				format: f, server: server,
				decoder: &events.Decoder{LazyRaw: !raw, Cloud: f == events.FormatCloud},
				errs:    cmd.ErrOrStderr(),
			}
			return c.convert(cmd.Context(), files, cmd.InOrStdin(), forData(cmd.OutOrStdout()))
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", string(events.FormatAuto), "what the files hold: auto, bus, forwarder, cbc")
	f.StringVar(&server, "server", "", "name of the EDR server, for events that do not say it")
	f.BoolVar(&raw, "raw", true, "print the original message too, as raw")
	return cmd
}

// A converter prints the events of files.
type converter struct {
	format  events.Format
	server  string
	decoder *events.Decoder
	out     *json.Encoder
	errs    io.Writer
	bad     bool // some input gave no event
}

func (c *converter) convert(ctx context.Context, files []string, stdin io.Reader, stdout io.Writer) error {
	out := bufio.NewWriterSize(stdout, 64<<10)
	c.out = json.NewEncoder(out)
	c.out.SetEscapeHTML(false)
	for _, name := range files {
		err := c.file(ctx, name, stdin)
		if flushErr := out.Flush(); err == nil {
			err = flushErr
		}
		var path *os.PathError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &path): // of several files, one that can not be read does not hide the others
			fmt.Fprintf(c.errs, "%v\n", err)
			c.bad = true
		case err != nil:
			return err
		}
	}
	if c.bad {
		return errSilent
	}
	return nil
}

func (c *converter) file(ctx context.Context, name string, stdin io.Reader) error {
	in, err := openInput(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	for rec, err := range events.ReadRecording(in, c.format) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if reject := (*events.Reject)(nil); errors.As(err, &reject) {
			c.report(name, rec, reject)
			continue
		}
		if err != nil {
			fmt.Fprintf(c.errs, "%s:%d: %v\n", name, rec.Line, err)
			c.bad = true
			return nil
		}
		if err := c.message(name, rec); err != nil {
			return err
		}
	}
	return nil
}

func (c *converter) message(name string, rec events.Recorded) error {
	rec.Server = c.server
	for e, err := range c.decoder.Events(&rec.Message) {
		if reject := (*events.Reject)(nil); errors.As(err, &reject) {
			c.report(name, rec, reject)
			continue
		}
		if err := c.out.Encode(e); err != nil {
			return fmt.Errorf("printing an event: %w", err)
		}
	}
	return nil
}

// report names what gave no event, with the line it stands on; within the body
// of a captured message, the message's line.
func (c *converter) report(name string, rec events.Recorded, r *events.Reject) {
	line := rec.Line
	if rec.RoutingKey == "" && rec.Exchange == "" && r.Offset <= len(rec.Body) {
		line += bytes.Count(rec.Body[:r.Offset], []byte("\n"))
	}
	fmt.Fprintf(c.errs, "%s:%d: %v\n", name, line, r)
	c.bad = c.bad || !r.Harmless()
}
