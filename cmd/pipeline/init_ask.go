package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ask fills in by questions what flags did not say.
func (f *initFlags) ask(in io.Reader, out io.Writer) error {
	q := questions{in: bufio.NewReader(in), out: out, terminal: in}
	f.url = q.text("Address of the EDR server, https://host (empty: try it out with a simulator)", "")
	if f.url == "" {
		f.sim = q.err == nil
		return q.err
	}
	if f.tokenFile == "" && os.Getenv("EDRPIPE_EDR_TOKEN") == "" {
		token := q.secret("API token (in the EDR console under your name, My Profile, API Token)")
		if q.err == nil && token == "" {
			return errors.New("without an API token nothing can be asked of the EDR server")
		}
		q.err = errors.Join(q.err, os.Setenv("EDRPIPE_EDR_TOKEN", token))
	}
	f.ca = q.text("File with the authority of its certificate (empty: the system's)", f.ca)
	f.bus = q.text("NATS bus, nats://host:4222 (empty: embedded)", f.bus)
	f.amqp = q.text("The server's RabbitMQ, amqp://cb@host:5004/ (empty: events come by HTTP or from the bus)", f.amqp)
	if f.amqp != "" {
		f.amqpPasswordFile = q.text("File with its password", f.amqpPasswordFile)
	}
	return q.err
}

// questions are put one after the other; the first error ends them.
type questions struct {
	in       *bufio.Reader
	out      io.Writer
	terminal any
	err      error
}

func (q *questions) text(question, otherwise string) string {
	if q.err != nil || otherwise != "" {
		return otherwise
	}
	fmt.Fprintf(q.out, "%s: ", question)
	line, err := q.in.ReadString('\n')
	if err != nil {
		q.err = fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(line)
}

// secret reads an answer that the terminal does not show.
func (q *questions) secret(question string) string {
	f, ok := q.terminal.(interface{ Fd() uintptr })
	if q.err != nil || !ok || !isTerminal(q.terminal) {
		return q.text(question, "")
	}
	fmt.Fprintf(q.out, "%s: ", question)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(q.out)
	if err != nil {
		q.err = fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(string(b))
}
