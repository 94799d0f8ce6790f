package lrshell

import (
	"context"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

// described is the result of info.
type described struct {
	Server  lr.Info         `json:"server"`
	Sensor  edr.Sensor      `json:"sensor"`
	Session edr.SessionInfo `json:"session"`
}

func infoCommand() Command {
	return Command{
		Name: "info", Summary: "show server, sensor and session",
		Run: func(ctx context.Context, s *Shell, _ any, _ []string) error {
			var d described
			var err error
			if d.Server, err = s.Client.Info(ctx); err != nil {
				return err
			}
			if d.Sensor, err = s.Client.Sensor(ctx, s.Sensor.ID); err != nil {
				return err
			}
			err = s.Endpoint.Do(ctx, func(session *lr.Session) error {
				d.Session = session.Info()
				return nil
			})
			if err != nil {
				return err
			}
			return s.show(d, d.print)
		},
	}
}

func (d described) print(t table.Writer) {
	t.AppendRows([]table.Row{
		{"server", printable.Line(d.Server.Version)},
		{"sensor", d.Sensor.ID},
		{"host", printable.Line(d.Sensor.Hostname)},
		{"system", printable.Line(d.Sensor.OSVersion)},
		{"addresses", printable.Line(strings.Join(d.Sensor.IPs, " "))},
		{"status", printable.Line(d.Sensor.Status)},
		{"last check-in", when(d.Sensor.LastCheckin)},
		{"isolation", d.Sensor.Isolation},
		{"session", d.Session.ID},
		{"commands", printable.Line(strings.Join(d.Session.Commands, ", "))},
		{"drives", printable.Line(strings.Join(d.Session.Drives, " "))},
	})
}
